"""Which attempts are one payment, and what each attempt knows of those before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, CodeArray, FloatArray, IntArray
from authopt.hashing import UIntArray

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """The payments of n attempts, which stand in any order.

    Attributes
    ----------
    first
        intp[n], the payment's first attempt.
    previous
        intp[n], the payment's attempt before this one; -1 for the first.
    attempt
        int32[n], number of the attempt within its payment, from 1.
    count
        number of payments.
    possible_duplicates
        attempts that follow an approval of what looks like the same payment.
    """

    first: Positions
    previous: Positions
    attempt: CodeArray
    count: int
    possible_duplicates: int


def group(
    key: UIntArray, time: IntArray, approved: BoolArray, within_us: int | None
) -> Payments:
    """Put attempts together into payments.

    Attempts of one key, in order of time (then as they stand), are one payment as long as each
    comes within ``within_us`` of the one before and that one was not approved. Without a window the
    key alone decides.

    Parameters
    ----------
    key
        uint64[n].
    time
        int64[n], microseconds.
    approved
        bool[n]; False where the outcome is not known.
    within_us
        longest gap in microseconds, or None.
    """
    n = len(key)
    order = np.lexsort((time, key))
    same = key[order][1:] == key[order][:-1]
    after_approval = approved[order][:-1]
    if within_us is None:
        repeats = same & after_approval
    else:
        same &= np.diff(time[order]) <= within_us
        repeats = same & after_approval
        same &= ~after_approval
    starts = np.ones(n, np.bool_)
    starts[1:] = ~same
    at = np.flatnonzero(starts)
    lengths = np.diff(np.append(at, n))
    first, previous = np.empty(n, np.intp), np.empty(n, np.intp)
    attempt = np.empty(n, np.int32)
    first[order] = np.repeat(order[at], lengths)
    previous[order] = np.where(starts, -1, np.roll(order, 1))
    attempt[order] = np.arange(n) - np.repeat(at, lengths) + 1
    return Payments(first, previous, attempt, len(at), int(repeats.sum()))


def seconds_since(time: IntArray, earlier: IntArray, known: BoolArray) -> FloatArray:
    """float64[n], whole seconds between microsecond times, NaN where there is no earlier one."""
    return np.where(known, (time - earlier) // 1_000_000, np.nan)
