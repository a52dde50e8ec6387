"""``GET /healthz`` (the process lives) and ``GET /readyz`` (it can do its work, or why not)."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response
from sqlalchemy.exc import SQLAlchemyError

from service.active_policy import ActivePolicy
from service.api.problems import FieldError
from service.api.problems import response as problem
from service.store.group_commit import GroupCommit

JSON = "application/json"


def health_blueprint(active: ActivePolicy, recorder: GroupCommit) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def alive() -> Response:
        return Response(b'{"status":"alive"}', content_type=JSON)

    @blueprint.get("/readyz")
    def ready() -> Response:
        reasons = list(_reasons(active, recorder))
        if reasons:
            detail = "; ".join(f"{each.field}: {each.message}" for each in reasons)
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, reasons)
        spooled = b"true" if recorder.spool.holds_any else b"false"
        return Response(b'{"status":"ready","spooled":' + spooled + b"}", content_type=JSON)

    return blueprint


def _reasons(active: ActivePolicy, recorder: GroupCommit) -> list[FieldError]:
    reasons: list[FieldError] = []
    if active.policy is None:
        reasons.append(FieldError("policy", active.fault or "there is none"))
    try:
        recorder.store.check()
    except SQLAlchemyError as error:
        reasons.append(FieldError("store", f"cannot be written: {type(error).__name__}"))
    return reasons
