"""``GET /healthz`` (the process lives) and ``GET /readyz`` (it can do its work, or why not)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from flask import Blueprint, Response

from service.api.problems import FieldError
from service.api.problems import response as problem
from service.live.live import Live
from service.live.serving import Serving
from service.openapi.plain_answers import Ready
from service.security.caller import Scope, caller
from service.store.group_commit import GroupCommit

JSON = "application/json"
_NOT_TOLD = "something is amiss; a key with the scope read is told what"


def health_blueprint(live: Live, recorder: GroupCommit) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def alive() -> Response:
        return Response(b'{"status":"alive"}', content_type=JSON)

    @blueprint.get("/readyz")
    def ready() -> Response:
        may_know = Scope.READ in caller().scopes
        serving = live.serving(caller().tenant)
        reasons = list(_reasons(serving, recorder))
        if reasons and not may_know:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, _NOT_TOLD, [])
        if reasons:
            detail = "; ".join(f"{each.field}: {each.message}" for each in reasons)
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, reasons)
        # A worker whose next policy cannot be loaded still has its present one to work with.
        candidate = serving.candidate if may_know else None
        state = Ready("ready", recorder.spool.holds_any, candidate)
        return Response(msgspec.json.encode(state), content_type=JSON)

    return blueprint


def _reasons(serving: Serving, recorder: GroupCommit) -> list[FieldError]:
    reasons: list[FieldError] = []
    if serving.active.policy is None:
        reasons.append(FieldError("policy", serving.active.fault or "there is none"))
    fault = recorder.fault()
    if fault is not None:
        reasons.append(FieldError("store", fault))
    return reasons
