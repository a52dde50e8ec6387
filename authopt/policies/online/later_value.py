"""What is still to come for a payment if an attempt does not end it, by the time that it is made.

The best moment for one attempt is seldom the best for the payment: a long wait has the better
chance, and uses up the time in which there could be others. So decisions with a choice of time are
judged by the reward of the attempt and the value of what follows. The latter is a regression on
temporal differences (Sutton and Barto, "Reinforcement Learning", 2nd ed., section 6.5, without
discount): when the next decision of a payment is known, what it was worth by then is the target of
the declined attempt before it; where no decision followed, the target is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.features.vw_features import VwFeatures
from authopt.features.vw_text import VwText
from authopt.policies.online.learning_workspace import LearningWorkspace

SLACK_S = 86_400
"""How much longer than the longest wait the next decision may take, in seconds."""


class Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attempt that did not end its payment, until the next decision is known.

    Attributes
    ----------
    payment, attempt
        which it is.
    text
        the example to learn from, without a label.
    until_us
        when no next decision is to be expected any more, microseconds since 1970.
    """

    payment: str
    attempt: int
    text: str
    until_us: int


class LaterState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a :class:`LaterValue` knows."""

    features: VwFeatures
    arguments: tuple[str, ...]
    longest_s: int
    attempts: int
    ended: int
    open: tuple[Open, ...]
    model: bytes


@dataclass(slots=True, eq=False)
class LaterValue:
    """A regression of what follows a declined attempt, in units of scaled rewards.

    Attributes
    ----------
    features, arguments
        as VW is told.
    text, workspace
        what writes the examples, and the model.
    """

    features: VwFeatures
    arguments: tuple[str, ...]
    model: bytes | None = None
    _longest_s: int = 0
    _attempts: int = 0
    _ended: int = 0
    _open: dict[tuple[str, int], Open] = field(default_factory=dict)
    text: VwText = field(init=False)
    workspace: LearningWorkspace = field(init=False)

    def __post_init__(self) -> None:
        self.text = VwText(self.features)
        self.workspace = LearningWorkspace(list(self.arguments), self.model)
        self.model = None

    def values(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], at least 0; 0 for ``stop``, which nothing follows."""
        texts = [text for block in self.text.blocks(batch) for text in block.to_pylist()]
        value = 0.0 - np.array(self.workspace.costs(texts), np.float64)
        return np.where(batch.is_stop, 0.0, np.maximum(value, 0.0))

    def awaited(self, batch: LoggedBatch) -> IntArray:
        """The decisions of a batch whose value an earlier one waits for, after :meth:`begin`."""
        keys = _keys(batch)
        return np.array([row for row, key in enumerate(keys) if _before(key) in self._open], int)

    def begin(self, batch: LoggedBatch, alone: LoggedBatch, ended: BoolArray) -> None:
        """Take in attempts whose outcomes are known; only those with a choice of time count.

        Parameters
        ----------
        batch
            n decisions.
        alone
            the same with the action that was taken as the only one.
        ended
            bool[n], whether the attempt ended the payment.
        """
        if not batch.n:
            return
        self._longest_s = max(self._longest_s, int(batch.action_delay_s.max()))
        texts = [text for block in self.text.blocks(alone) for text in block.to_pylist()]
        due = alone.decided_at.astype("M8[us]").astype(np.int64) + alone.action_delay_s * 1_000_000
        until = due + (self._longest_s + SLACK_S) * 1_000_000
        self._attempts += batch.n
        self._ended += int(ended.sum())
        for row, (key, text) in enumerate(zip(_keys(batch), texts, strict=True)):
            if not ended[row]:
                self._open[key] = Open(*key, text, int(until[row]))

    @property
    def share_ended(self) -> float:
        """Share of the attempts that ended their payment."""
        return self._ended / max(self._attempts, 1)

    def learn(self, batch: LoggedBatch, value: FloatArray, now_us: int) -> None:
        """Learn from the values of decisions that were awaited, and that nothing followed others.

        Parameters
        ----------
        batch
            the decisions of :meth:`awaited`.
        value
            float64[n], what each of them is worth.
        now_us
            microseconds since 1970.
        """
        told = []
        for key, worth in zip(_keys(batch), value.tolist(), strict=True):
            if (earlier := self._open.pop(_before(key), None)) is not None:
                told.append(_labelled(earlier.text, worth))
        over = [key for key, each in self._open.items() if each.until_us < now_us]
        told += [_labelled(self._open.pop(key).text, 0.0) for key in over]
        self.workspace.learn(told)

    def state(self) -> LaterState:
        """To be saved."""
        return LaterState(
            self.features,
            self.arguments,
            self._longest_s,
            self._attempts,
            self._ended,
            tuple(self._open.values()),
            self.workspace.state(),
        )

    @classmethod
    def of_state(cls, state: LaterState) -> LaterValue:
        """Go on from what was saved, exactly."""
        later = cls(state.features, state.arguments, state.model)
        later._longest_s = state.longest_s
        later._attempts, later._ended = state.attempts, state.ended
        later._open = {(each.payment, each.attempt): each for each in state.open}
        return later


def choice_of_time(batch: DecisionBatch) -> BoolArray:
    """bool[n], whether attempts at different times are offered."""
    if not batch.n:
        return np.zeros(0, np.bool_)
    starts, stop, delay = batch.offsets[:-1], batch.is_stop, batch.action_delay_s
    least = np.minimum.reduceat(np.where(stop, np.iinfo(np.int64).max, delay), starts)
    most = np.maximum.reduceat(np.where(stop, -1, delay), starts)
    return np.asarray(least < most)


def _keys(batch: DecisionBatch) -> Iterable[tuple[str, int]]:
    return zip(batch.payment_id.to_pylist(), batch.attempt.tolist(), strict=True)


def _before(key: tuple[str, int]) -> tuple[str, int]:
    return key[0], key[1] - 1


def _labelled(text: str, value: float) -> str:
    """The example with a label on its only action, which is the second line."""
    shared, _, line = text.partition("\n")
    return f"{shared}\n0:{-value:.9g}:1 {line}"
