"""``/v1/canary``: letting a new policy earn its traffic, a share of the payments at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta
from sqlalchemy import Connection, Engine

from service.api.bodies import read_body
from service.api.experiments import (
    GUARDRAILS,
    JSON,
    Column,
    RequestedGuardrail,
    Sha256,
    Spec,
    Wait,
    read_trial,
)
from service.api.operating import Reason, refusals, refuse_unless_admin
from service.live.live import Live
from service.models.gated import overridden
from service.security.caller import caller
from service.trials.canary_word import canary_word
from service.trials.operating import (
    LARGEST_CANARY,
    MOST_SEGMENT_COLUMNS,
    SMALLEST_CANARY,
    WantedPolicy,
    promote_canary,
    set_canary_share,
    start_canary,
    stop,
    within,
)
from service.trials.trial import CANARY, CANARY_WAIT_S, LIVE, PAYMENT, Trial

CanaryShare = Annotated[float, Meta(ge=SMALLEST_CANARY, le=LARGEST_CANARY)]


class CanaryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/canary``: a model's sha256, or the spec of a policy without files.

    It decides for ``share`` of the payments; a payment counts ``wait_s`` after its first attempt.
    """

    spec: Spec | None = None
    sha256: Sha256 | None = None
    share: CanaryShare = 0.05
    segments: Annotated[list[Column], Meta(max_length=MOST_SEGMENT_COLUMNS)] = []
    guardrails: Annotated[tuple[RequestedGuardrail, ...], Meta(max_length=6)] = GUARDRAILS
    wait_s: Wait = CANARY_WAIT_S
    reason: Reason = ""


class CanaryShareRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/canary/share``."""

    share: CanaryShare
    reason: Reason = ""


class CanaryWhyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/canary/stop``."""

    reason: Reason = ""


class CanaryPromoteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/canary/promote``; ``override`` is for admins, and wants a reason."""

    reason: Reason = ""
    override: bool = False


def canary_blueprint(live: Live, engine: Engine, started: Mapping[str, str]) -> Blueprint:
    """The endpoints, for an app.

    Parameters
    ----------
    started
        by merchant, spec of the policy that the service was started with.
    """
    blueprint = Blueprint("canary", __name__)

    def answer() -> Response:
        tenant = caller().tenant
        with refusals("path"), engine.connect() as connection:
            told = read_trial(connection, tenant, CANARY, LIVE, live.serving(tenant))
        return Response(msgspec.json.encode(told), content_type=JSON)

    def changed(field: str, change: Callable[[Connection, str, str], Trial]) -> Response:
        who = caller()
        with refusals(field):
            within(engine, lambda connection: change(connection, who.tenant, who.name))
        live.refresh(engine)
        return answer()

    @blueprint.get("/v1/canary")
    def show() -> Response:
        return answer()

    @blueprint.post("/v1/canary")
    def start() -> Response:
        asked, who = read_body(request, CanaryRequest), caller()
        trial = Trial(
            kind=CANARY,
            name=CANARY,
            state="",
            arms=(),
            unit=PAYMENT,
            share=asked.share,
            salt="",
            segments=tuple(asked.segments),
            guardrails=tuple(msgspec.to_builtins(each) for each in asked.guardrails),
            wait_s=asked.wait_s,
        )
        wanted = WantedPolicy(asked.spec, asked.sha256)
        with refusals("body"):
            start_canary(engine, who.tenant, who.name, trial, wanted, asked.reason)
        live.refresh(engine)
        return answer()

    @blueprint.post("/v1/canary/share")
    def share() -> Response:
        asked = read_body(request, CanaryShareRequest)
        return changed(
            "share",
            lambda c, tenant, actor: set_canary_share(c, tenant, actor, asked.share, asked.reason),
        )

    @blueprint.post("/v1/canary/stop")
    def stopped() -> Response:
        why = read_body(request, CanaryWhyRequest).reason
        return changed("reason", lambda c, tenant, actor: stop(c, tenant, actor, CANARY, LIVE, why))

    @blueprint.post("/v1/canary/promote")
    def promoted() -> Response:
        asked, tenant = read_body(request, CanaryPromoteRequest), caller().tenant
        reason = asked.reason
        with refusals("override"), engine.connect() as connection:
            word = canary_word(connection, tenant, started[tenant], datetime.now(UTC))
            if asked.override and not word.allowed:
                refuse_unless_admin()
                reason = overridden(reason)
            else:
                word.raise_if_refused()
        return changed("reason", lambda c, tenant, actor: promote_canary(c, tenant, actor, reason))

    return blueprint
