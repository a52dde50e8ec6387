"""Promotion by the word of the gate, or against it by a person who answers for it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine

from authopt.errors import UserError
from authopt.learning.gate.verdict import Override
from authopt.rollout.promotion import Promotion, Word
from service.models.gate_word import gate_word
from service.models.live_policy import Promoted, promote_model, promote_spec
from service.models.registry import find_model
from service.store.changes import MAX_REASON


def promote_by_gate(
    engine: Engine,
    tenant: str,
    actor: str,
    sha256: str,
    reason: str,
    *,
    started: str,
    override: bool = False,
) -> Promotion:
    """Make a model live if the gate let it through.

    Parameters
    ----------
    sha256
        of the model, or its first characters.
    started
        spec of the policy that the service was started with: live where nothing was promoted.
    override
        whether ``actor`` answers for it, with ``reason``, where the gate did not.

    Returns
    -------
    Promotion
        what was said of it.

    Raises
    ------
    PromotionRefused
        With the gate's reasons, if it did not let the model through and is not overridden.
    UserError
        If the gate is overridden without a reason.
    NotThere, Conflict
        As of ``promote_model``.
    """
    now = datetime.now(UTC)
    why = overridden(reason) if override else reason
    with engine.connect() as connection:
        model = find_model(connection, tenant, sha256)
        answer = Override(actor, now, reason) if override else None
        word = gate_word(connection, tenant, model, started, now, answer)
    word.raise_if_refused()
    if word.word is Word.ADMITTED:
        why = reason
    promote_model(engine, tenant, actor, model.sha256, why)
    return word


def promote_unjudged(
    engine: Engine, tenant: str, actor: str, spec: str, reason: str, *, override: bool
) -> Promoted:
    """Make a policy without files live, which no verdict can speak for.

    Raises
    ------
    UserError
        If the gate is not overridden, there is no reason, or the spec is unsound.
    Conflict
        As of ``promote_spec``.
    """
    if not override:
        raise UserError(
            f"{spec!r} is no model of the registry, so no verdict of the gate can speak for it; "
            "override the gate, with a reason"
        )
    return promote_spec(engine, tenant, actor, spec, overridden(reason))


def overridden(reason: str) -> str:
    """A reason as it is recorded where a person answers in the gate's place.

    Raises
    ------
    UserError
        If there is none.
    """
    if not reason:
        raise UserError("the gate is overridden only with a reason; say why")
    return f"Gate overridden: {reason}"[:MAX_REASON]
