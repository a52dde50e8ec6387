"""The gate's word on a candidate of the learner: it becomes live, is refused, or is judged on.

One candidate is judged at a time, and no newer model is made meanwhile. It is looked at once there
are as many fresh decisions as the learner was told, and where these are too few to tell, again
whenever they have doubled. On more than it has learned from it is not judged: by then a model that
has learned from these too is the better candidate.

What is live may be an earlier model of the same learner. Then the candidate is the same policy
which has learned on, and passes unless it is shown to be worse by more than exploring may cost, or
in a segment by more than the tolerance, or fails a guardrail. Where somebody else made what is
live, it has to be shown to be better.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from authopt.learning.gate.verdict import GateVerdict
from authopt.rollout.promotion import Promotion, Word
from service.learning.candidate import against, begun, made_of
from service.learning.cursor import Candidate, Cursor, Judged
from service.learning.learner import Learner
from service.learning.look import look
from service.learning.publishing import Publishing, actor_of, promoted
from service.models.judged import as_reason, put_verdict, record_word
from service.models.live_policy import Promoted, read_live_policy
from service.models.refusals import NotThere
from service.models.registry import find_model
from service.store.changes import changing
from service.store.lease import LeaseLost

_log = logging.getLogger(__name__)


def judge_candidate(
    learner: Learner,
    publishing: Publishing,
    now_us: int,
    between: Callable[[], None] = lambda: None,
) -> str | None:
    """Judge the candidate, if there is one and it is time.

    Verdict, promotion and what the learner notes of them are one transaction: where it is killed
    before, the same decisions are judged again.

    Parameters
    ----------
    learner
        that holds its lease.
    publishing
        with the conditions.
    now_us
        microseconds since 1970, UTC.
    between
        is called now and then while decisions are read.

    Returns
    -------
    str or None
        what came of it, for people; None where there is nothing to tell.

    Raises
    ------
    LeaseLost
        If another process has taken over.
    """
    candidate, tenant = learner.cursor.candidate, learner.lease.tenant
    if candidate is None:
        return None
    with learner.engine.connect() as connection:
        dropped = _dropped_because(connection, tenant, candidate)
        live = read_live_policy(connection, tenant).live
    name = f"model {candidate.sha256[:12]}"
    if dropped is not None:
        judged = Judged(candidate.sha256, "dropped", dropped, [], candidate.fresh, now_us)
        learner.keep(_after(learner.cursor, judged), now_us)
        return f"{name} is not judged any more: {dropped}"
    if against(live) != candidate.against:
        anew = begun(
            learner.cursor, made_of(candidate), candidate.learned, live, publishing.min_outcomes
        )
        learner.keep(msgspec.structs.replace(learner.cursor, candidate=anew), now_us)
        return f"{name}: what is live has changed, so its judgement begins again"
    if candidate.fresh < candidate.look_at:
        return None
    verdict: GateVerdict | None = None
    try:
        verdict, word = look(learner, candidate, live, publishing.gate, now_us, between)
    except (LeaseLost, SQLAlchemyError):
        raise
    except Exception as error:
        why = str(error) if isinstance(error, UserError) else type(error).__name__
        _log.error("%s cannot be judged: %s", name, why)
        word = Promotion(Word.REFUSED, "it cannot be judged", (why,))
    told = _keep(learner, candidate, live, verdict, word, now_us)
    return f"{name}, {candidate.fresh:,} fresh decisions: {told}"


def _keep(
    learner: Learner,
    candidate: Candidate,
    live: Promoted | None,
    verdict: GateVerdict | None,
    word: Promotion,
    now_us: int,
) -> str:
    """Save what a look found, and do what follows from it; what that is, for people."""
    tenant, cursor = learner.lease.tenant, learner.cursor
    with changing(learner.engine) as connection:
        if (
            _dropped_because(connection, tenant, candidate) is not None
            or read_live_policy(connection, tenant).live != live
        ):
            # What follows from that is seen the next time.
            return "what was found does not count, as people changed something meanwhile"
        if verdict is not None:
            put_verdict(connection, tenant, candidate.sha256, verdict)
        if verdict is not None and verdict.is_open and candidate.fresh < candidate.learned:
            look_at = min(2 * candidate.fresh, candidate.learned)
            further = msgspec.structs.replace(candidate, looks=list(verdict.looks), look_at=look_at)
            cursor = msgspec.structs.replace(cursor, candidate=further)
            told = f"too few to tell, the next look is at {look_at:,}"
        else:
            judged = _decide(connection, learner, candidate, word, now_us)
            cursor = _after(cursor, judged)
            told = f"{judged.became}, {judged.why}"
        learner.lease.save(connection, cursor, None, now_us)
    learner.cursor, learner.saved_us = cursor, now_us
    return "\n  ".join((told, *word.reasons))


def _decide(
    connection: Connection, learner: Learner, candidate: Candidate, word: Promotion, now_us: int
) -> Judged:
    tenant, actor = learner.lease.tenant, actor_of(learner)
    record_word(connection, tenant, actor, candidate.sha256, word.allowed, word.why, word.reasons)
    became, why = "refused", word.why
    if word.allowed:
        reason = as_reason(word.why)
        hindrance = promoted(connection, tenant, actor, made_of(candidate), reason)
        became = "promoted" if hindrance is None else "passed"
        why = why if hindrance is None else f"{why}; {hindrance}"
    return Judged(candidate.sha256, became, why, list(word.reasons), candidate.fresh, now_us)


def _after(cursor: Cursor, judged: Judged) -> Cursor:
    return msgspec.structs.replace(cursor, candidate=None, judged=judged)


def _dropped_because(connection: Connection, tenant: str, candidate: Candidate) -> str | None:
    """What people did that leaves nothing to judge; None where they did no such thing."""
    try:
        if find_model(connection, tenant, candidate.sha256).retired:
            return "it was retired"
    except NotThere:
        return "it is not in the registry any more"
    live = read_live_policy(connection, tenant).live
    return "it is live already" if live == made_of(candidate) else None
