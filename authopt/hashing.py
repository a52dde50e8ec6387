"""Stable 64-bit hashes of ids: the same on every machine, in one value or in a million at once.

Sampling, buckets and folds all start from here, so that a decision can be replayed exactly and a
payment always falls into the same bucket and fold, whichever process sees it.

The hash reads the UTF-8 bytes as little-endian 64-bit words and chains the finalizer of
MurmurHash3 (Appleby, ``fmix64``) over them. It is not meant to resist an adversary.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

UIntArray = npt.NDArray[np.uint64]
FloatArray = npt.NDArray[np.float64]

_MASK = (1 << 64) - 1
_MULTIPLY_1 = 0xFF51AFD7ED558CCD
_MULTIPLY_2 = 0xC4CEB9FE1A85EC53
_SEED = 0x9E3779B97F4A7C15


def _mix(value: int) -> int:
    value ^= value >> 33
    value = value * _MULTIPLY_1 & _MASK
    value ^= value >> 33
    value = value * _MULTIPLY_2 & _MASK
    return value ^ value >> 33


def _mix_array(values: UIntArray) -> UIntArray:
    shifted = values >> np.uint64(33)
    values = values ^ shifted
    for factor in (_MULTIPLY_1, _MULTIPLY_2):
        values *= np.uint64(factor)
        np.right_shift(values, np.uint64(33), out=shifted)
        values ^= shifted
    return values


def hash_text(text: str) -> int:
    """64-bit hash of one string; equals :func:`hash_strings` of an array that holds it."""
    data = text.encode()
    value = _mix(len(data) ^ _SEED)
    for start in range(0, len(data), 8):
        value = _mix(value ^ int.from_bytes(data[start : start + 8], "little"))
    return value


def hash_strings(strings: pa.StringArray) -> UIntArray:
    """64-bit hash of every string.

    Parameters
    ----------
    strings
        Arrow array of type string, length n, without nulls.

    Returns
    -------
    uint64[n]

    Raises
    ------
    ValueError
        If the array holds nulls.
    """
    if strings.null_count:
        raise ValueError("cannot hash missing ids")
    if len(strings) == 1:
        # A live decision: setting the arrays up would cost more than the hash.
        return np.array([hash_text(strings[0].as_py())], np.uint64)
    _, offsets_buffer, data_buffer = strings.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[strings.offset :][: len(strings) + 1]
    offsets = offsets.astype(np.int64)
    starts, lengths = offsets[:-1], np.diff(offsets)
    values = _mix_array(lengths.astype(np.uint64) ^ np.uint64(_SEED))
    if not len(strings) or data_buffer is None or not lengths.any():
        return values
    data = np.empty(offsets[-1] - offsets[0] + 8, np.uint8)
    data[:-8] = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    data[-8:] = 0
    starts = starts - offsets[0]
    longest = int(lengths.max())
    if longest == lengths.min():
        for start in range(0, longest, 8):
            words = np.ndarray((len(values),), "<u8", data, start, (longest,))
            mask = np.uint64(_MASK >> max(0, 64 - 8 * (longest - start)))
            values = _mix_array(values ^ (words & mask))
        return values
    # One unaligned 64-bit word per byte position: word i is bytes i to i + 7.
    words = np.ndarray((len(data) - 7,), np.dtype("<u8"), buffer=data, strides=(1,))
    for word in range((longest + 7) // 8):
        left = lengths - 8 * word
        some = np.flatnonzero(left > 0) if (left <= 0).any() else slice(None)
        keep = np.minimum(left[some], 8).astype(np.uint64) * np.uint64(8)
        mask = np.uint64(_MASK) >> (np.uint64(64) - keep)
        values[some] = _mix_array(values[some] ^ (words[starts[some] + 8 * word] & mask))
    return values


def salted(hashes: UIntArray, salt: str) -> UIntArray:
    """A second hash of the same ids, independent of the first in all but name."""
    return _mix_array(hashes ^ np.uint64(_hash_of_salt(salt)))


@lru_cache(maxsize=1024)
def _hash_of_salt(salt: str) -> int:
    return _mix(hash_text(salt))


def unit_interval(hashes: UIntArray) -> FloatArray:
    """Hashes as float64 in [0, 1), from their upper 53 bits."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def unit_of(text: str, salt: str) -> float:
    """In [0, 1): what :func:`unit_interval` gives for one string's salted hash."""
    return (_mix(hash_text(text) ^ _hash_of_salt(salt)) >> 11) * 2.0**-53
