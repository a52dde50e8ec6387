"""``/v1/policies``: which policy is live, and changing that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta
from sqlalchemy import Connection, Engine

from service.api.bodies import read_body
from service.api.operating import Reason, refusals, refuse_unless_admin
from service.api.problems import FieldError, Problem
from service.live.live import Live
from service.live.serving import Serving
from service.models.gated import promote_by_gate, promote_unjudged
from service.models.kill_switch import DECISIONS, KILL, set_killed
from service.models.live_policy import LIVE, POLICY, live_policy, roll_back, set_pinned
from service.security.caller import caller
from service.store.changes import changing, history
from service.store.records import moment

JSON = "application/json"
SHOWN = 100
"""Changes in an answer."""

_ONE_OF = "expected either sha256 or spec"


class PromoteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/policies/promote``: a model's sha256, or the spec of a policy without files.

    The gate's verdict in the model's lineage must let it through. An admin may ``override`` the
    gate, with a reason; a policy without files needs that always.
    """

    sha256: Annotated[str, Meta(min_length=6, max_length=64, pattern=r"\A[0-9a-f]+\Z")] | None = (
        None
    )
    spec: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    reason: Reason = ""
    override: bool = False


class RollbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/policies/rollback``; with ``pin``, nothing replaces what was gone back to."""

    reason: Reason = ""
    pin: bool = True


class WhyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/policies/pin``, ``unpin``, ``kill`` and ``revive``."""

    reason: Reason = ""


class PolicyNow(msgspec.Struct, frozen=True):
    """A policy that answers; without a spec it is the one that the service was started with."""

    name: str
    spec: str | None
    sha256: str | None


class PolicyChange(msgspec.Struct, frozen=True):
    """One change of what is live: ``by`` is promote, rollback, pin, unpin, kill or revive."""

    number: int
    changed_at: datetime
    actor: str
    by: str
    spec: str | None
    sha256: str | None
    pinned: bool | None
    reason: str


class PoliciesAnswer(msgspec.Struct, frozen=True):
    """What is live.

    ``killed`` says why the static priority decides, ``candidate`` what should be live and could not
    be loaded; null where that is not so. ``history`` has the last 100 changes, the newest at its
    end; ``GET /v1/changes`` has all.
    """

    live: PolicyNow
    pinned: bool
    killed: str | None
    candidate: str | None
    history: list[PolicyChange]


def policies_blueprint(live: Live, engine: Engine, started: Mapping[str, str]) -> Blueprint:
    """The endpoints, for an app.

    Parameters
    ----------
    started
        by merchant, spec of the policy that the service was started with.
    """
    blueprint = Blueprint("policies", __name__)

    def changed(field: str, change: Callable[[str, str], Any]) -> Response:
        who = caller()
        with refusals(field):
            change(who.tenant, who.name)
        # This worker answers from the new state at once; the others follow within a second.
        live.refresh(engine)
        return answer()

    def answer() -> Response:
        tenant = caller().tenant
        with refusals("policies"), engine.connect() as connection:
            told = read_policies(connection, tenant, live.serving(tenant))
        return Response(msgspec.json.encode(told), content_type=JSON)

    def within(change: Callable[[Connection, str, str], Any]) -> Callable[[str, str], None]:
        def run(tenant: str, actor: str) -> None:
            with changing(engine) as connection:
                change(connection, tenant, actor)

        return run

    @blueprint.get("/v1/policies")
    def show() -> Response:
        return answer()

    @blueprint.post("/v1/policies/promote")
    def promote() -> Response:
        asked = read_body(request, PromoteRequest)
        sha256, spec, reason, override = asked.sha256, asked.spec, asked.reason, asked.override
        if override:
            refuse_unless_admin()
        if sha256 is not None and spec is None:
            return changed(
                "sha256",
                lambda who, name: promote_by_gate(
                    engine, who, name, sha256, reason, started=started[who], override=override
                ),
            )
        if spec is not None and sha256 is None:
            return changed(
                "spec",
                lambda who, name: promote_unjudged(
                    engine, who, name, spec, reason, override=override
                ),
            )
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"the body: {_ONE_OF}", FieldError("body", _ONE_OF)
        )

    @blueprint.post("/v1/policies/rollback")
    def rollback() -> Response:
        asked = read_body(request, RollbackRequest)
        return changed(
            "reason",
            within(lambda c, who, name: roll_back(c, who, name, asked.reason, pin=asked.pin)),
        )

    def switch(change: Callable[[Connection, str, str, bool, str], Any], on: bool) -> Response:
        asked = read_body(request, WhyRequest)
        return changed(
            "reason",
            within(lambda c, who, name: change(c, who, name, on, asked.reason)),
        )

    @blueprint.post("/v1/policies/pin")
    def pin() -> Response:
        return switch(set_pinned, True)

    @blueprint.post("/v1/policies/unpin")
    def unpin() -> Response:
        return switch(set_pinned, False)

    @blueprint.post("/v1/policies/kill")
    def kill() -> Response:
        return switch(set_killed, True)

    @blueprint.post("/v1/policies/revive")
    def revive() -> Response:
        return switch(set_killed, False)

    return blueprint


def read_policies(connection: Connection, tenant: str, serving: Serving) -> PoliciesAnswer:
    """What is live for a merchant by the store, and what a worker makes of it."""
    told = history(connection, tenant, POLICY, LIVE)
    killed = history(connection, tenant, KILL, DECISIONS)
    state = live_policy(told)
    wanted = None if serving.candidate is not None else state.live
    every = sorted([*told, *killed], key=lambda each: each.number)[-SHOWN:]
    return PoliciesAnswer(
        live=PolicyNow(
            serving.active.name, None if wanted is None else wanted.spec, serving.active.sha256
        ),
        pinned=state.pinned,
        killed=serving.killed,
        candidate=serving.candidate,
        history=[
            PolicyChange(
                each.number,
                moment(each.changed_at_us),
                each.actor,
                each.value["by"] if each.kind == POLICY else _switched(each.value["killed"]),
                each.value.get("spec"),
                each.value.get("sha256"),
                each.value.get("pinned"),
                each.reason,
            )
            for each in every
        ],
    )


def _switched(killed: bool) -> str:
    return "kill" if killed else "revive"
