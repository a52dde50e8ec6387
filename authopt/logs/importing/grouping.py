"""Which attempts make one payment: a chain of like attempts with short gaps.

Rows come in the order of time. What a payment has had so far is carried from chunk to chunk, and
forgotten once no further attempt can belong to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from authopt.batch import BoolArray, FloatArray, IntArray

Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """n attempts in the order of time.

    Attributes
    ----------
    key
        object[n], what the attempts of a payment share.
    name
        object[n], the payment's id if the attempt is its first.
    second
        float64[n], when, in seconds since 1970.
    approved
        bool[n].
    carried
        object[n] by name: values that the next attempt of the payment is told.
    """

    key: Objects
    name: Objects
    second: FloatArray
    approved: BoolArray
    carried: dict[str, Objects]


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Of n attempts: payment, number, and what came before.

    Attributes
    ----------
    payment
        object[n], id.
    attempt
        int32[n], from 1.
    since_first, since_last
        float64[n], seconds; NaN at a first attempt.
    previous
        object[n] by name, the previous attempt's values; None at a first attempt.
    after_approval
        bool[n], opens a payment although like attempts within the gap went before: the one before
        had been approved.
    """

    payment: Objects
    attempt: npt.NDArray[np.int32]
    since_first: FloatArray
    since_last: FloatArray
    previous: dict[str, Objects]
    after_approval: BoolArray


@dataclass(slots=True)
class Grouper:
    """Groups chunks of attempts that follow each other in time.

    Parameters
    ----------
    within_s
        longest gap between two attempts of a payment; infinite where the key is the payment.
    end_at_approval
        whether an approval ends the payment.
    """

    within_s: float
    end_at_approval: bool
    _open: Attempts | None = None
    _count: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _first: FloatArray = field(default_factory=lambda: np.zeros(0))

    def group(self, new: Attempts) -> Grouped:
        """The payments of the next attempts."""
        held = 0 if self._open is None else len(self._open.key)
        whole = new if self._open is None else _joined(self._open, new)
        count = np.concatenate([self._count, np.zeros(len(new.key), np.int64)])
        first = np.concatenate([self._first, new.second])
        code, _ = pd.factorize(whole.key)
        n = len(code)
        order = np.lexsort((np.arange(n), code))
        code_o, second_o, approved_o = code[order], whole.second[order], whole.approved[order]
        same = np.zeros(n, np.bool_)
        same[1:] = (code_o[1:] == code_o[:-1]) & (np.diff(second_o) <= self.within_s)
        ended = np.zeros(n, np.bool_)
        ended[1:] = approved_o[:-1] & self.end_at_approval
        starts = ~same | ended
        start_of = np.flatnonzero(starts)[np.cumsum(starts) - 1]
        attempt_o = np.arange(n) - start_of + np.maximum(count[order][start_of], 1)
        first_o, name_o = first[order][start_of], whole.name[order][start_of]
        back = np.empty(n, np.int64)
        back[order] = np.arange(n)
        before = np.where(starts, -1, np.concatenate([[-1], order[:-1]]))[back][held:]
        fresh = before < 0
        self._remember(whole, order, attempt_o, first_o, name_o)
        since_last = new.second - whole.second[before]
        return Grouped(
            payment=name_o[back][held:],
            attempt=attempt_o[back][held:].astype(np.int32),
            since_first=np.where(fresh, np.nan, new.second - first_o[back][held:]),
            since_last=np.where(fresh, np.nan, since_last),
            previous={
                name: _none_where(fresh, values[before]) for name, values in whole.carried.items()
            },
            after_approval=(same & ended)[back][held:],
        )

    def _remember(
        self, whole: Attempts, order: IntArray, attempt: IntArray, first: FloatArray, name: Objects
    ) -> None:
        """Keep the last attempt of every payment that may go on."""
        code = whole.key[order]
        last = np.ones(len(order), np.bool_)
        last[:-1] = code[1:] != code[:-1]
        latest = whole.second.max(initial=-np.inf)
        keep = last & (whole.second[order] >= latest - self.within_s)
        rows = order[keep]
        self._open = Attempts(
            whole.key[rows],
            name[keep],
            whole.second[rows],
            whole.approved[rows],
            {key: values[rows] for key, values in whole.carried.items()},
        )
        self._count, self._first = attempt[keep], first[keep]


def _joined(left: Attempts, right: Attempts) -> Attempts:
    return Attempts(
        np.concatenate([left.key, right.key]),
        np.concatenate([left.name, right.name]),
        np.concatenate([left.second, right.second]),
        np.concatenate([left.approved, right.approved]),
        {
            name: np.concatenate([values, right.carried[name]])
            for name, values in left.carried.items()
        },
    )


def _none_where(rows: BoolArray, values: Objects) -> Objects:
    values[rows] = None
    return values
