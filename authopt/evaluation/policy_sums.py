"""What one pass adds up of one policy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import Self

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.evaluation.betting.row_bets import RowBets
from authopt.evaluation.block import Block, Part, State, inner, nested
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns
from authopt.evaluation.estimator import Estimator, Family
from authopt.evaluation.estimators import ESTIMATORS, LOGGING_ESTIMATORS, table_columns
from authopt.evaluation.log_sums import by_route, counter_of, counter_state, counts_together
from authopt.evaluation.payments.rows import PaymentSums
from authopt.evaluation.score_histogram import ScoreHistogram
from authopt.evaluation.segments import SegmentSums
from authopt.evaluation.terms import Terms, without_model
from authopt.evaluation.time_sums import TimeSums
from authopt.evaluation.wanted import Wanted

LOWEST_POWER, HIGHEST_POWER = -10, 20
"""Weights below 2**-10 and from 2**20 on share the outer bins of the histogram."""

SEGMENTS = "segments by "
"""What the names of parts begin with that hold the sums of segments."""

TIME, PAYMENTS, BETS, LIKELIHOOD = "time", "payments", "bets", "likelihood"
"""Names of the other parts."""

EXTREMES = ("largest_seen", "largest_possible", "most_unsupported", "q_low", "q_high")


@dataclass(slots=True, eq=False)
class PolicySums:
    """All that is kept of one policy.

    Attributes
    ----------
    table
        bucket sums of ``estimators.table_columns``.
    weights
        int64[2 + HIGHEST_POWER - LOWEST_POWER]: rows of weight 0, then by powers of two.
    largest_seen, largest_possible
        over the logged actions, and over all eligible ones (infinite where not known).
    most_unsupported
        largest mass without support of any decision.
    q_low, q_high
        extremes of the reward model's predictions.
    route_mass
        sum of the policy's probability by route.
    parts
        what else is added up, by name.
    model_bets
        whether the reward model takes part in anytime-valid intervals.
    """

    table: BucketTable
    weights: IntArray = field(
        default_factory=lambda: np.zeros(HIGHEST_POWER - LOWEST_POWER + 2, np.int64)
    )
    largest_seen: float = 0.0
    largest_possible: float = 0.0
    most_unsupported: float = 0.0
    q_low: float = np.inf
    q_high: float = -np.inf
    route_mass: Counter[str] = field(default_factory=Counter)
    parts: dict[str, Part] = field(default_factory=dict)
    model_bets: bool = False

    @classmethod
    def empty(cls, wanted: Wanted, *, own: bool = False) -> Self:
        """Nothing added up yet, of a policy that is judged or of the one that made the log."""
        if own:
            columns = table_columns(wanted.model, estimators=LOGGING_ESTIMATORS)
        else:
            columns = table_columns(wanted.model, wanted.embeddings, estimators_of(wanted))
        return cls(
            BucketTable.empty(columns), parts=_parts(wanted, own=own), model_bets=wanted.model_bets
        )

    def add(self, block: Block, terms: Terms, probabilities: FloatArray | None = None) -> None:
        """Add the decisions of a block.

        Parameters
        ----------
        block
            n decisions with m actions.
        terms
            the policy's terms for them.
        probabilities
            float64[m], the policy's; without them its mass by route is not known.
        """
        columns = Columns.of(terms)
        names = self.table.columns
        self.table += BucketTable.of(block.bucket, {name: columns[name] for name in names})
        self.weights += _histogram(columns.w)
        self.largest_seen = max(self.largest_seen, float(columns.w.max(initial=0.0)))
        self.largest_possible = max(self.largest_possible, terms.largest_weight)
        if terms.unsupported is not None:
            most = float(terms.unsupported.max(initial=0.0))
            self.most_unsupported = max(self.most_unsupported, most)
        self.q_low = float(np.fmin(self.q_low, terms.q_low))
        self.q_high = float(np.fmax(self.q_high, terms.q_high))
        if block.batch is not None and probabilities is not None:
            self.route_mass.update(route_mass(block.batch, probabilities))
        for name, part in self.parts.items():
            bet_without = name == BETS and not self.model_bets
            part.add(block, without_model(terms) if bet_without else terms)

    def __add__(self, other: PolicySums) -> PolicySums:
        return PolicySums(
            self.table + other.table,
            self.weights + other.weights,
            max(self.largest_seen, other.largest_seen),
            max(self.largest_possible, other.largest_possible),
            max(self.most_unsupported, other.most_unsupported),
            min(self.q_low, other.q_low),
            max(self.q_high, other.q_high),
            counts_together(self.route_mass, other.route_mass),
            {name: part + other.parts[name] for name, part in self.parts.items()},
            self.model_bets,
        )

    def __iadd__(self, other: PolicySums) -> Self:
        merged = replace(self, parts={}) + replace(other, parts={})
        for item in fields(self):
            if item.name != "parts":
                setattr(self, item.name, getattr(merged, item.name))
        for name, more in other.parts.items():
            self.parts[name] += more
        return self

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        return {
            "columns": np.array(self.table.columns),
            "sums": self.table.sums,
            "weights": self.weights,
            "extremes": np.array([getattr(self, name) for name in EXTREMES]),
            **nested({"route_mass": counter_state(self.route_mass)}),
            **nested({name: part.state() for name, part in self.parts.items()}),
        }

    @classmethod
    def from_state(cls, state: State, wanted: Wanted, *, own: bool = False) -> Self:
        """The sums that gave this state, where they were of what is wanted."""
        table = BucketTable(tuple(state["columns"].tolist()), np.array(state["sums"]))
        extremes = dict(zip(EXTREMES, state["extremes"].tolist(), strict=True))
        return cls(
            table,
            np.array(state["weights"]),
            **extremes,
            route_mass=counter_of(inner(state, "route_mass")),
            parts={
                name: type(part).from_state(inner(state, name))
                for name, part in _parts(wanted, own=own).items()
            },
            model_bets=wanted.model_bets,
        )


def estimators_of(wanted: Wanted) -> tuple[Estimator | Family, ...]:
    """The estimators of a policy that did not make the log."""
    if wanted.families:
        return ESTIMATORS
    return tuple(each for each in ESTIMATORS if not isinstance(each, Family))


def _parts(wanted: Wanted, *, own: bool) -> dict[str, Part]:
    low, high = wanted.reward_low, wanted.reward_high
    parts: dict[str, Part] = {
        SEGMENTS + column: SegmentSums.empty(column, wanted.model) for column in wanted.segments
    }
    if wanted.over_time:
        parts[TIME] = TimeSums.empty(wanted.model)
    if wanted.payments:
        parts[PAYMENTS] = PaymentSums()
    if wanted.anytime:
        parts[BETS] = RowBets(low, high)
    if wanted.likelihood and not own:
        parts[LIKELIHOOD] = ScoreHistogram(low, high)
    return parts


def _histogram(weights: FloatArray) -> IntArray:
    # The exponent as the number itself holds it; that of 0 is the lowest.
    power = (np.ascontiguousarray(weights).view(np.int64) >> 52) - 1023
    place = np.clip(power, LOWEST_POWER, HIGHEST_POWER) - (LOWEST_POWER - 1)
    place[weights == 0.0] = 0
    return np.bincount(place, minlength=HIGHEST_POWER - LOWEST_POWER + 2)


def route_mass(batch: LoggedBatch, probabilities: FloatArray) -> Counter[str]:
    """Sum of a policy's probabilities (float64[m]) by route."""
    sums = np.bincount(batch.action_route, probabilities, len(batch.routes))
    return by_route(batch, sums)
