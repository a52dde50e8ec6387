"""Replay with a policy in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from authopt.batch import DecisionBatch, IntArray, LoggedBatch, concat
from authopt.decision import decide
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.rules import DEFAULT_RULES, Rules
from authopt.sampling import DEFAULT_SALT
from simulator.due import DueQueue
from simulator.replay.course import Course, Step
from simulator.replay.ids import asked_as
from simulator.replay.replayed import Replayed, known_at, put_together

MOST_SLOTS = 2_000
LEAST_SLOT_S = 60


@dataclass(slots=True, eq=False)
class InProcessReplay:
    """A replay of a log by a policy.

    A policy that does not learn decides first all first attempts, then all second ones, and so on:
    it cannot tell. For one that learns time goes in slots: at the start of each it learns from all
    outcomes that are known by then, and what is due in the slot is decided as one batch.

    Attributes
    ----------
    course
        of the payments.
    policy
        who decides. ``logged`` takes the log's own actions with the log's propensities.
    run
        name of the run, by which decisions are drawn.
    rules
        what is allowed.
    salt
        of the draws; by default the one of the service, so that a service with the same policy
        gives the same answers.
    slot_s
        seconds of a slot; None for as many as make at most ``MOST_SLOTS``, and at least a minute.
    """

    course: Course
    policy: Policy
    run: str
    rules: Rules = DEFAULT_RULES
    salt: str = DEFAULT_SALT
    slot_s: int | None = None
    _steps: list[Step] = field(default_factory=list)

    def decisions(self) -> Iterator[int]:
        """Go through the replay; after each batch, how many decisions it had."""
        learner = self.policy if isinstance(self.policy, LearningPolicy) else None
        seconds = self._slot_seconds() if learner else 0
        due: DueQueue[DecisionBatch] = DueQueue(lambda batch: _slots(batch.decided_at, seconds))
        known: DueQueue[LoggedBatch] = DueQueue(lambda batch: _slots(known_at(batch), seconds))
        due.add(self.course.start())
        while (slot := due.next_slot) is not None:
            points = concat(due.take(slot))
            if learner is not None and (told := known.take(slot - 1)):
                learner.update(_by_time(concat(told)))
            step = self.course.step(self._decided(points))
            self._steps.append(step)
            due.add(step.following)
            if learner is not None:
                known.add(_with_outcome(step.batch))
            yield step.batch.n

    def result(self) -> Replayed:
        """The replay, once :meth:`decisions` has been gone through."""
        course = self.course
        return put_together(
            course.log, course.payments, self.policy.name, self._steps, Counter(), None
        )

    def _decided(self, points: DecisionBatch) -> LoggedBatch:
        if isinstance(self.policy, LoggedPolicy):
            return replace(self.course.log.batch.take(self.course.logged_rows(points)), outcome={})
        asked = asked_as(self.run, points)
        decided = decide(asked, self.policy, rules=self.rules, salt=self.salt).logged()
        return replace(decided, decision_id=points.decision_id, payment_id=points.payment_id)

    def _slot_seconds(self) -> int:
        if self.slot_s is not None:
            return self.slot_s
        decided_at = self.course.log.batch.decided_at
        span = (decided_at.max() - decided_at.min()).astype("m8[s]").astype(np.int64)
        return max(LEAST_SLOT_S, int(span) // MOST_SLOTS)


def _slots(times: np.ndarray, seconds: int) -> IntArray:
    """int64[n], the slot of each moment; all the same one where a slot has no length."""
    if not seconds:
        return np.zeros(len(times), np.int64)
    return np.asarray(times.astype("M8[s]").astype(np.int64) // seconds)


def _with_outcome(batch: LoggedBatch) -> LoggedBatch:
    known = np.isfinite(batch.reward)
    return batch if known.all() else batch.take(np.flatnonzero(known))


def _by_time(batch: LoggedBatch) -> LoggedBatch:
    return batch.take(np.argsort(batch.decided_at, kind="stable"))
