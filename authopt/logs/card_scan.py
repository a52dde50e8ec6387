"""Find what looks like a card number in a whole column at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import BoolArray
from authopt.card_numbers import contains_card_number

_LENGTHS = range(13, 20)
_UUID_LENGTH = 36
_UUID_HYPHENS = (8, 13, 18, 23)

_IS_HEX = np.zeros(256, np.bool_)
_IS_HEX[np.frombuffer(b"0123456789abcdefABCDEF", np.uint8)] = True

Positions = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]


def card_numbers_in(strings: pa.StringArray) -> Positions:
    """Indices of the strings that hold what ``card_numbers.contains_card_number`` finds.

    That test costs a microsecond or more per string. Here a few passes over the bytes of the whole
    column find the strings with 13 digits or separators in a row, and a few more over theirs judge
    them; only strings with a UUID in them that is not all of them, or with 13 digits or more that
    have separators between them, are judged one by one.

    Parameters
    ----------
    strings
        Arrow strings; nulls hold nothing.
    """
    candidates = _candidates(*_bytes_of(strings))
    if not len(candidates):
        return candidates
    texts = strings.take(pa.array(candidates))
    text, ends = _bytes_of(texts)
    found: BoolArray = np.zeros(len(candidates), np.bool_)
    sure, grouped = _with_card_numbers(text, ends)
    found[sure] = True
    maybe = np.union1d(_with_uuid_hyphens(text, ends), grouped[~found[grouped]])
    if len(maybe):
        maybe = maybe[~_are_uuids(text, ends, maybe, found)]
        left = texts.take(pa.array(maybe)).to_pylist()
        found[maybe] = [contains_card_number(each) for each in left]
    return candidates[found]


def _bytes_of(strings: pa.StringArray) -> tuple[Bytes, npt.NDArray[np.int32]]:
    """All characters, one string after the other, and where each string ends."""
    _, offsets_buffer, data = strings.buffers()
    if not len(strings) or data is None:
        return np.empty(0, np.uint8), np.zeros(len(strings), np.int32)
    offsets = np.frombuffer(offsets_buffer, np.int32)[strings.offset :][: len(strings) + 1]
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]], offsets[1:] - offsets[0]


def _candidates(text: Bytes, ends: npt.NDArray[np.int32]) -> Positions:
    """Strings with 13 characters in a row that a card number may have."""
    if len(text) < _LENGTHS.start:
        return np.empty(0, np.intp)
    # From "-" to "9" in ASCII are the hyphen, the dot, the slash (which does no harm), the digits.
    run = (text - np.uint8(ord("-"))) <= ord("9") - ord("-")
    run |= text == ord(" ")
    # run[i]: the 1, 2, 4, 8, 13 bytes from i on may all be part of a card number.
    for shift in (1, 2, 4, 5):
        run = run[:-shift] & run[shift:]
    starts = np.flatnonzero(run)
    owner = np.searchsorted(ends, starts, side="right")
    inside = owner[starts + _LENGTHS.start <= ends[owner]]
    return inside[np.flatnonzero(np.diff(inside, prepend=-1))]


def _with_card_numbers(text: Bytes, ends: npt.NDArray[np.int32]) -> tuple[Positions, Positions]:
    """Strings with a card number, if no UUID is taken out of them before; none may be empty.

    And those with digits enough for one that have separators between them, so that some of them may
    be one.
    """
    begins = np.zeros(len(text) + 1, np.bool_)
    begins[ends] = begins[0] = True
    is_digit = (text - np.uint8(ord("0"))) < 10
    after_digit = np.concatenate([[False], is_digit[:-1]]) & ~begins[:-1]
    before_digit = np.concatenate([is_digit[1:], [False]]) & ~begins[1:]
    # A chain is of digits, with at most one separator between any two.
    in_chain = (text == ord(" ")) | (text == ord("-")) | (text == ord("."))
    in_chain &= after_digit & before_digit
    in_chain |= is_digit
    first = in_chain.copy()
    first[1:] &= ~in_chain[:-1] | begins[1:-1]
    digits = text[is_digit] - np.uint8(ord("0"))
    starts = np.flatnonzero(first)
    place = (np.cumsum(is_digit, dtype=np.int32) - is_digit)[starts]
    counts = np.diff(place, append=len(digits))
    found: BoolArray = np.zeros(len(starts), np.bool_)
    for length in _LENGTHS:
        same = np.flatnonzero(counts == length)
        found[same] = _are_card_numbers(digits[place[same, np.newaxis] + np.arange(length)])
    characters = np.add.reduceat(in_chain, starts, dtype=np.int64) if len(starts) else counts
    grouped = starts[(counts >= _LENGTHS.start) & (characters > counts)]
    return (
        np.unique(np.searchsorted(ends, starts[found], side="right")),
        np.unique(np.searchsorted(ends, grouped, side="right")),
    )


def _are_card_numbers(digits: Bytes) -> BoolArray:
    """bool[k], for k rows of 13 to 19 digits each (uint8): issuer digit and Luhn check."""
    values = digits.copy()
    values[:, -2::-2] *= 2
    values[values > 9] -= 9
    first = digits[:, 0]
    total = values.sum(axis=1, dtype=np.uint8)
    return np.asarray((first >= 2) & (first <= 6) & (total % 10 == 0))


def _with_uuid_hyphens(text: Bytes, ends: npt.NDArray[np.int32]) -> Positions:
    """Strings with four hyphens as far from each other as those of a UUID, and perhaps more."""
    if len(text) < _UUID_LENGTH:
        return np.empty(0, np.intp)
    hyphen = text == ord("-")
    for shift in (5, 10):
        hyphen = hyphen[:-shift] & hyphen[shift:]
    return np.unique(np.searchsorted(ends, np.flatnonzero(hyphen), side="right"))


def _are_uuids(
    text: Bytes, ends: npt.NDArray[np.int32], some: Positions, found: BoolArray
) -> BoolArray:
    """bool[k], which of k strings are a UUID and nothing else; these are marked as not found."""
    starts = np.where(some > 0, ends[some - 1], 0)
    alone = ends[some] - starts == _UUID_LENGTH
    characters = text[starts[alone, np.newaxis] + np.arange(_UUID_LENGTH)]
    rest = np.delete(np.arange(_UUID_LENGTH), _UUID_HYPHENS)
    hyphens = characters[:, _UUID_HYPHENS] == ord("-")
    alone[alone] = hyphens.all(axis=1) & _IS_HEX[characters[:, rest]].all(axis=1)
    found[some[alone]] = False
    return np.asarray(alone)
