"""Refuse card numbers: what could be a PAN must never be stored, logged or learned from."""

from __future__ import annotations

import re

# Separators that people put into card numbers; a longer run of digits is searched for windows.
_CANDIDATE = re.compile(r"(?<![0-9])[0-9](?:[ \-.]?[0-9]){11,}(?![0-9])")
# A UUID may hold a long run of digits by chance; as a whole it is no card number.
_UUID = re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_PAN_LENGTHS = range(13, 20)
_ISSUER_DIGITS = frozenset("23456")


def passes_luhn(digits: str) -> bool:
    """Whether a string of digits satisfies the Luhn check (ISO/IEC 7812-1, annex B)."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        value = ord(character) - 48
        if position % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def contains_card_number(text: str) -> bool:
    """Whether ``text`` holds something that looks like a card number (PAN).

    A PAN is a run of 13 to 19 digits, possibly grouped by single spaces, hyphens or dots, that
    starts with a digit that card networks use (2 to 6) and passes the Luhn check. A UUID is none.
    """
    if len(text) < _PAN_LENGTHS.start:
        return False
    for match in _CANDIDATE.finditer(_UUID.sub("", text)):
        digits = "".join(filter(str.isdigit, match.group()))
        if len(digits) in _PAN_LENGTHS and digits[0] in _ISSUER_DIGITS and passes_luhn(digits):
            return True
    return False


def redact(text: str) -> str:
    """``text`` with every run that looks like a card number replaced by ``[card number]``."""
    return _CANDIDATE.sub(
        lambda match: "[card number]" if contains_card_number(match.group()) else match.group(),
        text,
    )
