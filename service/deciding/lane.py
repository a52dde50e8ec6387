"""The thread that asks one merchant's policy, for all requests that wait, in groups.

A policy is code that may be slow or hang, and Python cannot end a thread. So no request runs it:
requests wait for this thread, each as long as it can, and do without when time is up.

What holds Python's own lock while it hangs, as a loop in foreign code may, cannot be waited out by
threads: then the whole worker stands still.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from authopt.policies.protocol import Policy
from service.deciding.answers import Answer
from service.deciding.decide import decide_together
from service.deciding.question import Question
from service.store.group_commit import GroupCommit
from service.store.records import DecisionRecord, decision_record
from service.store.waiting import Waiting

_log = logging.getLogger(__name__)

MAX_GROUP = 256
MAX_LATE = 3
"""So many groups in a row for which the policy took too long open the circuit."""
REST_S = 1.0
"""How long it stays open; then a group is tried."""

LINGER_S = 0.001
"""How long more questions are waited for where the last group was of several requests."""

_REMEMBERED = 0.8
"""Weight of the past in the mean time that a decision takes."""


class Job:
    """Questions of one request, on their way through the lane and the recorder, and back.

    Attributes
    ----------
    questions
        all with the same state of the merchant.
    until
        when the lane must be done (``time.monotonic``).
    answers
        set before the records are handed on.
    waiting
        for the records; whoever claims it first decides whether the answers count.
    """

    __slots__ = ("answers", "questions", "until", "waiting")

    def __init__(self, questions: Sequence[Question], until: float) -> None:
        self.questions = questions
        self.until = until
        self.answers: list[Answer] = []
        self.waiting = Waiting(())


class Lane:
    """One thread, and the circuit breaker before it.

    Parameters
    ----------
    name
        of the thread.
    recorder
        takes what was decided; the request hears of it only when it is on disk.
    patience_s
        after how long in one call the policy counts as hanging.
    """

    def __init__(self, name: str, recorder: GroupCommit, patience_s: float) -> None:
        self._recorder = recorder
        self._patience_s = patience_s
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._asked: tuple[Policy | None, float] | None = None
        self._open_until = 0.0
        self._late = 0
        self._per_question_s = 0.0
        self._crowded = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def put(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._queue.put(job)

    def hangs_in(self) -> Policy | None:
        """The policy that has been called and has not answered for too long."""
        asked = self._asked
        if asked is None or time.monotonic() - asked[1] <= self._patience_s:
            return None
        return asked[0]

    @property
    def is_open(self) -> bool:
        """Whether there is no point in asking now."""
        return self.hangs_in() is not None or time.monotonic() < self._open_until

    def close(self) -> None:
        """End the thread after what waits, or, if it hangs, once it does so no longer."""
        self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            group, closing = self._group(job)
            self._crowded = len(group) > 1
            self._serve(group)
            if closing:
                return

    def _group(self, job: Job) -> tuple[list[Job], bool]:
        """Whatever waits, as far as the policy can be expected to be done with it in time."""
        if self._crowded:
            time.sleep(LINGER_S)
        group, size = [job], len(job.questions)
        most = MAX_GROUP
        if self._per_question_s > 0.0:
            left = max(job.until - time.monotonic(), 0.0)
            most = max(1, min(most, int(left / 2 / self._per_question_s)))
        while size < most:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if more is None:
                return group, True
            group.append(more)
            size += len(more.questions)
        return group, False

    def _serve(self, group: list[Job]) -> None:
        now = time.monotonic()
        by_state: dict[int, list[Job]] = {}
        for job in group:
            if job.until > now:
                by_state.setdefault(id(job.questions[0].serving), []).append(job)
        for jobs in by_state.values():
            self._decide(jobs)

    def _decide(self, jobs: list[Job]) -> None:
        questions = [question for job in jobs for question in job.questions]
        started = time.monotonic()
        self._asked = questions[0].serving.active.policy, started
        try:
            answers = decide_together(questions)
        except Exception:
            # Those who asked find out when their time is up, and do without.
            _log.exception("%d decisions failed", len(questions))
            return
        finally:
            self._asked = None
        at = 0
        for job in jobs:
            end = at + len(job.questions)
            job.answers = answers[at:end]
            job.waiting.records = records_of(job.questions, job.answers)
            self._recorder.submit(job.waiting)
            at = end
        self._learn(jobs, len(questions), started)

    def _learn(self, jobs: list[Job], questions: int, started: float) -> None:
        now = time.monotonic()
        took = (now - started) / questions
        self._per_question_s += (1.0 - _REMEMBERED) * (took - self._per_question_s)
        if any(now <= job.until for job in jobs):
            self._late = 0
            return
        self._late += 1
        if self._late >= MAX_LATE:
            _log.error("the policy takes too long; it is left alone for %g s", REST_S)
            self._open_until = now + REST_S


def records_of(questions: Sequence[Question], answers: Sequence[Answer]) -> list[DecisionRecord]:
    """The records of answered questions."""
    return [
        decision_record(question.request, answer, question.serving.tenant, question.ranked)
        for question, answer in zip(questions, answers, strict=True)
    ]
