"""Answers by the deadline: from the policy if it is done, from the static priority if not."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.deciding.answers import Answer
from service.deciding.decide import decide_without_policy, without_policy
from service.deciding.lane import Job, Lane, records_of
from service.deciding.question import Question
from service.live.serving import Serving
from service.store.group_commit import GroupCommit
from service.store.records import DecisionRecord

LATE = "the policy did not answer in time"
LEFT_ALONE = "the policy has been too slow lately and was not asked"
NOT_RECORDED = "the decision could not be recorded"

POLICY_SHARE = 0.5
"""Of the time to the deadline; the rest is for the disk, or for the priority and the disk."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a request is answered.

    Attributes
    ----------
    kept
        the decisions on record; where one is not what was asked for now, its id was used before.
    unrecorded
        answers that are not on record; only where ``kept`` is empty.
    asked
        what was to be recorded.
    """

    kept: Sequence[DecisionRecord] = ()
    unrecorded: Sequence[Answer] = ()
    asked: Sequence[DecisionRecord] = ()


@dataclass(frozen=True, slots=True)
class Begun:
    """Questions that are being decided.

    Attributes
    ----------
    questions
        as they were asked.
    until
        when they must be answered (``time.monotonic``).
    why
        the static priority decides: unless a job is done in time, if there is one.
    job
        on its way through a lane.
    """

    questions: Sequence[Question]
    until: float
    why: str
    job: Job | None = None


class Timely:
    """Asks the policies of all merchants and arms, each in a lane of its own.

    Batches have lanes apart from single decisions, so that no payment waits for a thousand others.

    Parameters
    ----------
    recorder
        what decides whether an answer counts as recorded.
    patience_s, batch_patience_s
        after how long a policy counts as hanging.
    """

    def __init__(self, recorder: GroupCommit, patience_s: float, batch_patience_s: float) -> None:
        self._recorder = recorder
        self._patience_s = {False: patience_s, True: batch_patience_s}
        self._lanes: dict[tuple[str, bool, int], Lane] = {}
        self._guard = threading.Lock()

    def decide(
        self, questions: Sequence[Question], started: float, deadline_s: float, batch: bool = False
    ) -> Told:
        """Answer questions of one merchant in time; never raises for what a policy or a store does.

        Parameters
        ----------
        questions
            at least one, all with the same state of the merchant, and of one arm.
        started
            when the request came (``time.monotonic``).
        deadline_s
            from then on.
        batch
            whether they are a batch.
        """
        return self.end(self.begin(questions, started, deadline_s, batch))

    def begin(
        self, questions: Sequence[Question], started: float, deadline_s: float, batch: bool = False
    ) -> Begun:
        """Ask the policy, and wait for nothing; parameters as of :meth:`decide`."""
        until = started + deadline_s
        why = without_policy(questions[0].serving)
        if why is not None:
            return Begun(questions, until, why)
        lane = self._lane(questions[0], batch)
        if lane.is_open:
            return Begun(questions, until, LEFT_ALONE)
        job = Job(questions, started + POLICY_SHARE * deadline_s)
        lane.put(job)
        return Begun(questions, until, LATE, job)

    def end(self, begun: Begun) -> Told:
        """Wait for the answers to what was begun."""
        job, until = begun.job, begun.until
        if job is not None:
            is_done = job.waiting.wait(_left(job.until))
            if is_done or job.answers or not job.waiting.claim():
                return _told(job, is_done or job.waiting.wait(_left(until)))
        job = Job(begun.questions, until)
        job.answers = decide_without_policy(begun.questions, begun.why)
        job.waiting.records = records_of(begun.questions, job.answers)
        self._recorder.submit(job.waiting)
        return _told(job, job.waiting.wait(_left(until)))

    def close(self) -> None:
        """End the threads that do not hang."""
        with self._guard:
            for lane in self._lanes.values():
                lane.close()
            self._lanes.clear()

    def _lane(self, question: Question, batch: bool) -> Lane:
        """A merchant's lane; a new one where the policy that the old one hangs in was replaced."""
        serving = question.serving
        key = serving.tenant, batch, serving.lane
        lane = self._lanes.get(key)
        if lane is not None and _serves(lane, serving):
            return lane
        with self._guard:
            lane = self._lanes.get(key)
            if lane is None or not _serves(lane, serving):
                if lane is not None:
                    lane.close()
                arm = f"arm-{serving.lane}-" if serving.lane else ""
                name = f"decide-{'batch-' if batch else ''}{arm}{serving.tenant}"
                lane = Lane(name, self._recorder, self._patience_s[batch])
                self._lanes[key] = lane
            return lane


def _serves(lane: Lane, serving: Serving) -> bool:
    hangs_in = lane.hangs_in()
    return hangs_in is None or hangs_in is serving.active.policy


def _told(job: Job, is_done: bool) -> Told:
    """What the recorder has made of a job by the deadline."""
    kept = job.waiting.kept
    if is_done and kept and all(each.durable for each in kept):
        records = [each for each in job.waiting.records if isinstance(each, DecisionRecord)]
        return Told([each.decision for each in kept if each.decision is not None], asked=records)
    if is_done:
        may_come = any(each.decision is not None for each in kept)
    else:
        may_come = not job.waiting.claim()
    # Where a write has begun and may yet succeed, what it says must be what is done.
    answers = job.answers if may_come else decide_without_policy(job.questions, NOT_RECORDED)
    return Told(unrecorded=[msgspec.structs.replace(each, recorded=False) for each in answers])


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.0)
