"""``GET /v1/decisions/{decision_id}/explanation``: why a decision on record was made."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import numpy as np
from flask import Blueprint, Response
from sqlalchemy import Connection, Engine, select

from authopt.batch import LoggedBatch
from authopt.explaining.decision import explain_decision
from authopt.explaining.explanation import DecisionExplained
from authopt.policies.protocol import Policy
from authopt.rewards import DEFAULT_REWARD
from service.api.forms import DecisionAnswer, DecisionRequest, OutcomeRequest, RemovedAction
from service.api.operating import refusals
from service.api.problems import FieldError, Problem
from service.live.live import Live
from service.live.routes import weights_at
from service.live.weighted import Weighted
from service.models.recorded_policy import RecordedPolicies
from service.security.caller import caller
from service.store.carried_out import CarriedOut
from service.store.export import batch_of, column_kinds
from service.store.joining import JoinRules, Told, joined
from service.store.tables import decisions, outcomes

JSON = "application/json"
CLOSE = 1e-9
"""Most that a probability on record and the same one computed again may differ."""

_ANSWER = msgspec.json.Decoder(DecisionAnswer)
_REQUEST = msgspec.json.Decoder(DecisionRequest)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
_NOT_THERE = "names no decision of yours on record"


class ExplanationAnswer(msgspec.Struct, frozen=True):
    """Why a decision was made.

    ``fallback`` says why the static priority made it; then there is no ``explanation``. ``removed``
    are the actions that rules or operators removed. ``weights`` are those that operators had given
    to routes; the explanation is of the policy without them. ``agrees`` says whether the policy,
    asked again, gives the probabilities on record.
    """

    decision_id: str
    policy: str
    model_sha256: str | None
    fallback: str | None
    removed: list[RemovedAction]
    weights: dict[str, float]
    agrees: bool | None
    explanation: DecisionExplained | None


def explain_blueprint(live: Live, engine: Engine) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("explain", __name__)
    policies = RecordedPolicies()

    @blueprint.get("/v1/decisions/<decision_id>/explanation")
    def explain(decision_id: str) -> Response:
        tenant = caller().tenant
        with refusals("path"), engine.connect() as connection:
            row = connection.execute(
                select(decisions).where(
                    decisions.c.tenant == tenant, decisions.c.decision_id == decision_id
                )
            ).one_or_none()
            if row is None:
                raise Problem(
                    HTTPStatus.NOT_FOUND,
                    f"decision_id {_NOT_THERE}",
                    FieldError("decision_id", _NOT_THERE),
                )
            policy = policies.of(connection, tenant, row, live.started(tenant))
            told = _told(connection, tenant, decision_id)
            weights = weights_at(connection, tenant, row.decided_at_us)
        answer = explanation(row, policy, told, weights)
        return Response(msgspec.json.encode(answer), content_type=JSON)

    return blueprint


def explanation(
    row: Any, policy: Policy | None, told: Sequence[Told], weights: dict[str, float]
) -> ExplanationAnswer:
    """Explain a row of the table ``decisions``.

    Parameters
    ----------
    row
        of the decision.
    policy
        who made it; None: the static priority.
    told
        what came back.
    weights
        of the routes, as they were then.
    """
    answer = _ANSWER.decode(row.answer)
    explained: DecisionExplained | None = None
    agrees: bool | None = None
    if policy is not None:
        one = _one(row, answer, told)
        explained = explain_decision(one, policy, salt=row.salt)
        found = Weighted(policy, weights).probabilities(one.decisions())
        recorded = np.array([each.probability for each in answer.actions])
        agrees = bool(np.abs(found - recorded).max() <= CLOSE)
    return ExplanationAnswer(
        row.decision_id,
        row.policy,
        row.model_sha256,
        row.fallback,
        answer.removed,
        weights,
        agrees,
        explained,
    )


def _one(row: Any, answer: DecisionAnswer, told: Sequence[Told]) -> LoggedBatch:
    request = _REQUEST.decode(row.request)
    made = CarriedOut(row, answer, request, row.route, row.delay_s, row.propensity)
    came_back = joined(row.decision_id, made.due_us, told, JoinRules(), 0).outcome
    kinds, features = column_kinds([request])
    outcome = came_back or OutcomeRequest(row.decision_id)
    return batch_of([made], [outcome], kinds, features, DEFAULT_REWARD, True)


def _told(connection: Connection, tenant: str, decision_id: str) -> list[Told]:
    rows = connection.execute(
        select(outcomes.c.received_at_us, outcomes.c.outcome)
        .where(outcomes.c.tenant == tenant, outcomes.c.decision_id == decision_id)
        .order_by(outcomes.c.number)
    )
    return [Told(received_at_us, _OUTCOME.decode(text)) for received_at_us, text in rows]
