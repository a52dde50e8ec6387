"""Draws by key: the same id and purpose give the same number, whatever else is drawn."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from authopt.batch import FloatArray, IntArray
from authopt.hashing import UIntArray, hash_text, unit_interval

_STEP = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(33)
_FACTORS = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_NORMAL_BITS = 14
_NORMAL = ndtri((np.arange(1 << _NORMAL_BITS) + 0.5) / (1 << _NORMAL_BITS))
_LOWER = np.uint64(0xFFFFFFFF)


@lru_cache(maxsize=4096)
def _purpose(text: str) -> np.uint64:
    """A number for a purpose, mixed so that no two differ in few bits."""
    return np.uint64(hash_text(f"purpose:{text}"))


def mixed(keys: UIntArray, purpose: str) -> UIntArray:
    """uint64[n], what is drawn for keys and a purpose: the finalizer of MurmurHash3 (Appleby)."""
    values = np.bitwise_xor(keys, _purpose(purpose))
    shifted = values >> _SHIFT
    for factor in _FACTORS:
        values ^= shifted
        values *= factor
        np.right_shift(values, _SHIFT, out=shifted)
    values ^= shifted
    return values


def with_number(
    keys: UIntArray | np.uint64, number: npt.NDArray[np.integer[Any]] | int
) -> UIntArray:
    """Keys of (id, number): uint64[n], for :func:`mixed`."""
    return np.asarray(keys ^ (np.asarray(number).astype(np.uint64) * _STEP))


def drawn(seed: int, purpose: str, *shape: int) -> FloatArray:
    """float64 of a shape, uniform in [0, 1), fixed by seed and purpose."""
    places = np.arange(math.prod(shape), dtype=np.uint64)
    return unit_interval(mixed(places, f"{purpose}:{seed}")).reshape(shape)


def drawn_normal(seed: int, purpose: str, *shape: int) -> FloatArray:
    """float64 of a shape, standard normal, fixed by seed and purpose."""
    return np.asarray(ndtri(np.clip(drawn(seed, purpose, *shape), 1e-9, 1 - 1e-9)))


def upper(hashes: UIntArray) -> FloatArray:
    """float64[n] in [0, 1) from the upper 32 bits; independent of :func:`lower`."""
    return (hashes >> np.uint64(32)).astype(np.float64) * 2.0**-32


def lower(hashes: UIntArray) -> FloatArray:
    """float64[n] in [0, 1) from the lower 32 bits."""
    return (hashes & _LOWER).astype(np.float64) * 2.0**-32


def upper_normal(hashes: UIntArray) -> FloatArray:
    """float64[n], standard normal in 2**14 steps from the uppermost bits."""
    return _NORMAL[(hashes >> np.uint64(64 - _NORMAL_BITS)).view(np.int64)]


def lower_normal(hashes: UIntArray) -> FloatArray:
    """float64[n], standard normal in 2**14 steps from the lowest bits."""
    return _NORMAL[lowest_bits(hashes)]


def lowest_bits(hashes: UIntArray) -> IntArray:
    """int64[n], places in :func:`normal_steps` by the lowest bits."""
    return (hashes & np.uint64((1 << _NORMAL_BITS) - 1)).view(np.int64)


def normal_steps() -> FloatArray:
    """float64[2**14], the standard normal in equally likely steps."""
    return _NORMAL


def picker(weights: FloatArray, steps: int = 4096) -> npt.NDArray[np.int32]:
    """int32[..., steps]: places along the last axis of ``weights``, for a uniform in equal steps.

    ``picker(w)[..., int(u * steps)]`` takes place i with a chance of w[i] / sum(w), to 1 / steps.
    """
    edges = np.cumsum(weights, axis=-1) / weights.sum(axis=-1, keepdims=True)
    at = (np.arange(steps) + 0.5) / steps
    places = (at >= edges[..., :, None]).sum(axis=-2)
    return np.asarray(np.minimum(places, weights.shape[-1] - 1), np.int32)
