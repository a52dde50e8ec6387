"""Success by route and by segment, as counts that merge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from scipy.special import ndtri

from authopt.batch import BoolArray, Categorical, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.logs.audit.checks import approvals, stopped
from authopt.logs.audit.report import Rate, Segmentation
from authopt.payments import CONTEXT_BY_NAME, Kind

ROUTE, ATTEMPT = "route", "attempt"
DEFAULT_SEGMENTATIONS = (
    (ROUTE,),
    ("network",),
    ("issuer_country",),
    ("currency",),
    ("initiator",),
    (ATTEMPT,),
    (ROUTE, "network"),
)

CONFIDENCE = 0.95
THIN_WIDTH = 0.1
"""Width of an interval above which a segment is too thin to be read."""

MOST_SEGMENTS = 100_000
_LAST_ATTEMPT = 6

Labels: TypeAlias = "list[str | None]"
Counts: TypeAlias = "dict[tuple[str | None, ...], tuple[int, int, int]]"


@dataclass(slots=True, eq=False)
class RateSums:
    """Attempts, known outcomes and approvals by segment; decisions to stop are left out.

    Parameters
    ----------
    by
        further columns to segment by.
    """

    by: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], Counts] = field(default_factory=dict)
    stops: int = 0

    def add(self, batch: LoggedBatch) -> None:
        """Count these decisions too.

        Raises
        ------
        UserError
            If a column of ``by`` is not in the log, cannot form segments, or has too many values.
        """
        stop = stopped(batch)
        self.stops += int(stop.sum())
        approved = approvals(batch)
        sent, known, good = ~stop, ~stop & ~np.isnan(approved), ~stop & (approved == 1)
        encoded: dict[str, tuple[IntArray, Labels]] = {}
        own = tuple((name,) for name in self.by)
        for columns in dict.fromkeys((*DEFAULT_SEGMENTATIONS, *own)):
            wanted = columns in own
            if not wanted and any(not _there(batch, name) for name in columns):
                continue
            for name in columns:
                if name not in encoded:
                    encoded[name] = _encoded(batch, name)
            parts = [encoded[name] for name in columns]
            _count(self.counts.setdefault(columns, {}), parts, (sent, known, good))
            if len(self.counts[columns]) > MOST_SEGMENTS:
                raise UserError(
                    f"--by {' x '.join(columns)}: more than {MOST_SEGMENTS:,} different values; "
                    "choose a column with fewer"
                )

    def __add__(self, other: RateSums) -> RateSums:
        merged = RateSums(self.by, {}, self.stops + other.stops)
        for columns in dict.fromkeys([*self.counts, *other.counts]):
            counts = dict(self.counts.get(columns, {}))
            for key, numbers in other.counts.get(columns, {}).items():
                counts[key] = _plus(counts.get(key, (0, 0, 0)), numbers)
            merged.counts[columns] = counts
        return merged

    def report(self) -> tuple[Segmentation, ...]:
        """The segments, largest first; attempts in their order."""
        order = dict.fromkeys((*DEFAULT_SEGMENTATIONS, *((name,) for name in self.by)))
        return tuple(
            Segmentation(columns, _rates(self.counts[columns], by_size=columns != (ATTEMPT,)))
            for columns in order
            if columns in self.counts
        )


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The score interval of a proportion.

    Wilson, 'Probable Inference, the Law of Succession, and Statistical Inference', 1927; formula 4
    of Brown, Cai and DasGupta, 'Interval Estimation for a Binomial Proportion', 2001.

    Raises
    ------
    ValueError
        If there are no trials.
    """
    if trials < 1:
        raise ValueError("a proportion of nothing has no interval")
    z = float(ndtri(0.5 + confidence / 2))
    rate = successes / trials
    centre = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(rate * (1 - rate) / trials + (z / trials) ** 2 / 4)
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == trials else min(1.0, centre + half)
    return float(lower), float(upper)


def _there(batch: LoggedBatch, name: str) -> bool:
    return name in (ROUTE, ATTEMPT) or name in batch.context


def _encoded(batch: LoggedBatch, name: str) -> tuple[IntArray, Labels]:
    """A column as codes (int64[n]) and the label of each code; the last one is 'missing'."""
    if name == ROUTE:
        return batch.action_route[batch.chosen_action].astype(np.int64), [*batch.routes, None]
    if name == ATTEMPT:
        labels: Labels = [str(number) for number in range(1, _LAST_ATTEMPT)]
        codes = np.clip(batch.attempt, 1, _LAST_ATTEMPT).astype(np.int64) - 1
        return codes, [*labels, f"{_LAST_ATTEMPT} or more", None]
    column = batch.context.get(name)
    if column is None:
        raise UserError(
            f"--by {name}: the log has no such column. Columns that it has: {ROUTE}, {ATTEMPT}, "
            f"{', '.join(batch.context)}"
        )
    if isinstance(column, Categorical):
        codes = column.codes.astype(np.int64)
        return np.where(codes < 0, len(column.categories), codes), [*column.categories, None]
    if not isinstance(column, np.ndarray) or column.dtype != np.float64:
        raise UserError(f"--by {name}: references and times form no segments; choose a category")
    missing = np.isnan(column)
    values, places = np.unique(np.where(missing, 0.0, column), return_inverse=True)
    known = CONTEXT_BY_NAME.get(name)
    flag = known is not None and known.kind is Kind.FLAG
    labels = [("yes" if value else "no") if flag else f"{value:g}" for value in values.tolist()]
    return np.where(missing, len(values), places).astype(np.int64), [*labels, None]


def _count(
    counts: Counts, parts: Sequence[tuple[IntArray, Labels]], rows: Iterable[BoolArray]
) -> None:
    code = np.zeros(len(parts[0][0]), np.int64)
    sizes = [len(labels) for _, labels in parts]
    for (codes, _), size in zip(parts, sizes, strict=True):
        code = code * size + codes
    sums = [np.bincount(code[some], minlength=int(np.prod(sizes))) for some in rows]
    for at in np.flatnonzero(sums[0]).tolist():
        places = np.unravel_index(at, sizes)
        key = tuple(labels[place] for (_, labels), place in zip(parts, places, strict=True))
        numbers = (int(sums[0][at]), int(sums[1][at]), int(sums[2][at]))
        counts[key] = _plus(counts.get(key, (0, 0, 0)), numbers)


def _plus(left: tuple[int, int, int], right: tuple[int, int, int]) -> tuple[int, int, int]:
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def _rates(counts: Counts, by_size: bool) -> tuple[Rate, ...]:
    def place(item: tuple[tuple[str | None, ...], tuple[int, int, int]]) -> tuple[object, ...]:
        values, (attempts, _, _) = item
        return (-attempts if by_size else 0, *(value or "" for value in values))

    ordered = sorted(counts.items(), key=place)
    return tuple(_rate(values, *numbers) for values, numbers in ordered)


def _rate(values: tuple[str | None, ...], attempts: int, known: int, approved: int) -> Rate:
    if not known:
        return Rate(values, attempts, known, approved, None, None, None, True)
    lower, upper = wilson(approved, known)
    thin = upper - lower > THIN_WIDTH
    return Rate(values, attempts, known, approved, approved / known, lower, upper, thin)
