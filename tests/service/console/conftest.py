"""What these tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.service.in_process import running, settings_in
from tests.service.people.quick_hashes import quick_hashes

__all__ = ["quick_hashes"]


@pytest.fixture
def app(tmp_path: Path, migrated_file: Path) -> Iterator[Flask]:
    """On a database whose tables need not be made each time."""
    shutil.copy(migrated_file, tmp_path / "authopt.db")
    with running(settings_in(tmp_path)) as app:
        yield app
