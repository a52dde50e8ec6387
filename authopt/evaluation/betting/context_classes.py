"""Contexts told apart by the largest weight that they allow, before an action is drawn."""

from __future__ import annotations

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.betting.score_tally import NODES, Tally
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import Terms

PER_OCTAVE = 8

CLASSES = 25 * PER_OCTAVE
"""Classes are in steps of 9%; the last one, of this number, is of contexts that allow larger
weights or unknown ones, or where some of the policy's probability has no support."""

Points = tuple[FloatArray, FloatArray]
"""Values (float64[n]) and how often each occurs (float64[n])."""


def context_class(largest_weight: FloatArray, unsupported: FloatArray | None = None) -> IntArray:
    """The class (int64[n]) of each context.

    Parameters
    ----------
    largest_weight
        float64[n], of any action that could have been taken; may be infinite.
    unsupported
        float64[n], evaluation probability of actions without support; None for none.
    """
    place = np.full(len(largest_weight), float(CLASSES))
    power = np.log2(np.maximum(largest_weight, 1.0)) * PER_OCTAVE
    np.minimum(np.ceil(power - 1e-9), place, out=place)
    if unsupported is not None:
        place[unsupported > 0.0] = CLASSES
    return place.astype(np.int64)


def largest_weights(log: LoggedArrays, terms: Terms) -> FloatArray:
    """float64[n], largest weight that any action of each decision could have had."""
    if terms.w is None:
        return np.ones(log.n)
    return log.largest_weight


def largest_of(place: int) -> float:
    """The largest weight in contexts of a class; infinite in the last one."""
    return float(2.0 ** (place / PER_OCTAVE)) if place < CLASSES else np.inf


class Reading:
    """Puts the classes of a tally together that bets do not tell apart.

    Parameters
    ----------
    largest_weight
        weight that bets reckon with; None where they are spread over the powers of 2.
    """

    def __init__(self, largest_weight: float | None) -> None:
        self.largest_weight = largest_weight
        if largest_weight is not None:
            # Contexts that allow exactly this weight are to be within it.
            self.largest_weight = largest_of(int(context_class(np.array([largest_weight]))[0]))

    def points(self, tally: Tally, kinds: int = 1) -> dict[float, dict[int, Points]]:
        """Values by largest weight, then by kind, of a tally with keys class * kinds + kind."""
        totals: dict[float, dict[int, FloatArray]] = {}
        for key in sorted(tally.counts):
            counts = tally.counts[key]
            place, kind = divmod(key, kinds)
            inside = totals.setdefault(self._largest(place), {})
            inside[kind] = inside[kind] + counts if kind in inside else counts
        return {
            largest: {kind: _points(counts) for kind, counts in inside.items()}
            for largest, inside in totals.items()
        }

    def _largest(self, place: int) -> float:
        if self.largest_weight is None:
            return largest_of(min(CLASSES, -(-place // PER_OCTAVE) * PER_OCTAVE))
        return self.largest_weight if largest_of(place) <= self.largest_weight else np.inf


def _points(counts: FloatArray) -> Points:
    node = np.flatnonzero(counts)
    return NODES[node], counts[node]
