"""Passwords: which are taken, and how they are kept.

argon2id with the settings that RFC 9106 section 4 recommends where memory is scarce: 64 MiB, three
passes, four lanes. Texts are put into the form NFKC before (NIST SP 800-63B section 3.1.1.2), so
that the same letters typed on another machine are the same password.
"""

from __future__ import annotations

import secrets
import unicodedata
from contextlib import suppress
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from authopt.card_numbers import contains_card_number
from authopt.errors import UserError

LEAST = 12
MOST = 256
_DISTINCT = 5
# Without those that are taken for one another, such as l and 1.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 5
_DRAWS = 100

HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def check_password(password: str, username: str) -> None:
    """Refuse a password that would soon be guessed.

    Raises
    ------
    UserError
        Says what is expected, and nothing of the password.
    """
    text = _same_form(password)
    if not LEAST <= len(text) <= MOST:
        raise UserError(f"password: expected {LEAST} to {MOST} characters")
    if len(set(text)) < _DISTINCT:
        raise UserError(f"password: expected at least {_DISTINCT} different characters")
    if username.casefold() in text.casefold():
        raise UserError("password: expected one without the user's name in it")
    if contains_card_number(text):
        raise UserError("password: looks like a card number; those are taken nowhere")


def drawn_password(username: str) -> str:
    """A password of 100 random bits for somebody, in groups that can be read out.

    Parameters
    ----------
    username
        a sound one.
    """
    drawn = ""
    # A short name stands in about every second one by chance.
    for _ in range(_DRAWS):
        groups = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS)]
        drawn = "-".join(groups)
        with suppress(UserError):
            check_password(drawn, username)
            break
    return drawn


def hashed(password: str) -> str:
    """What is kept of a password: settings, salt and hash in one text."""
    return HASHER.hash(_same_form(password))


def is_right(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept.

    Where nothing was kept it takes as long all the same, so that time does not tell who exists.
    """
    try:
        HASHER.verify(_nobody() if kept is None else kept, _same_form(password[:MOST]))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None and len(password) <= MOST


def is_stale(kept: str) -> bool:
    """Whether it was hashed with other settings than are used now."""
    return HASHER.check_needs_rehash(kept)


def _same_form(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _nobody() -> str:
    return HASHER.hash("nobody's")
