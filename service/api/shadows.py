"""``/v1/shadows``: policies that look on, and what they would have done."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from flask import Blueprint, Response, request
from sqlalchemy import Connection, Engine

from service.api.bodies import read_body
from service.api.experiments import JSON, Sha256, Spec, TrialName
from service.api.operating import Reason, refusals
from service.security.caller import caller
from service.store.changes import changing, present
from service.store.records import moment
from service.trials.operating import WantedPolicy
from service.trials.shadowing import SHADOW, turn_off, turn_on
from service.watch.findings import findings_of


class ShadowRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/shadows``: a model's sha256, or the spec of a policy without files."""

    name: TrialName
    spec: Spec | None = None
    sha256: Sha256 | None = None
    reason: Reason = ""


class ShadowWhyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/shadows/{name}/off``."""

    reason: Reason = ""


class ShadowRow(msgspec.Struct, frozen=True):
    """A shadow, and what was found of it when its watcher last looked."""

    name: str
    state: Literal["on", "off"]
    spec: str
    sha256: str | None
    changed_at: datetime
    changed_by: str
    reason: str
    found_at: datetime | None
    found: dict[str, Any] | None


class ShadowsAnswer(msgspec.Struct, frozen=True):
    """The merchant's shadows by name."""

    shadows: list[ShadowRow]


def shadows_blueprint(engine: Engine) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("shadows", __name__)

    def answer() -> Response:
        with refusals("shadows"), engine.connect() as connection:
            told = ShadowsAnswer(read_shadows(connection, caller().tenant))
        return Response(msgspec.json.encode(told), content_type=JSON)

    @blueprint.get("/v1/shadows")
    def every() -> Response:
        return answer()

    @blueprint.post("/v1/shadows")
    def on() -> Response:
        asked, who = read_body(request, ShadowRequest), caller()
        wanted = WantedPolicy(asked.spec, asked.sha256)
        with refusals("body"):
            turn_on(engine, who.tenant, who.name, asked.name, wanted, asked.reason)
        return answer()

    @blueprint.post("/v1/shadows/<name>/off")
    def off(name: str) -> Response:
        asked, who = read_body(request, ShadowWhyRequest), caller()
        with refusals("path"), changing(engine) as connection:
            turn_off(connection, who.tenant, who.name, name, asked.reason)
        return answer()

    return blueprint


def read_shadows(connection: Connection, tenant: str) -> list[ShadowRow]:
    """The shadows of a merchant by name, those that are off as well."""
    found = {each.subject: each for each in findings_of(connection, tenant, SHADOW)}
    return [
        ShadowRow(
            name,
            change.value["state"],
            change.value["spec"],
            change.value["sha256"],
            moment(change.changed_at_us),
            change.actor,
            change.reason,
            moment(found[name].found_at_us) if name in found else None,
            found[name].content if name in found else None,
        )
        for (kind, name), change in sorted(present(connection, tenant).items())
        if kind == SHADOW
    ]
