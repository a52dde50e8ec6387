"""Two policies on the same rows: the sums that their difference is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.betting.pair_bets import PairBets
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns, product
from authopt.evaluation.terms import Terms
from authopt.evaluation.wanted import Wanted

FIRST, SECOND = "a:", "b:"
"""Prefixes of the columns of the two policies in the joint table of a pair."""

PRODUCTS = (
    ("d", "d"),
    ("d", "a:coverage"),
    ("d", "b:coverage"),
    ("d", "a:unsupported"),
    ("d", "b:unsupported"),
    ("a:coverage", "b:unsupported"),
    ("b:coverage", "a:unsupported"),
    ("a:unsupported", "b:unsupported"),
)
"""Second moments that neither policy's own table has; ``d`` is the first policy's weighted reward
less the second's, with rewards counted from their lower bound on."""


@dataclass(slots=True, eq=False)
class PairSums:
    """Sums of the products of two policies' columns.

    Attributes
    ----------
    low
        lower bound of the reward.
    totals
        float64[``PRODUCTS``], over all decisions.
    d
        float64[buckets], sums of d by bucket.
    bets
        for the anytime-valid interval, or None.
    """

    low: float
    totals: FloatArray
    d: FloatArray
    bets: PairBets | None

    @classmethod
    def empty(cls, wanted: Wanted) -> Self:
        """Nothing added up yet."""
        low, high = wanted.reward_low, wanted.reward_high
        d = BucketTable.empty(("d",)).sums[0]
        bets = PairBets(low, high) if wanted.anytime else None
        return cls(low, np.zeros(len(PRODUCTS)), d, bets)

    def add(self, block: Block, first: Terms, second: Terms) -> None:
        """Add the decisions of a block, with their terms under both policies."""
        if self.bets is not None:
            self.bets.add(block, first, second)
        a, b = Columns.of(first), Columns.of(second)
        difference = (a.w - b.w) * (first.r - self.low)
        values: dict[str, FloatArray | None] = {"d": difference}
        for name in ("coverage", "unsupported"):
            values |= {FIRST + name: a[name], SECOND + name: b[name]}
        for place, (one, other) in enumerate(PRODUCTS):
            x, y = values[one], values[other]
            if x is not None and y is not None:
                # Not by BLAS, whose threads cost more than they gain at this length.
                self.totals[place] += float(np.einsum("n,n->", x, y))
        self.d += np.bincount(block.bucket, difference, len(self.d))

    def __add__(self, other: PairSums) -> PairSums:
        bets = None if self.bets is None or other.bets is None else self.bets + other.bets
        return PairSums(self.low, self.totals + other.totals, self.d + other.d, bets)

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        sums = {"low": np.array(self.low), "totals": self.totals, "d": self.d}
        return sums if self.bets is None else {**sums, **nested({"bets": self.bets.state()})}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        bets = inner(state, "bets")
        return cls(
            float(state["low"]),
            np.array(state["totals"]),
            np.array(state["d"]),
            PairBets.from_state(bets) if bets else None,
        )

    def joint(self, first: BucketTable, second: BucketTable) -> BucketTable:
        """One table: ``one``, ``d``, the columns of both policies, the products between them."""
        rows: dict[str, FloatArray] = {"one": first["one"], "d": self.d}
        for prefix, table in ((FIRST, first), (SECOND, second)):
            rows |= {prefix + _in(name, prefix): table[name] for name in table.columns}
        for (one, other), total in zip(PRODUCTS, self.totals.tolist(), strict=True):
            rows[product(one, other)] = _first_bucket(total, len(self.d))
        return BucketTable(tuple(rows), np.stack(list(rows.values())))


def _in(name: str, prefix: str) -> str:
    return name.replace("*", "*" + prefix)


def _first_bucket(total: float, buckets: int) -> FloatArray:
    # Of products only the total is asked for.
    return np.concatenate([[total], np.zeros(buckets - 1)])
