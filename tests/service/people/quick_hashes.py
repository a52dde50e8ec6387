"""Passwords are hashed as everywhere, but with settings that take no time."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from service.people import passwords

REAL = passwords.HASHER
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all tests of the folders whose conftest imports it."""
    monkeypatch.setattr(passwords, "HASHER", QUICK)
