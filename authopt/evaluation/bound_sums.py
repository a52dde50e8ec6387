"""What one pass adds up to bound a policy's value under an assumption on delays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.evaluation.block import Block, State, inner, nested
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns
from authopt.evaluation.covering import gain_limits, mean_limits, value_limits
from authopt.evaluation.estimators import table_columns
from authopt.evaluation.intervals import Limits
from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.scores import Range
from authopt.evaluation.support_bounds import Assumption, bounds_under, parse_assumption
from authopt.evaluation.terms import Terms, terms_of

SLACK = ("one", "slack", "slack*slack")


@dataclass(frozen=True, slots=True)
class PartialValue:
    """What is known of a value where the log lacks support and an assumption stands in.

    Attributes
    ----------
    assumption
        in the form in which it is stated.
    lower, upper
        estimates of the bounds: what would be known from a log without end.
    interval, gain
        of the value, and of the value less the mean logged reward; they hold what the log cannot
        know and what chance adds to it.
    moved, stranded
        shares of the policy's probability that were moved to a supported delay, and that found
        none.
    distance_h
        mean hours that the moved mass was moved by.
    """

    assumption: str
    lower: float
    upper: float
    interval: Interval
    gain: Interval
    moved: float
    stranded: float
    distance_h: float


@dataclass(slots=True, eq=False)
class Side:
    """Sums of one of the two policies.

    Attributes
    ----------
    table
        bucket sums of what covering intervals need.
    largest_weight, most_unsupported
        that any decision could have, and has.
    q_low, q_high
        extremes of the reward model's predictions.
    """

    table: BucketTable
    largest_weight: float = 0.0
    most_unsupported: float = 0.0
    q_low: float = np.inf
    q_high: float = -np.inf

    def add(self, block: Block, terms: Terms) -> None:
        """Add decisions; see :class:`authopt.evaluation.block.Part`."""
        columns = Columns.of(terms)
        values = {name: columns[name] for name in self.table.columns}
        self.table += BucketTable.of(block.bucket, values)
        self.largest_weight = max(self.largest_weight, terms.largest_weight)
        if terms.unsupported is not None:
            most = float(terms.unsupported.max(initial=0.0))
            self.most_unsupported = max(self.most_unsupported, most)
        self.q_low = float(np.fmin(self.q_low, terms.q_low))
        self.q_high = float(np.fmax(self.q_high, terms.q_high))

    def __add__(self, other: Side) -> Side:
        return Side(
            self.table + other.table,
            max(self.largest_weight, other.largest_weight),
            max(self.most_unsupported, other.most_unsupported),
            min(self.q_low, other.q_low),
            max(self.q_high, other.q_high),
        )

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        extremes = [self.largest_weight, self.most_unsupported, self.q_low, self.q_high]
        return {
            "columns": np.array(self.table.columns),
            "sums": self.table.sums,
            "extremes": np.array(extremes),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        table = BucketTable(tuple(state["columns"].tolist()), np.array(state["sums"]))
        return cls(table, *state["extremes"].tolist())


@dataclass(slots=True, eq=False)
class BoundSums:
    """Sums of the two policies that bound one policy, and of the slack between.

    Parts of pieces of a log add up as :class:`authopt.evaluation.block.Part` says; what is added
    are the policy's probabilities.
    """

    assumption: Assumption
    low: float
    high: float
    lower: Side
    upper: Side
    slack: BucketTable = field(default_factory=lambda: BucketTable.empty(SLACK))
    most_slack: float = 0.0
    moved: FloatArray = field(default_factory=lambda: np.zeros(3))

    @classmethod
    def empty(cls, assumption: Assumption, low: float, high: float, with_model: bool) -> Self:
        """Nothing added up yet; ``low`` and ``high`` are the bounds of the reward."""
        columns = table_columns(with_model, estimators=())
        lower, upper = (Side(BucketTable.empty(columns)) for _ in range(2))
        return cls(assumption, low, high, lower, upper)

    def add(self, block: Block, probabilities: FloatArray) -> None:
        """Add decisions with the policy's probabilities (float64[m]) for their actions.

        Raises
        ------
        UserError
            If the log has no routes and delays, or does not say which actions have support.
        """
        if block.batch is None:
            raise UserError("an assumption on delays needs a log with routes and delays")
        bounds = bounds_under(
            self.assumption,
            block.arrays,
            block.batch.action_route.astype(np.int64),
            block.batch.action_delay_s,
            probabilities,
            self.high - self.low,
        )
        lower = terms_of(block.arrays, bounds.lower.probabilities)
        same = bounds.upper is bounds.lower
        upper = lower if same else terms_of(block.arrays, bounds.upper.probabilities)
        self.lower.add(block, lower)
        self.upper.add(block, upper)
        slack = bounds.slack
        values = {"one": np.ones(len(slack)), "slack": slack, "slack*slack": slack**2}
        self.slack += BucketTable.of(block.bucket, values)
        self.most_slack = max(self.most_slack, float(slack.max(initial=0.0)))
        worse = max(bounds.lower, bounds.upper, key=lambda each: float(each.stranded.sum()))
        self.moved += [worse.mass.sum(), worse.distance_h.sum(), worse.stranded.sum()]

    def __add__(self, other: BoundSums) -> BoundSums:
        return BoundSums(
            self.assumption,
            self.low,
            self.high,
            self.lower + other.lower,
            self.upper + other.upper,
            self.slack + other.slack,
            max(self.most_slack, other.most_slack),
            self.moved + other.moved,
        )

    def state(self) -> State:
        """See :class:`authopt.evaluation.block.Part`."""
        return {
            "assumption": np.array(str(self.assumption)),
            "bounds": np.array([self.low, self.high, self.most_slack]),
            "slack": self.slack.sums,
            "moved": self.moved,
            **nested({"lower": self.lower.state(), "upper": self.upper.state()}),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """See :class:`authopt.evaluation.block.Part`."""
        low, high, most_slack = state["bounds"].tolist()
        return cls(
            parse_assumption(str(state["assumption"])),
            low,
            high,
            Side.from_state(inner(state, "lower")),
            Side.from_state(inner(state, "upper")),
            BucketTable(SLACK, np.array(state["slack"])),
            most_slack,
            np.array(state["moved"]),
        )

    def value(
        self, clusters: int, confidence: float, max_weight: float | None = None
    ) -> PartialValue:
        """The bounds of the value, and an interval that covers it.

        Parameters
        ----------
        clusters
            number of clusters in the log.
        confidence
            nominal coverage.
        max_weight
            largest possible weight as the user declares it, by default as computed.
        """
        score = "dr_supported" if "dr_supported" in self.lower.table.columns else "wr"
        rows = self.lower.table.total("one")
        mean_slack = self.slack.total("slack") / rows
        # Half of what may go wrong is for the mean of the slack, where there is any.
        each = 1.0 - (1.0 - confidence) / 2.0 if self.most_slack else confidence
        extra = 0.0
        if self.most_slack:
            extra = mean_limits(self.slack, "slack", 0.0, self.most_slack, clusters, each)[1]
        span = self.high - self.low
        ranges = [self._range(sums, clusters, max_weight) for sums in (self.lower, self.upper)]
        found: list[Interval] = []
        for limits_of, low, high in (
            (value_limits, self.low, self.high),
            (gain_limits, -span, span),
        ):
            least, most = (
                limits_of(sums.table, score, known, each)
                for sums, known in zip((self.lower, self.upper), ranges, strict=True)
            )
            limits = (max(low, least[0] - extra), min(high, most[1] + extra))
            found.append(_interval(limits, confidence))
        mass, distance, stranded = self.moved.tolist()
        return PartialValue(
            str(self.assumption),
            self._bound(self.lower, score, self.low, -mean_slack),
            self._bound(self.upper, score, self.high, mean_slack),
            found[0],
            found[1],
            mass / rows,
            stranded / rows,
            distance / mass if mass else 0.0,
        )

    def _bound(self, sums: Side, score: str, unknown: float, slack: float) -> float:
        table = sums.table
        # Of the self-normalised kind without a model: weights and stranded mass sum to 1.
        parts = table.total(score) + unknown * table.total("unsupported")
        whole = table.total("one") if score != "wr" else table.total("coverage")
        value = parts / whole if whole > 0.0 else unknown
        return float(np.clip(value + slack, self.low, self.high))

    def _range(self, sums: Side, clusters: int, max_weight: float | None) -> Range:
        return Range(
            self.low,
            self.high,
            sums.largest_weight if max_weight is None else max_weight,
            sums.most_unsupported,
            sums.q_low,
            sums.q_high,
            clusters,
        )


def _interval(limits: Limits, confidence: float) -> Interval:
    return Interval("cressie-read", *limits, confidence, Guarantee.COVERS)
