"""The labelled examples that Vowpal Wabbit learns from, written from a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from authopt.batch import BoolArray, FloatArray, IntArray, LoggedBatch
from authopt.features.vw_text import VwText
from authopt.learning.progressive import Progress
from authopt.learning.reward_model import RewardModel
from authopt.learning.reward_to_go import Retries, own_rewards
from authopt.learning.targets import action_targets, one_by_one
from authopt.learning.warm_start import Support, pessimistic_targets
from authopt.policies.vw_labels import (
    BAD_COST,
    BAD_PROBABILITY,
    NO_COST,
    NO_PROBABILITY,
    check_labels,
    labels,
)
from authopt.policies.vw_options import VwOptions

NO_OUTCOME = "the outcome is not known"
NO_LATER_OUTCOME = "the outcome of a later attempt of the payment is not known"
NO_PROPENSITY = NO_PROBABILITY
BAD_PROPENSITY = BAD_PROBABILITY
BAD_REWARD = "the reward is not finite"

_REASONS = {NO_COST: NO_LATER_OUTCOME, BAD_COST: BAD_REWARD}

_PAIRS = 1 << 16
"""Pairs of decisions and actions that are written at once."""


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
    options
        how VW learns; they give the labels' probabilities.
    scale
        what rewards are divided by in the labels.
    model
        of rewards, for doubly robust targets: an example for every eligible action; None for the
        rewards that were observed: an example for every decision.
    support
        of actions, for pessimistic targets: in decisions that explored nothing, an example for
        every action; or None.
    progress
        what is kept to judge the model while it learns, or None.
    rows, examples, total
        decisions and examples written so far, and the sum of the decisions' rewards.
    left_out
        rows that were not written, by reason.
    routes
        how often each route was taken in what was written.
    """

    writer: VwText
    retries: Retries | None
    largest: float
    options: VwOptions
    scale: float = 1.0
    model: RewardModel | None = None
    support: Support | None = None
    progress: Progress | None = None
    rows: int = 0
    examples: int = 0
    total: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)

    def rewards(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], what the decisions are to be learned with; NaN where it is not known."""
        if self.retries is None:
            return own_rewards(batch)
        return self.retries.to_go(batch, self.largest)

    def pieces(self, batches: Iterable[LoggedBatch]) -> Iterator[memoryview | bytes]:
        """The examples of a log, as UTF-8 bytes in pieces; a label is ``0:cost:probability``."""
        for whole in batches:
            parts = (whole,) if self.progress is None else self.progress.stretches(whole)
            for batch in parts:
                if self.progress is not None:
                    yield from self.progress.marks()
                yield from self._examples(batch)

    def _examples(self, batch: LoggedBatch) -> Iterator[memoryview]:
        reward = self.rewards(batch)
        keep = self._usable(batch, reward)
        if not keep.any():
            return
        if not keep.all():
            rows = np.flatnonzero(keep).astype(np.int64)
            batch, reward = batch.take(rows), reward[rows]
        self.rows += batch.n
        self.total += float(reward.sum())
        taken = np.bincount(batch.action_route[batch.chosen_action], minlength=len(batch.routes))
        for code in np.flatnonzero(taken).tolist():
            self.routes[batch.routes[code]] += int(taken[code])
        if self.progress is not None:
            self.progress.keep(batch, reward)
        if self.model is not None:
            target = action_targets(batch, reward, self.model.predict(batch))
            yield from self._pairs(batch, target, np.arange(batch.m, dtype=np.int64))
        elif self.support is not None:
            yield from self._pairs(batch, *pessimistic_targets(batch, reward, self.support))
        else:
            cost = 0.0 - reward / self.scale
            told = labels(cost, self.options.label_probability(batch.propensity))
            yield from self._written(batch, told)

    def _pairs(
        self, batch: LoggedBatch, target: FloatArray, actions: IntArray
    ) -> Iterator[memoryview]:
        for start in range(0, len(actions), _PAIRS):
            some = actions[start : start + _PAIRS]
            told = labels(0.0 - target[some] / self.scale, np.ones(len(some)))
            yield from self._written(one_by_one(batch, some), told)

    def _written(self, batch: LoggedBatch, told: pa.StringArray) -> Iterator[memoryview]:
        self.examples += batch.n
        for block in self.writer.blocks(batch, told):
            yield _bytes_of(block)

    def _usable(self, batch: LoggedBatch, reward: FloatArray) -> BoolArray:
        known = ~np.isnan(own_rewards(batch))
        if not known.all():
            self.left_out[NO_OUTCOME] += int((~known).sum())
        problems = check_labels(reward, batch.propensity, known)
        for reason, rows in problems.left_out.items():
            self.left_out[_REASONS.get(reason, reason)] += rows
        return problems.sound


def _bytes_of(strings: pa.StringArray) -> memoryview:
    """The bytes of all strings, one after the other, without a copy."""
    _, offsets, data = strings.buffers()
    ends = np.frombuffer(offsets, np.int32)[strings.offset :]
    return memoryview(data)[int(ends[0]) : int(ends[len(strings)])]
