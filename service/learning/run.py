"""Learn until told to stop: wait for the lease, take step after step, judge and publish."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from authopt.rewards import Reward
from service.learning.cursor import Cursor, Task
from service.learning.judging import judge_candidate
from service.learning.learner import Learner, Step, take_learner
from service.learning.lease import Lease
from service.learning.publishing import Promote, Publishing, is_due, publish
from service.store.lease import LeaseLost
from service.store.records import microseconds

_log = logging.getLogger(__name__)

_RENEWALS = 3
"""Times that an idle learner renews its lease within the length of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a process that learns was told.

    Attributes
    ----------
    lease
        which learner, and who this process is.
    task, reward
        what is learned.
    publishing
        when a model is made of it.
    every_s
        seconds between two steps, where there is no backlog.
    is_once
        whether to end once all that is there was learned.
    """

    lease: Lease
    task: Task
    reward: Reward
    publishing: Publishing
    every_s: float
    is_once: bool = False


def run(
    engine: Engine, job: Job, stop: threading.Event, say: Callable[[str], None]
) -> Cursor | None:
    """Learn.

    A store that fails ends nothing: what was not saved is learned again once it works.

    Parameters
    ----------
    engine
        of the store.
    job
        what to do.
    stop
        ends it after the step that it is in.
    say
        takes what happens, for people.

    Returns
    -------
    Cursor or None
        how far the learner has come; None where another process held it all the time.

    Raises
    ------
    UserError
        If the learner was made for another task, or its policy cannot be loaded.
    """
    learner: Learner | None = None
    cursor: Cursor | None = None
    while not stop.is_set():
        try:
            if learner is None:
                learner = take_learner(engine, job.lease, job.task, job.reward, _now_us())
                if learner is not None:
                    say(f"learning as {job.lease.name}")
                elif job.is_once:
                    break
            state = Step.IDLE if learner is None else _once(learner, job, say)
        except LeaseLost as lost:
            _log.warning("%s", lost)
            learner, state = None, Step.IDLE
        except SQLAlchemyError as error:
            # What the policy has learned since it was saved is forgotten with it.
            _log.error("the store fails: %s", type(error).__name__)
            learner, state = None, Step.IDLE
        cursor = cursor if learner is None else learner.cursor
        if state is Step.BEHIND:
            continue
        if job.is_once and learner is not None:
            break
        stop.wait(job.every_s)
    if learner is not None:
        _release(engine, job.lease)
    return cursor


def _once(learner: Learner, job: Job, say: Callable[[str], None]) -> Step:
    now_us = _now_us()
    state = learner.step(now_us)
    if state is Step.IDLE:
        _renew(learner, job)
    if state is Step.BEHIND:
        # What is half way through a backlog is older than what may be live.
        return state
    if job.publishing.promote is Promote.GATE:
        found = judge_candidate(learner, job.publishing, now_us, lambda: _renew(learner, job))
        if found is not None:
            say(found)
    if is_due(learner, job.publishing, now_us):
        try:
            told = publish(learner, job.publishing, now_us)
            say(f"{learner.counts.learned:,} decisions learned, {told}")
        except UserError as error:
            _log.error("what was learned cannot be published: %s", error)
    return state


def _renew(learner: Learner, job: Job) -> None:
    """Keep the lease, where it was not renewed for a while."""
    now_us = _now_us()
    if learner.saved_us + job.lease.length_us // _RENEWALS < now_us:
        learner.renew(now_us)


def _release(engine: Engine, lease: Lease) -> None:
    try:
        lease.release(engine)
    except SQLAlchemyError as error:
        _log.warning("the lease runs out by itself: %s", type(error).__name__)


def _now_us() -> int:
    return microseconds(datetime.now(UTC))
