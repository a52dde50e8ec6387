"""The errors that a user can cause, and therefore has to understand."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave us: a file, an option, a request.

    The message stands alone: it names what was wrong (file, row, column, value), what was expected
    and what to do. The command line prints it without a traceback and exits with status 2.
    """


class CheckFailed(Exception):
    """A check that the user asked for did not pass; the command line exits with status 1."""


class MissingExtra(UserError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'authopt[{extra}]'"
        )
