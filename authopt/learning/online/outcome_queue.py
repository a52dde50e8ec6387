"""Decisions wait for their outcomes, which come late, twice or out of order; each leaves once."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from authopt.batch import FloatArray, IntArray, LoggedBatch, concat
from authopt.errors import UserError
from authopt.learning.online.queue_file import (
    Left,
    Outcome,
    QueueState,
    read_queue,
    write_queue,
)

Missing = Literal["declined", "left-out"]

US = 1_000_000
DAY_S = 86_400.0


class Refused(StrEnum):
    """What came and changed nothing."""

    DECISION_AGAIN = "the decision was there already"
    DECISION_TOO_OLD = "the decision is older than what is remembered"
    OUTCOME_AGAIN = "the outcome was there already"
    OUTCOME_TOO_LATE = "the decision had left without its outcome"
    OUTCOME_TOO_OLD = "no decision came for the outcome in the time that is remembered"
    LEFT_OUT = "the outcome did not come in time, and the decision was left out"


@dataclass(slots=True, eq=False)
class OutcomeQueue:
    """Joins decisions with outcomes, and gives each decision out once.

    A decision is ready when its outcome is known, or ``wait_s`` after its attempt was due
    (``decided_at`` and the delay of the action taken). What then lacks an outcome counts as
    declined, or is left out. The propensity is the one that was logged with the decision: what the
    policy has learned since does not touch it.

    Ids are remembered for ``remember_s`` after the attempt was due; what is older is refused, so
    that nothing can leave twice and memory does not grow for ever.

    Attributes
    ----------
    wait_s
        seconds to wait for an outcome.
    missing
        what becomes of decisions without one: ``declined`` (a reward of 0) or ``left-out``.
    remember_s
        at least ``wait_s``.
    refused
        how often something came and changed nothing, by reason.

    Raises
    ------
    UserError
        If a number or a word is out of range.
    """

    wait_s: float = 2 * DAY_S
    missing: Missing = "declined"
    remember_s: float = 60 * DAY_S
    refused: Counter[str] = field(default_factory=Counter)
    _waiting: LoggedBatch | None = None
    _outcomes: dict[str, Outcome] = field(default_factory=dict)
    _left: dict[str, Left] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.wait_s <= self.remember_s < math.inf:
            raise UserError(
                f"wait {self.wait_s:g} s and remember {self.remember_s:g} s; expected numbers from "
                "0 up, of which the second is not the smaller"
            )
        if self.missing not in ("declined", "left-out"):
            raise UserError(f"missing is {self.missing!r}; expected declined or left-out")

    @property
    def waiting(self) -> int:
        """Decisions that have not left."""
        return 0 if self._waiting is None else self._waiting.n

    def decided(self, batch: LoggedBatch, now: np.datetime64) -> None:
        """Take decisions in; rewards that they bring are outcomes that are known already.

        Parameters
        ----------
        batch
            decisions with the propensities of the time; without a reward where it is not known.
        now
            UTC.
        """
        there = set(self._left)
        if self._waiting is not None:
            there.update(self._waiting.decision_id.to_pylist())
        oldest = _us(now) - round(self.remember_s * US)
        keep: list[int] = []
        due = _due_us(batch).tolist()
        for row, name in enumerate(batch.decision_id.to_pylist()):
            if name in there:
                self.refused[Refused.DECISION_AGAIN] += 1
            elif due[row] < oldest:
                self.refused[Refused.DECISION_TOO_OLD] += 1
            else:
                there.add(name)
                keep.append(row)
        if not keep:
            return
        rows = np.array(keep, np.int64)
        fresh = batch if len(keep) == batch.n else batch.take(rows)
        self._waiting = fresh if self._waiting is None else concat([self._waiting, fresh])

    def outcomes(
        self,
        decision_id: pa.StringArray,
        reward: FloatArray,
        now: np.datetime64,
    ) -> None:
        """Take outcomes in; of several of one decision the first one counts.

        An outcome may come before its decision.

        Parameters
        ----------
        decision_id
            length n.
        reward
            float64[n], finite.
        now
            UTC.

        Raises
        ------
        ValueError
            If a reward is not finite.
        """
        if not np.isfinite(reward).all():
            raise ValueError("an outcome without a finite reward is none")
        for name, value in zip(decision_id.to_pylist(), reward.tolist(), strict=True):
            if name in self._outcomes:
                self.refused[Refused.OUTCOME_AGAIN] += 1
            elif name in self._left:
                known = self._left[name].known
                why = Refused.OUTCOME_AGAIN if known else Refused.OUTCOME_TOO_LATE
                self.refused[why] += 1
            else:
                self._outcomes[name] = Outcome(value, _us(now))

    def release(self, now: np.datetime64) -> LoggedBatch | None:
        """The decisions that are ready, in the order of ``decided_at``; None where none is.

        Parameters
        ----------
        now
            UTC.
        """
        batch, now_us = self._waiting, _us(now)
        ready = None
        if batch is not None:
            ready = self._ready(batch, now_us)
        self._forget(now_us)
        return ready

    def _ready(self, batch: LoggedBatch, now_us: int) -> LoggedBatch | None:
        names = batch.decision_id.to_pylist()
        reward, due = batch.reward.copy(), _due_us(batch)
        for row, name in enumerate(names):
            if (outcome := self._outcomes.get(name)) is not None:
                if np.isfinite(reward[row]):
                    self.refused[Refused.OUTCOME_AGAIN] += 1
                else:
                    reward[row] = outcome.reward
                del self._outcomes[name]
        known = np.isfinite(reward)
        waited = ~known & (due + round(self.wait_s * US) <= now_us)
        leaving = known | waited
        for row in np.flatnonzero(leaving).tolist():
            self._left[names[row]] = Left(int(due[row]), bool(known[row]))
        if self.missing == "declined":
            reward[waited] = 0.0
        elif waited.any():
            self.refused[Refused.LEFT_OUT] += int(waited.sum())
        out = leaving if self.missing == "declined" else known
        joined = replace(batch, reward=reward)
        stays = np.flatnonzero(~leaving)
        self._waiting = joined.take(stays) if len(stays) else None
        rows = np.flatnonzero(out)
        if not len(rows):
            return None
        return joined.take(rows[np.argsort(batch.decided_at[rows], kind="stable")])

    def _forget(self, now_us: int) -> None:
        """Drop ids of what is older than is remembered; outcomes that no decision came for."""
        oldest = now_us - round(self.remember_s * US)
        self._left = {name: left for name, left in self._left.items() if left.due_us >= oldest}
        old = [name for name, outcome in self._outcomes.items() if outcome.came_us < oldest]
        for name in old:
            del self._outcomes[name]
            self.refused[Refused.OUTCOME_TOO_OLD] += 1

    def save(self, path: Path) -> None:
        """Write everything in one file, whole or not at all; :meth:`load` restores it exactly."""
        state = QueueState(
            wait_s=self.wait_s,
            missing=self.missing,
            remember_s=self.remember_s,
            refused=dict(self.refused),
            outcomes=self._outcomes,
            left=self._left,
        )
        write_queue(path, state, self._waiting)

    @classmethod
    def load(cls, path: Path) -> OutcomeQueue:
        """Read what :meth:`save` wrote.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state, waiting = read_queue(path)
        queue = cls(state.wait_s, state.missing, state.remember_s, Counter(state.refused))
        queue._outcomes, queue._left, queue._waiting = state.outcomes, state.left, waiting
        return queue


def _us(time: np.datetime64) -> int:
    return int(time.astype("M8[us]").astype(np.int64))


def _due_us(batch: LoggedBatch) -> IntArray:
    """int64[n], when the attempt was due, microseconds since 1970."""
    delay_s = batch.action_delay_s[batch.chosen_action]
    return np.asarray(batch.decided_at.astype("M8[us]").astype(np.int64) + delay_s * US)
