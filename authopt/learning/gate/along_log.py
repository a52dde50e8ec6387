"""What the gate adds up along the log, beside the evaluation: it rides on the same pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import Block
from authopt.evaluation.blocks import block_of
from authopt.evaluation.segment_values import MOST_SEGMENTS, segments_of
from authopt.evaluation.segments import SegmentSums
from authopt.evaluation.terms import Terms, terms_of
from authopt.learning.gate.candidate import without_exploration
from authopt.learning.gate.pair_segments import ALL, PairSegmentSums
from authopt.learning.gate.sequence import GainSequence
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.rewards import MoneyReward, Reward


@dataclass(slots=True)
class Extremes:
    """Of one policy's rows: largest possible weight and mass without support."""

    largest_weight: float = 1.0
    most_unsupported: float = 0.0

    def add(self, terms: Terms) -> None:
        """Take these rows in."""
        self.largest_weight = max(self.largest_weight, terms.largest_weight)
        if terms.unsupported is not None:
            most = float(terms.unsupported.max(initial=0.0))
            self.most_unsupported = max(self.most_unsupported, most)


@dataclass(slots=True, eq=False)
class AlongLog:
    """Sums of the gate.

    Attributes
    ----------
    candidate, live
        the policies.
    reward
        what is gained.
    columns
        that segments are formed by; one with too many values is left out, and stands in
        ``too_many``.
    path
        of the log, for errors.
    sequence, reversed
        for the bounds of the gain that hold at all times, and of the live policy's over the
        candidate.
    segments, pairs
        of the candidate, by column; and of both policies, where the live one did not make the log.
    exploring
        of the candidate and of itself without exploration, over all decisions.
    extremes
        of the candidate, of the live policy, and of the candidate without exploration.
    floor
        least probability of an action, times the number of actions, over all decisions.
    excess
        float64[3, 2], by policy (candidate, live): sums of the weights, of weighted excess fees and
        of their squares; for rewards that count them.
    rows
        decisions with an outcome and a propensity.
    before
        of these, decisions made at or before ``trained_until``.
    """

    candidate: Policy
    live: Policy
    reward: Reward
    columns: Sequence[str]
    explicit: bool
    path: Path | None
    trained_until: np.datetime64 | None
    sequence: GainSequence
    reversed: GainSequence
    segments: dict[str, SegmentSums] = field(default_factory=dict)
    pairs: dict[str, PairSegmentSums] = field(default_factory=dict)
    too_many: list[str] = field(default_factory=list)
    exploring: PairSegmentSums = field(init=False)
    extremes: tuple[Extremes, Extremes, Extremes] = field(
        default_factory=lambda: (Extremes(), Extremes(), Extremes())
    )
    floor: float = 1.0
    excess: FloatArray = field(default_factory=lambda: np.zeros((3, 2)))
    rows: int = 0
    before: int = 0

    def __post_init__(self) -> None:
        self.exploring = PairSegmentSums(ALL, self.reward.bounds[0])

    @classmethod
    def of(
        cls,
        candidate: Policy,
        live: Policy,
        reward: Reward,
        columns: Sequence[str],
        explicit: bool,
        path: Path | None,
        trained_until: np.datetime64 | None,
    ) -> AlongLog:
        """Nothing added up yet."""
        sequences = GainSequence(*reward.bounds), GainSequence(*reward.bounds)
        return cls(candidate, live, reward, columns, explicit, path, trained_until, *sequences)

    @property
    def live_made_the_log(self) -> bool:
        """Whether the live policy is the logging one."""
        return isinstance(self.live, LoggedPolicy)

    def watch(self, batches: Iterable[LoggedBatch]) -> Iterator[LoggedBatch]:
        """Pass batches on, and add up what is in them on the way."""
        for batch in batches:
            block = block_of(
                batch,
                Counter(),
                reward=self.reward,
                reward_model=None,
                cluster="payment_id",
                path=self.path,
            )
            if block is not None:
                self._add(block)
            yield batch

    def _add(self, block: Block) -> None:
        assert block.batch is not None
        decisions = block.batch.decisions()
        given = self.candidate.probabilities(decisions)
        candidate = terms_of(block.arrays, given)
        live = block.own
        if not self.live_made_the_log:
            live = terms_of(block.arrays, self.live.probabilities(decisions))
        greedy = terms_of(block.arrays, without_exploration(decisions, given))
        self.exploring.add(block, candidate, greedy)
        self.sequence.add(candidate, live)
        self.reversed.add(live, candidate)
        for extremes, terms in zip(self.extremes, (candidate, live, greedy), strict=True):
            extremes.add(terms)
        several = np.repeat(decisions.counts > 1, decisions.counts)
        least = given * np.repeat(decisions.counts, decisions.counts)
        self.floor = min(self.floor, float(least[several].min(initial=1.0)))
        for column in self.columns:
            self._add_segments(column, block, candidate, live)
        if isinstance(self.reward, MoneyReward) and self.reward.excess_retries:
            fees = self.reward.parts(block.batch).excess_fees
            for place, terms in enumerate((candidate, live)):
                w = np.ones(len(fees)) if terms.w is None else terms.w
                self.excess[:, place] += w.sum(), (w * fees).sum(), np.square(w * fees).sum()
        self.rows += block.batch.n
        if self.trained_until is not None:
            self.before += int((block.batch.decided_at <= self.trained_until).sum())

    def _add_segments(self, column: str, block: Block, candidate: Terms, live: Terms) -> None:
        assert block.batch is not None
        if column in self.too_many:
            return
        known = self.segments.setdefault(column, SegmentSums.empty(column, with_model=False))
        _, labels = segments_of(block.batch, column)
        if len({*known.labels, *labels}) > MOST_SEGMENTS:
            if self.explicit:
                raise UserError(
                    f"column {column!r} has more than {MOST_SEGMENTS} values: too many to hold the "
                    "gate's bounds for each. Name coarser columns under the key segments"
                )
            self.too_many.append(column)
            self.segments.pop(column)
            self.pairs.pop(column, None)
            return
        known.add(block, candidate)
        if not self.live_made_the_log:
            pair = self.pairs.setdefault(column, PairSegmentSums(column, self.reward.bounds[0]))
            pair.add(block, candidate, live)
