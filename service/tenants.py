"""Merchants that share a service, each with decisions, keys and a policy of its own."""

from __future__ import annotations

import re

from authopt.card_numbers import contains_card_number, redact
from authopt.errors import UserError

DEFAULT_TENANT = "default"
"""The one merchant of a service that names none."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_tenant(name: str) -> None:
    """Refuse what is no name of a merchant.

    Raises
    ------
    UserError
        If it is none, or looks like a card number.
    """
    if not _NAME.fullmatch(name) or contains_card_number(name):
        raise UserError(
            f"tenant {redact(name)[:32]!r}: expected up to 64 small letters, digits, hyphens "
            "and underscores, a letter or a digit first"
        )
