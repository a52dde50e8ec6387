"""What cannot be done with the live policy or a model, by the kind of reason."""

from __future__ import annotations

from authopt.errors import UserError


class NotThere(UserError):
    """There is no such model, or no such route."""


class Conflict(UserError):
    """It is there, but its present state forbids what was asked."""
