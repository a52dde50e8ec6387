"""The learner: reads on, updates its policy, and saves it with how far it has read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import msgspec
from sqlalchemy import Engine

from authopt.errors import UserError
from authopt.policies.protocol import LearningPolicy
from authopt.rewards import Reward
from service.learning.candidate import with_fresh
from service.learning.cursor import Counts, Cursor, Task
from service.learning.learned_policy import load_saved, new_policy, save_policy, saved_spec
from service.learning.lease import Lease
from service.learning.reading import read_on
from service.models.archive import Archive
from service.store.changes import writing
from service.store.reading_on import Ends, ends_from

ROWS_AT_ONCE = 2_000
"""Rows of each table that are read before what was learned of them is saved."""


class Step(Enum):
    """What came of a step."""

    IDLE = "there was nothing to read"
    CAUGHT_UP = "all that is there was read"
    BEHIND = "there is more to read"


@dataclass(slots=True)
class Learner:
    """A learner that holds its lease.

    What it has learned and how far it has read are saved in one transaction after every step: a
    process that is killed loses at most a step that it had not saved, and the next one takes that
    step again, from the same policy, bit for bit.

    Attributes
    ----------
    engine
        of the store.
    lease
        that is held.
    reward
        what an outcome is worth.
    policy
        that learns.
    cursor
        how far was read.
    archived
        the policy as it was saved last; None before that.
    saved_us
        when that was, or the lease was renewed.
    rows_at_once
        of each table, in a step.
    """

    engine: Engine
    lease: Lease
    reward: Reward
    policy: LearningPolicy
    cursor: Cursor
    archived: Archive | None = None
    saved_us: int = 0
    rows_at_once: int = ROWS_AT_ONCE

    @property
    def counts(self) -> Counts:
        """What became of what was read, since the learner was made."""
        return self.cursor.counts

    def step(self, now_us: int) -> Step:
        """Learn from what is there, as far as one step goes.

        Raises
        ------
        LeaseLost
            If another process has taken over; this learner must not be used any more.
        """
        read = Ends(self.cursor.decisions, self.cursor.outcomes, self.cursor.activations)
        ends = ends_from(self.engine, read)
        with self.engine.connect() as connection:
            ripe = read_on(
                connection,
                self.lease.tenant,
                self.cursor,
                ends,
                self.reward,
                now_us,
                self.rows_at_once,
            )
        if ripe.cursor == self.cursor:
            return Step.IDLE
        cursor, archived = ripe.cursor, None
        if ripe.batch is not None:
            self.policy.update(ripe.batch)
            archived = save_policy(self.policy, self.cursor.state_spec)
            # Every step begins with what was saved, as it does in a process that takes over: Vowpal
            # Wabbit keeps counters of its own that a model which was loaded has lost.
            self.policy = load_saved(archived)
            if cursor.candidate is not None:
                candidate = with_fresh(cursor.candidate, ripe.batch)
                cursor = msgspec.structs.replace(cursor, candidate=candidate)
        with writing(self.engine) as connection:
            state = None if archived is None else archived.files
            self.lease.save(connection, cursor, state, now_us)
        self.cursor, self.saved_us = cursor, now_us
        self.archived = archived or self.archived
        through = Ends(self.cursor.decisions, self.cursor.outcomes, self.cursor.activations)
        return Step.CAUGHT_UP if through == ends else Step.BEHIND

    def renew(self, now_us: int) -> None:
        """Keep the lease.

        Raises
        ------
        LeaseLost
            If another process has taken over.
        """
        self.keep(self.cursor, now_us)

    def keep(self, cursor: Cursor, now_us: int) -> None:
        """Save a cursor that has read as far, and keep the lease.

        Raises
        ------
        LeaseLost
            If another process has taken over.
        """
        with writing(self.engine) as connection:
            self.lease.save(connection, cursor, None, now_us)
        self.cursor, self.saved_us = cursor, now_us


def take_learner(
    engine: Engine, lease: Lease, task: Task, reward: Reward, now_us: int
) -> Learner | None:
    """The learner with all that it has learned, if no other process holds it.

    Raises
    ------
    UserError
        If it was made for another task, or what was saved cannot be loaded.
    """
    saved = lease.take(engine, now_us)
    if saved is None:
        return None
    if saved.cursor is None:
        policy = new_policy(task.policy)
        return Learner(engine, lease, reward, policy, Cursor(task, saved_spec(task.policy, policy)))
    if saved.cursor.task != task:
        told = ", ".join(
            f"{name} {getattr(saved.cursor.task, name)!r}"
            for name in Task.__struct_fields__
            if getattr(saved.cursor.task, name) != getattr(task, name)
        )
        lease.release(engine)
        raise UserError(
            f"learner {lease.name!r} was made with {told}, which cannot be changed on what it has "
            "learned. Give the same options, or begin another one with --name"
        )
    if saved.state is None:
        return Learner(engine, lease, reward, new_policy(task.policy), saved.cursor)
    archived = Archive(saved.cursor.state_spec, saved.state)
    return Learner(engine, lease, reward, load_saved(archived), saved.cursor, archived)
