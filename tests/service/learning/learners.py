"""Learners of the tests, and what befalls them."""

from __future__ import annotations

import hashlib

from sqlalchemy import Engine, select

from authopt.rewards import DEFAULT_REWARD
from service.learning.cursor import Task
from service.learning.learner import Learner, Step, take_learner
from service.learning.lease import Lease
from service.store.tables import learners
from tests.service.learning.recorded import HOUR_US, START_US

NOW_US = START_US + 10 * 24 * HOUR_US
LENGTH_US = 60_000_000
TASK = Task("guarded+online:bits=10", "approved", 24 * 3600, "declined")


def taken(
    engine: Engine,
    holder: str = "one",
    now_us: int = NOW_US,
    rows: int = 40,
    task: Task = TASK,
) -> Learner:
    """A learner that holds its lease."""
    learner = take_learner(
        engine, Lease("default", "default", holder, LENGTH_US), task, DEFAULT_REWARD, now_us
    )
    assert learner is not None
    learner.rows_at_once = rows
    return learner


def finish(learner: Learner, now_us: int = NOW_US) -> None:
    """Let it learn all that is there."""
    while learner.step(now_us) is not Step.IDLE:
        pass


def saved(engine: Engine) -> tuple[str, str]:
    """The cursor, and the digest of all that was learned."""
    with engine.connect() as connection:
        cursor, state = connection.execute(select(learners.c.cursor, learners.c.state)).one()
    return hashlib.sha256(cursor.encode()).hexdigest(), hashlib.sha256(state).hexdigest()


class Killed(BaseException):
    """Stands for the end of a process: nothing of it runs any more."""


def killed(*_: object, **__: object) -> None:
    """Put in the place of what a process does not come to do any more."""
    raise Killed
