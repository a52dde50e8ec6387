"""Ids of payments, decisions and cards as Arrow strings, made and read without a Python loop.

A payment is ``p{seed}-{number, 8 digits}`` (``f...`` in a fraud attack), a decision adds
``-{attempt}``, a card is ``c{number, 8 digits}``. What a world draws hangs on these ids, so a log
that is read back from a file meets the same world.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import BoolArray, CodeArray, IntArray

DIGITS = 8
_MOST = 10**DIGITS
_ByteRows = npt.NDArray[np.uint8]


def _pairs() -> npt.NDArray[np.uint32]:
    """The four ASCII digits of 0 to 9,999, as one word each."""
    text = "".join(f"{number:04d}" for number in range(10_000)).encode()
    return np.frombuffer(text, np.uint32).copy()


_FOUR_DIGITS = _pairs()


def _strings(rows: _ByteRows) -> pa.StringArray:
    """Arrow strings from equally long rows of bytes."""
    n, width = rows.shape
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(rows))


def _rows(strings: pa.StringArray) -> _ByteRows | None:
    """uint8[n, width] where all strings are equally long; None otherwise."""
    n = len(strings)
    _, offsets_buffer, data_buffer = strings.buffers()
    if not n or data_buffer is None:
        return None
    offsets = np.frombuffer(offsets_buffer, np.int32)[strings.offset :][: n + 1]
    start, end = int(offsets[0]), int(offsets[-1])
    width = (end - start) // n
    if not width or (np.diff(offsets) != width).any():
        return None
    return np.frombuffer(data_buffer, np.uint8)[start:end].reshape(n, width)


def numbered(prefix: str, numbers: IntArray) -> pa.StringArray:
    """``prefix`` and each number, with zeros to 8 digits (more where it needs more)."""
    if len(numbers) and int(numbers.max()) >= _MOST:
        text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), DIGITS, "0")
        return pc.binary_join_element_wise(prefix, text, "")
    head = np.frombuffer(prefix.encode(), np.uint8)
    rows = np.empty((len(numbers), len(head) + DIGITS), np.uint8)
    rows[:, : len(head)] = head
    digits = np.empty((len(numbers), 2), np.uint32)
    np.take(_FOUR_DIGITS, numbers // 10_000, out=digits[:, 0], mode="clip")
    np.take(_FOUR_DIGITS, numbers % 10_000, out=digits[:, 1], mode="clip")
    rows[:, len(head) :] = digits.view(np.uint8)
    return _strings(rows)


def payment_ids(numbers: IntArray, seed: int, attack: bool = False) -> pa.StringArray:
    """Ids of payments of a traffic's seed."""
    return numbered(f"{'f' if attack else 'p'}{seed}-", numbers)


def decision_ids(payment_id: pa.StringArray, attempt: CodeArray) -> pa.StringArray:
    """Ids of the decisions on these attempts (int32[n], from 1) of these payments."""
    rows = _rows(payment_id)
    if rows is None or int(attempt.max()) > 9:
        return pc.binary_join_element_wise(payment_id, pa.array(attempt).cast(pa.string()), "-")
    width = rows.shape[1]
    longer = np.empty((len(rows), width + 2), np.uint8)
    longer[:, :width] = rows
    longer[:, width] = ord("-")
    longer[:, width + 1] = attempt + ord("0")
    return _strings(longer)


def card_refs(cards: IntArray) -> pa.StringArray:
    """References of cards by number."""
    return numbered("c", cards)


def card_numbers(card_ref: pa.StringArray) -> IntArray:
    """int64[n], the numbers of cards by reference; -1 where it is no reference of a world."""
    rows = _rows(card_ref)
    if rows is None or rows.shape[1] != DIGITS + 1:
        known = pc.match_substring_regex(card_ref, f"^c[0-9]{{{DIGITS}}}$").fill_null(False)
        digits = pc.if_else(known, pc.utf8_slice_codeunits(card_ref, 1), "-1")
        return np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    words = np.ndarray((len(rows),), "<u8", rows, 1, (DIGITS + 1,))
    value = words - np.uint64(0x3030303030303030)
    # A digit is below 10 where adding 6 leaves the upper half of its byte empty.
    odd = (value | (value + np.uint64(0x0606060606060606))) & np.uint64(0xF0F0F0F0F0F0F0F0)
    known = (odd == 0) & (rows[:, 0] == ord("c"))
    # Eight ASCII digits in one word, added up in pairs (Lemire, "Quickly parsing eight digits").
    value = (value * np.uint64(10) + (value >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    value = (value * np.uint64(100) + (value >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    value = (value * np.uint64(10_000) + (value >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return np.where(known, value.view(np.int64), -1)


def of_attack(payment_id: pa.StringArray) -> BoolArray:
    """bool[n], whether payments belong to a fraud attack."""
    rows = _rows(payment_id)
    if rows is None:
        starts = pc.starts_with(payment_id, "f")
        return np.asarray(starts.to_numpy(zero_copy_only=False), np.bool_)
    return np.asarray(rows[:, 0] == ord("f"))
