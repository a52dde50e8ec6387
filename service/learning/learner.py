"""The learner: reads on, updates its policy, saves it with the cursor, and publishes it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum

import msgspec
from sqlalchemy import Engine

from authopt.errors import UserError
from authopt.policies.protocol import LearningPolicy
from authopt.rewards import Reward
from service.learning.cursor import Counts, Cursor, Published, Task
from service.learning.learned_policy import load_saved, new_policy, save_policy, saved_spec
from service.learning.lease import Lease
from service.learning.reading import read_on
from service.models.archive import Archive
from service.models.live_policy import Promoted, promote, read_live_policy
from service.models.probes import recorded_probes
from service.models.refusals import Conflict
from service.models.registry import prepared, put_model, remove_old_models
from service.store.changes import changing, writing
from service.store.reading_on import Ends, ends_from
from service.trials.in_use import models_in_use

_log = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_000
"""Rows of each table that are read before what was learned of them is saved."""


class Step(Enum):
    """What came of a step."""

    IDLE = "there was nothing to read"
    CAUGHT_UP = "all that is there was read"
    BEHIND = "there is more to read"


@dataclass(frozen=True, slots=True)
class Publishing:
    """When a model is made of what was learned.

    Attributes
    ----------
    every_us
        least time between two models.
    min_outcomes
        least number of decisions that were learned since the last one.
    is_promoted
        whether it becomes the live policy, unless that is pinned.
    keep
        the learner's newest models that stay in the registry, at least 2; the live one and the one
        before it stay too.
    """

    every_us: int
    min_outcomes: int
    is_promoted: bool = True
    keep: int = 200


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
        archived = None
        if ripe.batch is not None:
            self.policy.update(ripe.batch)
            archived = save_policy(self.policy, self.cursor.state_spec)
            # Every step begins with what was saved, as it does in a process that takes over: Vowpal
            # Wabbit keeps counters of its own that a model which was loaded has lost.
            self.policy = load_saved(archived)
        with writing(self.engine) as connection:
            state = None if archived is None else archived.files
            self.lease.save(connection, ripe.cursor, state, now_us)
        self.cursor, self.saved_us = ripe.cursor, now_us
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
        with writing(self.engine) as connection:
            self.lease.save(connection, self.cursor, None, now_us)
        self.saved_us = now_us

    def is_due(self, publishing: Publishing, now_us: int) -> bool:
        """Whether it is time for a model."""
        last = self.cursor.published
        learned = self.counts.learned - (0 if last is None else last.learned)
        if self.archived is None or learned < max(publishing.min_outcomes, 1):
            return False
        return last is None or now_us - last.at_us >= publishing.every_us

    def publish(self, publishing: Publishing, now_us: int) -> str:
        """Put a model of what was learned into the registry, and make it live.

        Model, promotion and the note that it was made are one transaction.

        Returns
        -------
        str
            what came of it: ``promoted``, or why it was not.

        Raises
        ------
        LeaseLost
            If another process has taken over; nothing is published then.
        UserError
            If the model cannot be loaded from its archive, or cannot answer its probes.
        """
        assert self.archived is not None
        tenant, name = self.lease.tenant, self.lease.name
        with self.engine.connect() as connection:
            recorded = recorded_probes(connection, tenant)
        lineage = {
            "learner": name,
            "options": self.cursor.task,
            "training": {
                "decisions_through": self.cursor.decisions,
                "outcomes_through": self.cursor.outcomes,
                "counts": self.counts,
            },
        }
        model = prepared(self.archived, recorded, lineage=lineage)
        cursor = msgspec.structs.replace(
            self.cursor, published=Published(model.sha256, now_us, self.counts.learned)
        )
        actor, reason = f"authopt learn {name}"[:128], f"learned {self.counts.learned:,} decisions"
        with changing(self.engine) as connection:
            self.lease.save(connection, cursor, None, now_us)
            put_model(connection, tenant, actor, model, reason)
            told = "not promoted"
            if publishing.is_promoted:
                try:
                    promoted = Promoted(self.archived.spec, model.sha256)
                    promote(connection, tenant, actor, promoted, reason)
                    told = "promoted"
                except Conflict as error:
                    told = f"not promoted: {error}"
            lives = read_live_policy(connection, tenant).promoted[-2:]
            held = {each.sha256 for each in lives if each.sha256 is not None}
            held |= models_in_use(connection, tenant)
            remove_old_models(connection, tenant, actor, publishing.keep, held)
        self.cursor = cursor
        _log.info("model %s %s", model.sha256[:12], told)
        return told


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
