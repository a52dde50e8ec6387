"""Refuse card numbers: what could be a PAN must never be stored, logged or learned from.

People group a card number by single spaces, hyphens or dots, so digits with single separators
between them may be one number. They may also be several, as in ``2026-03-01 4111111111111111``, so
every group of digits counts by itself too, and every few groups of the sizes in which the networks
print their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Digits with at most one separator between any two.
_CHAIN = re.compile(r"(?<![0-9])[0-9](?:[ \-.]?[0-9]){12,}(?![0-9])")
_GROUP = re.compile("[0-9]+")
# A UUID may hold a long run of digits by chance; as a whole it is no card number.
_UUID = re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_PAN_LENGTHS = range(13, 20)
_ISSUER_DIGITS = frozenset("23456")
# As printed: most networks, American Express, Diners, and the lengths 19 and 13.
_PRINTED = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5), (4, 3, 3, 3))


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

    A PAN is 13 to 19 digits that start with one that card networks use (2 to 6) and pass the Luhn
    check: all the digits of a chain with single spaces, hyphens or dots between them, one group of
    it, or a few groups of the sizes in which networks print their numbers. A UUID is none, and a
    run of more than 19 digits is not searched for shorter ones, of which one in ten would pass by
    chance.
    """
    if len(text) < _PAN_LENGTHS.start:
        return False
    without = _UUID.sub("", text) if "-" in text else text
    return any(True for chain in _CHAIN.finditer(without) for _ in _spans(chain.group()))


def redact(text: str) -> str:
    """``text`` with every run that looks like a card number replaced by ``[card number]``.

    A UUID stays as it is.
    """
    pieces, end = [], 0
    for uuid in _UUID.finditer(text):
        pieces += [_CHAIN.sub(_without, text[end : uuid.start()]), uuid.group()]
        end = uuid.end()
    return "".join([*pieces, _CHAIN.sub(_without, text[end:])])


def _without(found: re.Match[str]) -> str:
    chain = found.group()
    pieces, end = [], 0
    for start, stop in _spans(chain):
        if start >= end:
            pieces += [chain[end:start], "[card number]"]
            end = stop
    return "".join([*pieces, chain[end:]])


def _spans(chain: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand in a chain of digits, the whole of it first."""
    groups = [found.span() for found in _GROUP.finditer(chain)]
    if len(groups) > 1 and _is_card_number("".join(chain[start:stop] for start, stop in groups)):
        yield 0, len(chain)
    for at, (start, stop) in enumerate(groups):
        if _is_card_number(chain[start:stop]):
            yield start, stop
        for sizes in _PRINTED:
            some = groups[at : at + len(sizes)]
            if tuple(stop - start for start, stop in some) == sizes and _is_card_number(
                "".join(chain[start:stop] for start, stop in some)
            ):
                yield start, some[-1][1]


def _is_card_number(digits: str) -> bool:
    return len(digits) in _PAN_LENGTHS and digits[0] in _ISSUER_DIGITS and passes_luhn(digits)
