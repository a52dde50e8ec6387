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
    column find the strings with 13 digits or separators in a row; UUIDs and pure digits among them
    are judged as arrays too, and only the rest one by one.

    Parameters
    ----------
    strings
        Arrow strings; nulls hold nothing.
    """
    _, offsets_buffer, data = strings.buffers()
    if not len(strings) or data is None:
        return np.empty(0, np.intp)
    offsets = np.frombuffer(offsets_buffer, np.int32)[strings.offset :][: len(strings) + 1]
    text = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    ends = offsets[1:] - offsets[0]
    candidates = _candidates(text, ends)
    if not len(candidates):
        return candidates
    starts = (offsets[:-1] - offsets[0])[candidates]
    lengths = ends[candidates] - starts
    open_: BoolArray = np.ones(len(candidates), np.bool_)
    found: BoolArray = np.zeros(len(candidates), np.bool_)
    for length in (*_LENGTHS, _UUID_LENGTH):
        same = np.flatnonzero(lengths == length)
        if not len(same):
            continue
        characters = text[starts[same, np.newaxis] + np.arange(length)]
        if length == _UUID_LENGTH:
            open_[same[_are_uuids(characters)]] = False
        else:
            digits = characters - np.uint8(ord("0"))
            pure = (digits < 10).all(axis=1)
            open_[same[pure]] = False
            found[same[pure]] = _are_card_numbers(digits[pure])
    left = np.flatnonzero(open_)
    texts = strings.take(pa.array(candidates[left])).to_pylist()
    found[left] = [text is not None and contains_card_number(text) for text in texts]
    return candidates[found]


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


def _are_uuids(characters: Bytes) -> BoolArray:
    hyphens = characters[:, _UUID_HYPHENS] == ord("-")
    rest = np.delete(np.arange(_UUID_LENGTH), _UUID_HYPHENS)
    return np.asarray(hyphens.all(axis=1) & _IS_HEX[characters[:, rest]].all(axis=1))


def _are_card_numbers(digits: Bytes) -> BoolArray:
    """bool[k], for k rows of 13 to 19 digits each (uint8): issuer digit and Luhn check."""
    values = digits.astype(np.int64)
    values[:, -2::-2] *= 2
    values[values > 9] -= 9
    first = digits[:, 0]
    return np.asarray((first >= 2) & (first <= 6) & (values.sum(axis=1) % 10 == 0))
