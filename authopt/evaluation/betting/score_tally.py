"""Counts of real values on a fixed grid, from which a sum of logarithms can be bounded below.

A value between two neighbouring nodes of the grid is counted partly at each, in the shares that
keep its mean: y = (1 - t) a + t b counts 1 - t at a and t at b. For a concave f this makes the sum
of f over the grid at most the sum over the values (Jensen), so that a wealth computed from the
grid is never larger than the true one; the mean is kept exactly, and the variance grows by at most
(b - a)^2 / 4 per value. Values on a node lose nothing: 0, and all whole numbers up to 32. The
same device is in Mineiro, 'A lower confidence sequence for the changing mean of non-negative right
heavy-tailed observations with bounded mean' (arXiv 2210.11133, 2022), for another supermartingale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray, IntArray

STEPS = 16
"""Steps of equal length in each octave: neighbours differ by 3% to 6%."""

ROUNDING = 1e-9
"""Shares below this are none."""

LOWEST, HIGHEST = -12, 28
"""Smallest and largest octave; below 2**LOWEST the grid goes to 0 in one step."""

ONE_SIDE = (HIGHEST - LOWEST) * STEPS + 1
"""Positive nodes."""


_SHARE_BITS = 52 - 4
_NODE_0 = ((LOWEST + 1023) << 4) - 1


def _nodes() -> FloatArray:
    octave, step = np.divmod(np.arange(ONE_SIDE), STEPS)
    positive = np.ldexp(1.0 + step / STEPS, octave + LOWEST)
    return np.concatenate([-positive[::-1], [0.0], positive])


NODES = _nodes()
"""float64[2 * ONE_SIDE + 1], the values of the grid, rising, symmetric about 0."""


def node_above(values: FloatArray) -> FloatArray:
    """float64[n], the least value of the grid that is not below each value, to rounding."""
    place = np.searchsorted(NODES, values - 3e-9 * np.abs(values))
    return np.asarray(NODES[np.minimum(place, len(NODES) - 1)])


def split(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """The node at or below each value, and the share that counts at the next node.

    Values beyond the largest node are lowered to it; that is conservative where a smaller value
    means less wealth. Values below the smallest node cannot be lowered and raise ValueError.

    Parameters
    ----------
    values
        float64[n], finite.

    Returns
    -------
    int64[n]
        index into ``NODES``.
    float64[n]
        the share at the next node, in [0, 1).
    """
    size = np.abs(values)
    # With 16 steps to an octave, the exponent and the first 4 bits of the mantissa are the node,
    # and the other bits are the share.
    bits = size.view(np.int64)
    node = bits >> _SHARE_BITS
    node -= _NODE_0
    share = (bits & ((1 << _SHARE_BITS) - 1)) * 0.5**_SHARE_BITS
    # What rounding leaves of a weight above its bound must not count at the node beyond it.
    share[share < ROUNDING] = 0.0
    if len(node) and int(node.min()) < 1:
        small = np.flatnonzero(node < 1)
        node[small], share[small] = 0, size[small] / NODES[ONE_SIDE + 1]
    if len(node) and int(node.max()) >= ONE_SIDE:
        large = np.flatnonzero(size >= NODES[-1])
        node[large], share[large] = ONE_SIDE, 0.0
    below = np.flatnonzero(values < 0.0)
    if len(below):
        if float(values.min()) < NODES[0]:
            raise ValueError(f"a value of {float(values.min()):g} is below the grid")
        between = share[below] > 0.0
        node[below] = -node[below] - between
        share[below] = np.where(between, 1.0 - share[below], 0.0)
    node += ONE_SIDE
    return np.asarray(node, np.int64), np.asarray(share, np.float64)


class Tally:
    """Counts on the grid, one row of counts per key (any whole number from 0 on)."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[int, FloatArray] = {}

    def add(self, key: IntArray, values: FloatArray, weight: FloatArray | None = None) -> None:
        """Count values.

        Parameters
        ----------
        key
            int64[n], at least 0; small whole numbers.
        values
            float64[n], see :func:`split`.
        weight
            float64[n], how much each counts; by default 1.
        """
        if not len(values):
            return
        if values.min() == values.max():
            # As all weights of the logging policy are.
            weight = np.asarray(np.bincount(key, weight), np.float64)
            key = np.flatnonzero(weight)
            values, weight = values[: len(key)], weight[key]
        node, share = split(values)
        present = np.flatnonzero(np.bincount(key))
        row = np.zeros(int(present[-1]) + 1, np.int64)
        row[present] = np.arange(len(present))
        # Only the stretch of the grid on which there are values is gone through.
        start = int(node.min())
        width = int(node.max()) + 2 - start
        flat = row[key] * width + (node - start)
        here = 1.0 - share
        if weight is not None:
            here, share = here * weight, share * weight
        size = len(present) * width
        counts = np.asarray(np.bincount(flat, here, size), np.float64)
        counts += np.bincount(flat + 1, share, size)
        for each, more in zip(present.tolist(), counts.reshape(-1, width), strict=True):
            self._count(each, start, more)

    def _count(self, key: int, start: int, more: FloatArray) -> None:
        known = self.counts.get(key)
        if known is None:
            known = self.counts[key] = np.zeros(len(NODES))
        # Nothing counts at the node after the last one, to which a value there has no share.
        more = more[: len(NODES) - start]
        known[start : start + len(more)] += more

    def __add__(self, other: Self) -> Self:
        total = type(self)()
        for each in (self, other):
            for key, counts in each.counts.items():
                total._count(key, 0, counts)
        return total

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The counts that are not 0: their keys, nodes and values."""
        keys = sorted(self.counts)
        table = np.array([self.counts[key] for key in keys]).reshape(len(keys), len(NODES))
        row, node = np.nonzero(table)
        return {
            "key": np.array(keys, np.int64)[row],
            "node": node.astype(np.int64),
            "count": table[row, node],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The tally that gave this state."""
        total = cls()
        for key in np.unique(state["key"]).tolist():
            rows = state["key"] == key
            total.counts[key] = np.zeros(len(NODES))
            total.counts[key][state["node"][rows]] = state["count"][rows]
        return total
