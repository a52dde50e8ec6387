"""Shadows: policies that look on, and what they would have gained."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for

from service.api.operating import refusals
from service.api.problems import Problem
from service.api.shadows import ShadowRow, read_shadows
from service.console.asking import asking
from service.console.backing import Backing
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.console.tables import Column, Table
from service.console.trial_tables import whiskers
from service.console.wanted_policy import fields_for, offered, wanted_policy
from service.security.caller import caller
from service.shadows.finding import ShadowValue
from service.store.changes import changing, history
from service.store.records import moment
from service.trials.operating import NAME_FORM
from service.trials.shadowing import SHADOW, turn_off, turn_on


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    def find(name: str) -> ShadowRow:
        with refusals("path"), backing.engine.connect() as connection:
            every = read_shadows(connection, caller().tenant)
        found = [each for each in every if each.name == name]
        if not found:
            raise Problem(HTTPStatus.NOT_FOUND, f"there is no shadow {name[:64]!r}")
        return found[0]

    @blueprint.get("/policies/shadows/<name>", endpoint="shadow")
    def show(name: str) -> Response:
        shadow = find(name)
        with refusals("path"), backing.engine.connect() as connection:
            told = history(connection, caller().tenant, SHADOW, name)
        rows = [
            {
                "changed_at": moment(each.changed_at_us),
                "state": each.value["state"],
                "spec": each.value["spec"],
                "actor": each.actor,
                "reason": each.reason or None,
            }
            for each in reversed(told)
        ]
        segments = _segments(shadow.found)
        return page(
            "shadow.html",
            title=f"Shadow {name}",
            here="policies",
            tables=(segments, _history(rows)),
            shadow=shadow,
            whole=(shadow.found or {}).get("whole"),
            fits=_propensities_fit(shadow.found),
            drawn=whiskers(segments.rows),
        )

    @blueprint.get("/policies/shadow-on", endpoint="shadow_start")
    def on_asked(refused: str | None = None) -> Response:
        with refusals("models"), backing.engine.connect() as connection:
            models = offered(connection, caller().tenant)
        name = {
            "name": "name",
            "label": "Name",
            "required": True,
            "maxlength": 64,
            "hint": NAME_FORM.capitalize() + ".",
        }
        fields = [name, *fields_for(models)]
        fields[1]["value"] = request.args.get("model", "")[:12]
        return asking(
            "Turn a shadow on",
            here="policies",
            what="It is asked about every payment, and decides none.",
            button="Turn it on",
            back=url_for("console.policies"),
            fields=fields,
            refused=refused,
        )

    @blueprint.post("/policies/shadow-on", endpoint="shadow_start_sent")
    def on_sent() -> Response:
        who, reason = caller(), given_reason()
        name = request.form.get("name", "").strip()
        try:
            with refusals("shadow"):
                turn_on(backing.engine, who.tenant, who.name, name, wanted_policy(), reason)
        except Problem as problem:
            return on_asked(problem.detail)
        return done(f"Shadow {name} is on.", url_for("console.shadow", name=name))

    @blueprint.get("/policies/shadows/<name>/off", endpoint="shadow_off")
    def off_asked(name: str) -> Response:
        find(name)
        return asking(
            f"Turn shadow {name} off",
            here="policies",
            what="It is asked no more; what was found of it stays.",
            button="Turn it off",
            back=url_for("console.shadow", name=name),
        )

    @blueprint.post("/policies/shadows/<name>/off", endpoint="shadow_off_sent")
    def off_sent(name: str) -> Response:
        who, reason = caller(), given_reason()
        with refusals("path"), changing(backing.engine) as connection:
            turn_off(connection, who.tenant, who.name, name, reason)
        return done(f"Shadow {name} is off.", url_for("console.shadow", name=name))


def _propensities_fit(found: dict[str, Any] | None) -> bool:
    return found is None or msgspec.convert(found["whole"], ShadowValue).propensities_fit


def _segments(found: dict[str, Any] | None) -> Table:
    rows = []
    for each in (found or {}).get("segments", []):
        value = each["value"]
        rows.append(
            {
                "name": each["name"],
                "column": each["column"],
                "judged": value["judged"],
                "live": value["live"],
                "value": value["value"],
                "estimate": value["difference"],
                "lower": value["lower"],
                "upper": value["upper"],
                "effective": value["effective_sample"],
            }
        )
    return Table(
        "segments",
        "By payments alike; the limits of each segment hold by themselves",
        (
            Column("name", "segment"),
            Column("column", "column", "code"),
            Column("judged", "decisions", "count"),
            Column("live", "live", "rate"),
            Column("value", "shadow", "rate"),
            Column("estimate", "difference", "points"),
            Column("lower", "from", "points"),
            Column("upper", "to", "points"),
            Column("effective", "tells as much as", "count"),
        ),
        rows,
    )


def _history(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "history",
        "What was done with it",
        (
            Column("changed_at", "when (UTC)", "moment"),
            Column("state", "state", "tag"),
            Column("spec", "policy", "code"),
            Column("actor", "who"),
            Column("reason", "why"),
        ),
        rows,
    )
