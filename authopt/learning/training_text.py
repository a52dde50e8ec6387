"""The labelled examples that Vowpal Wabbit learns from, written from a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import BoolArray, FloatArray, LoggedBatch
from authopt.features.vw_text import VwText
from authopt.learning.reward_to_go import Retries, own_rewards

NO_OUTCOME = "the outcome is not known"
NO_LATER_OUTCOME = "the outcome of a later attempt of the payment is not known"
NO_PROPENSITY = "the propensity is not known"
BAD_PROPENSITY = "the propensity is outside (0, 1]"
BAD_REWARD = "the reward is not finite"

# VW reads labels as float32, in which a small propensity vanishes and a large cost is infinite.
_FLOAT32 = np.finfo(np.float32)


@dataclass(slots=True, eq=False)
class TrainingText:
    """Writes the text that VW learns from, and counts what goes into it and what does not.

    Attributes
    ----------
    writer
        the features.
    retries
        the later attempts of the log, for rewards-to-go; None for the attempts' own rewards.
    largest
        possible reward of a decision.
    with_propensity
        whether the label's probability is the logged propensity; else it is 1.
    scale
        what rewards are divided by in the labels.
    rows, total
        decisions written so far, and the sum of their rewards.
    left_out
        rows that were not written, by reason.
    routes
        how often each route was taken in what was written.
    """

    writer: VwText
    retries: Retries | None
    largest: float
    with_propensity: bool
    scale: float = 1.0
    rows: int = 0
    total: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)

    def pieces(self, batches: Iterable[LoggedBatch]) -> Iterator[memoryview]:
        """The examples of a log, as UTF-8 bytes in pieces; a label is ``0:cost:probability``."""
        for batch in batches:
            reward = own_rewards(batch)
            if self.retries is not None:
                reward = self.retries.to_go(batch, self.largest)
            keep = self._usable(batch, reward)
            if not keep.any():
                continue
            if not keep.all():
                rows = np.flatnonzero(keep).astype(np.int64)
                batch, reward = batch.take(rows), reward[rows]
            self.rows += batch.n
            self.total += float(reward.sum())
            taken = np.bincount(
                batch.action_route[batch.chosen_action], minlength=len(batch.routes)
            )
            for code in np.flatnonzero(taken).tolist():
                self.routes[batch.routes[code]] += int(taken[code])
            for block in self.writer.blocks(batch, self._labels(batch, reward)):
                yield _bytes_of(block)

    def _usable(self, batch: LoggedBatch, reward: FloatArray) -> BoolArray:
        propensity = batch.propensity
        sound = (propensity >= _FLOAT32.tiny) & (propensity <= 1.0)
        left = np.ones(batch.n, np.bool_)
        for reason, bad in (
            (NO_OUTCOME, np.isnan(own_rewards(batch))),
            (NO_LATER_OUTCOME, np.isnan(reward)),
            (BAD_REWARD, ~(np.abs(reward) <= _FLOAT32.max)),
            (NO_PROPENSITY, np.isnan(propensity)),
            (BAD_PROPENSITY, ~sound),
        ):
            found = int((left & bad).sum())
            if found:
                self.left_out[reason] += found
            left &= ~bad
        return left

    def _labels(self, batch: LoggedBatch, reward: FloatArray) -> pa.StringArray:
        cost = pc.cast(pa.array(0.0 - reward / self.scale), pa.string())
        probability = batch.propensity if self.with_propensity else np.ones(batch.n)
        return pc.binary_join_element_wise(
            pa.repeat("0", batch.n), cost, pc.cast(pa.array(probability), pa.string()), ":"
        )


def _bytes_of(strings: pa.StringArray) -> memoryview:
    """The bytes of all strings, one after the other, without a copy."""
    _, offsets, data = strings.buffers()
    ends = np.frombuffer(offsets, np.int32)[strings.offset :]
    return memoryview(data)[int(ends[0]) : int(ends[len(strings)])]
