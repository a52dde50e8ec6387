"""Models of what was learned: when one is made, and what becomes of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from authopt.learning.gate.settings import Gate
from authopt.policies.online.recommended import FLOOR
from service.learning.candidate import begun
from service.learning.cursor import Published
from service.learning.learner import Learner
from service.models.live_policy import Promoted, promote, read_live_policy
from service.models.prepared import prepared
from service.models.probes import recorded_probes
from service.models.refusals import Conflict
from service.models.registry import put_model, remove_old_models
from service.store.changes import changing
from service.trials.in_use import models_in_use

_log = logging.getLogger(__name__)

_LONGEST_ACTOR = 128

CONDITIONS = Gate(least_epsilon=FLOOR, exploration_budget=1.0)
"""Of the gate, by default. What exploring costs is in the gain already, and the recommended policy
keeps within a budget of its own, which tells more while it knows little."""


class Promote(StrEnum):
    """Whether a model becomes the live policy, unless that is pinned."""

    GATE = "gate"
    """once the gate has judged it, on decisions that it did not learn from"""
    ALWAYS = "always"
    """at once"""
    NEVER = "never"
    """people do that"""


@dataclass(frozen=True, slots=True)
class Publishing:
    """When a model is made of what was learned, and what becomes of it.

    Attributes
    ----------
    every_us
        least time between two models.
    min_outcomes
        least number of decisions that were learned since the last one; and on which the gate
        judges one.
    promote
        whether it becomes the live policy.
    keep
        the learner's newest models that stay in the registry, at least 2; the live one and the one
        before it stay too.
    gate
        conditions of the gate.
    """

    every_us: int
    min_outcomes: int
    promote: Promote = Promote.GATE
    keep: int = 200
    gate: Gate = CONDITIONS


def is_due(learner: Learner, publishing: Publishing, now_us: int) -> bool:
    """Whether it is time for a model; never while the gate still judges the one before."""
    last = learner.cursor.published
    learned = learner.counts.learned - (0 if last is None else last.learned)
    if learner.archived is None or learned < max(publishing.min_outcomes, 1):
        return False
    if publishing.promote is Promote.GATE and learner.cursor.candidate is not None:
        return False
    return last is None or now_us - last.at_us >= publishing.every_us


def publish(learner: Learner, publishing: Publishing, now_us: int) -> str:
    """Put a model of what was learned into the registry, and make it live or a candidate.

    Model, promotion and the note that it was made are one transaction.

    Returns
    -------
    str
        what came of it.

    Raises
    ------
    LeaseLost
        If another process has taken over; nothing is published then.
    UserError
        If the model cannot be loaded from its archive, or cannot answer its probes.
    """
    assert learner.archived is not None
    tenant, cursor = learner.lease.tenant, learner.cursor
    with learner.engine.connect() as connection:
        recorded = recorded_probes(connection, tenant)
    lineage = {
        "learner": learner.lease.name,
        "options": cursor.task,
        "training": {
            "decisions_through": cursor.decisions,
            "outcomes_through": cursor.outcomes,
            "counts": cursor.counts,
        },
    }
    model = prepared(learner.archived, recorded, lineage=lineage)
    made = Promoted(learner.archived.spec, model.sha256)
    cursor = msgspec.structs.replace(
        cursor,
        published=Published(model.sha256, now_us, cursor.counts.learned),
        candidate=None,
    )
    actor, reason = actor_of(learner), f"learned {cursor.counts.learned:,} decisions"
    with changing(learner.engine) as connection:
        put_model(connection, tenant, actor, model, reason)
        told = "not promoted"
        if publishing.promote is Promote.ALWAYS:
            told = promoted(connection, tenant, actor, made, reason) or "promoted"
        elif publishing.promote is Promote.GATE:
            live = read_live_policy(connection, tenant).live
            if live != made:
                learned = cursor.counts.learned
                candidate = begun(cursor, made, learned, live, publishing.min_outcomes)
                cursor = msgspec.structs.replace(cursor, candidate=candidate)
                told = f"the gate judges model {model.sha256[:12]} on what comes now"
        lives = read_live_policy(connection, tenant).promoted[-2:]
        held = {each.sha256 for each in lives if each.sha256 is not None}
        held |= models_in_use(connection, tenant)
        remove_old_models(connection, tenant, actor, publishing.keep, held)
        learner.lease.save(connection, cursor, None, now_us)
    learner.cursor = cursor
    _log.info("model %s: %s", model.sha256[:12], told)
    return told


def promoted(
    connection: Connection, tenant: str, actor: str, made: Promoted, reason: str
) -> str | None:
    """Make a model live; None, or why that cannot be."""
    try:
        promote(connection, tenant, actor, made, reason)
    except Conflict as error:
        return f"not promoted: {error}"
    return None


def actor_of(learner: Learner) -> str:
    """Who a learner is in the audit log."""
    return f"authopt learn {learner.lease.name}"[:_LONGEST_ACTOR]
