"""What is added up of a shadow policy, decision by decision, and read off from that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np

from authopt.batch import BoolArray, Categorical, FloatArray, LoggedBatch
from authopt.evaluation.block import Block
from authopt.evaluation.blocks import block_of
from authopt.evaluation.terms import Terms, terms_of
from authopt.learning.gate.sequence import GainSequence
from authopt.rewards import Reward
from service.shadows.finding import ShadowSegment, ShadowValue

CONFIDENCE = 0.95

COLUMNS = ("network", "issuer_country", "attempt")
"""By which segments are formed."""

MOST_SEGMENTS = 40
"""Of a column; further values are added up as ``others``."""

OTHERS = "others"


class Sequence(msgspec.Struct, frozen=True):
    """A :class:`GainSequence` as JSON has it; ``largest`` is None where it is infinite."""

    rows: int
    reward: float
    guess: float
    total: float
    time: float
    largest: float | None

    @classmethod
    def of(cls, sequence: GainSequence) -> Sequence:
        """What a sequence has added up."""
        largest = sequence.largest if np.isfinite(sequence.largest) else None
        return cls(
            sequence.rows,
            sequence.reward,
            sequence.guess,
            sequence.total,
            sequence.time,
            largest,
        )

    def going_on(self, low: float, high: float) -> GainSequence:
        """The sequence, for rewards within these bounds."""
        largest = np.inf if self.largest is None else self.largest
        return GainSequence(
            low, high, self.rows, self.reward, self.guess, self.total, self.time, largest
        )


class ValueSums(msgspec.Struct, frozen=True):
    """Sums over decisions of weights w and rewards r, and the sequences for both limits."""

    rows: int
    r: float
    w: float
    w_r: float
    w_w: float
    unsupported: float
    better: Sequence
    worse: Sequence

    @classmethod
    def nothing(cls, reward: Reward) -> ValueSums:
        """Before the first decision."""
        begin = Sequence.of(GainSequence(*reward.bounds))
        return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0, begin, begin)

    def plus(self, shadow: Terms, own: Terms, reward: Reward) -> ValueSums:
        """With further decisions, by the terms of the shadow and of those who decided."""
        assert shadow.w is not None
        better, worse = (each.going_on(*reward.bounds) for each in (self.better, self.worse))
        better.add(shadow, own)
        worse.add(own, shadow)
        lacking = 0.0 if shadow.unsupported is None else float(shadow.unsupported.sum())
        return ValueSums(
            self.rows + len(shadow.r),
            self.r + float(shadow.r.sum()),
            self.w + float(shadow.w.sum()),
            self.w_r + float((shadow.w * shadow.r).sum()),
            self.w_w + float(np.square(shadow.w).sum()),
            self.unsupported + lacking,
            Sequence.of(better),
            Sequence.of(worse),
        )

    def value(self, reward: Reward) -> ShadowValue:
        """What they say."""
        live = self.r / self.rows if self.rows else None
        value = self.w_r / self.w if self.w else None
        better, worse = (each.going_on(*reward.bounds) for each in (self.better, self.worse))
        known = bool(self.rows) and self.better.largest is not None
        alpha = (1.0 - CONFIDENCE) / 2.0
        mean = self.w / self.rows if self.rows else None
        # Not about their mean: weights that happened to be alike would leave nothing to chance.
        error = (self.w_w**0.5) / self.rows if self.rows else None
        return ShadowValue(
            judged=self.rows,
            live=live,
            value=value,
            difference=None if value is None or live is None else value - live,
            lower=better.lower(alpha) if known else None,
            upper=-worse.lower(alpha) if known else None,
            effective_sample=self.w * self.w / self.w_w if self.w_w else 0.0,
            unsupported=self.unsupported / self.rows if self.rows else 0.0,
            mean_weight=mean,
            mean_weight_error=error,
        )


class SegmentSums(msgspec.Struct, frozen=True):
    """Of the decisions that are alike in a column."""

    column: str
    name: str
    sums: ValueSums


class ShadowSums(msgspec.Struct, frozen=True):
    """Of all decisions that are judged, and by segment."""

    whole: ValueSums
    segments: list[SegmentSums]

    @classmethod
    def nothing(cls, reward: Reward) -> ShadowSums:
        """Before the first decision."""
        return cls(ValueSums.nothing(reward), [])

    def plus(self, batch: LoggedBatch, probabilities: FloatArray, reward: Reward) -> ShadowSums:
        """With further decisions and the shadow's probabilities (float64[m]).

        Parameters
        ----------
        batch
            decisions whose rewards are known.
        probabilities
            of every action.
        reward
            gives the bounds.
        """
        block = _block(batch, reward)
        whole = self.whole.plus(terms_of(block.arrays, probabilities), block.own, reward)
        known = {(each.column, each.name): each.sums for each in self.segments}
        for column, name, rows in _segments(batch):
            key = (column, name)
            if key not in known and sum(each == column for each, _ in known) >= MOST_SEGMENTS:
                key = (column, OTHERS)
            part = _block(batch.take(np.flatnonzero(rows)), reward)
            given = probabilities[np.repeat(rows, batch.counts)]
            known[key] = known.get(key, ValueSums.nothing(reward)).plus(
                terms_of(part.arrays, given), part.own, reward
            )
        return ShadowSums(whole, [SegmentSums(*key, sums) for key, sums in sorted(known.items())])

    def segments_of(self, reward: Reward) -> list[ShadowSegment]:
        """What the sums say, by segment."""
        return [
            ShadowSegment(each.column, each.name, each.sums.value(reward)) for each in self.segments
        ]


def _block(batch: LoggedBatch, reward: Reward) -> Block:
    left_out: Counter[str] = Counter()
    block = block_of(
        batch, left_out, reward=reward, reward_model=None, cluster="decision_id", path=None
    )
    # The service records no decision without a propensity, and rewards are known here.
    assert block is not None, left_out
    assert not left_out, left_out
    return block


def _segments(batch: LoggedBatch) -> Iterator[tuple[str, str, BoolArray]]:
    """Column, name and rows (bool[n]) of every segment that the decisions are in."""
    for name in COLUMNS:
        if name == "attempt":
            first = batch.attempt == 1
            for label, rows in (("first", first), ("later", ~first)):
                if rows.any():
                    yield name, label, rows
            continue
        column = batch.context.get(name)
        if not isinstance(column, Categorical):
            continue
        for code in np.unique(column.codes[column.codes >= 0]).tolist():
            yield name, column.categories[code], column.codes == code
