"""Answers that are written as bytes, as structs for the description."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Alive(Struct, frozen=True):
    """The process lives."""

    status: Literal["alive"]


class Ready(Struct, frozen=True, omit_defaults=True):
    """All is well; ``spooled`` says whether records wait to be moved into the store.

    ``candidate`` says what should be live and why it cannot be: the policy before it is.
    """

    status: Literal["ready"]
    spooled: bool
    candidate: str | None = None
