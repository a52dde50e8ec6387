"""Alarms: what fires now and what to do about it, what has fired, and whether it was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection, select

from service.alarms.standing import alarm_history, firing_alarms
from service.api.operating import refusals
from service.console.backing import Backing
from service.console.form_values import LARGEST, whole
from service.console.frame import page
from service.console.pages.payments import search_address
from service.console.tables import Column, Row, Table
from service.security.caller import caller
from service.store.changes import Change
from service.store.records import moment
from service.store.tables import changes, deliveries

SHOWN = 50

_TO_DO: Mapping[str, tuple[str, str]] = {
    "route-down": ("take the route down", "route_down"),
    "rate": ("see routes and issuers", "routes"),
    "fallback": ("see what is live", "policies"),
    "outcomes-missing": ("see payments", "payments"),
    "propensity": ("see what is live", "policies"),
    "rule-fees": ("see payments", "payments"),
    "features": ("see routes and issuers", "routes"),
}
"""By the kind of an alarm, what to do next, and on which page."""

_SEARCHED = ("route", "issuer", "country", "network", "currency", "merchant")
"""Dimensions of alarms whose payments can be looked for."""


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the page."""

    @blueprint.get("/alarms", endpoint="alarms")
    def alarms() -> Response:
        tenant = caller().tenant
        before = whole(request.args, "before", 1, LARGEST, 0) or None
        with refusals("alarms"), backing.engine.connect() as connection:
            firing = firing_alarms(connection, tenant)
            told = alarm_history(connection, tenant, SHOWN + 1, before)
            sent = _sent(connection, tenant)
        older = told[SHOWN - 1].number if len(told) > SHOWN else None
        return page(
            "alarms.html",
            title="Alarms",
            here="alarms",
            tables=(_firing(firing), _history(told[:SHOWN]), _deliveries(sent)),
            before=before,
            older=older,
        )


def _firing(firing: Sequence[Change]) -> Table:
    def link(row: Row) -> str | None:
        where = _TO_DO.get(row["kind"], ("", ""))[1]
        if where == "route_down":
            return url_for("console.route_down", route=row["value"])
        return url_for(f"console.{where}") if where else None

    def payments(row: Row) -> str | None:
        known = row["dimension"] in _SEARCHED and row["value"] not in ("", "other")
        return search_address(**{row["dimension"]: row["value"]}) if known else None

    return Table(
        "firing",
        "Firing now",
        (
            Column("alarm", "alarm", "code"),
            Column("state", "state", "tag"),
            Column("since", "since (UTC)", "moment"),
            Column("what", "what"),
            Column("to_do", "next", "text", link),
            Column("figures", "figures", "text", payments),
        ),
        [_row(each) | {"row_id": f"alarm-{each.number}"} for each in firing],
        "No alarm.",
    )


def _history(told: Sequence[Change]) -> Table:
    return Table(
        "history",
        "Raised and resolved, newest first",
        (
            Column("changed_at", "when (UTC)", "moment"),
            Column("alarm", "alarm", "code"),
            Column("state", "state", "tag"),
            Column("since", "since (UTC)", "moment"),
            Column("what", "what"),
            Column("actor", "by"),
        ),
        [_row(each) for each in told],
        "Nothing was ever raised.",
    )


def _row(change: Change) -> dict[str, Any]:
    value = change.value
    kind = value.get("kind") or change.subject.partition(":")[0]
    return {
        "alarm": change.subject,
        "kind": kind,
        "dimension": value.get("dimension", ""),
        "value": value.get("value", ""),
        "state": value["state"],
        "since": moment(value["since_us"]),
        "changed_at": moment(change.changed_at_us),
        "what": value["what"],
        "to_do": _TO_DO.get(kind, ("see below", ""))[0],
        "figures": ", ".join(
            f"{name.replace('_', ' ')} {_figure(figure)}"
            for name, figure in value["figures"].items()
        ),
        "actor": change.actor,
    }


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sent(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    query = (
        select(deliveries, changes.c.subject)
        .join(changes, changes.c.number == deliveries.c.change)
        .where(deliveries.c.tenant == tenant)
        .order_by(deliveries.c.number.desc())
        .limit(SHOWN)
    )
    return [
        {
            "alarm": row.subject,
            "channel": row.channel,
            "state": "delivered"
            if row.delivered_at_us is not None
            else "failing"
            if row.fault
            else "waiting",
            "tries": row.tries,
            "delivered_at": None if row.delivered_at_us is None else moment(row.delivered_at_us),
            "next_try": None if row.delivered_at_us is not None else moment(row.next_try_us),
            "fault": row.fault,
        }
        for row in connection.execute(query)
    ]


def _deliveries(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "deliveries",
        f"Messages on their way out, the last {SHOWN}",
        (
            Column("alarm", "alarm", "code"),
            Column("channel", "channel", "code"),
            Column("state", "state", "tag"),
            Column("tries", "tries", "count"),
            Column("delivered_at", "delivered (UTC)", "moment_s"),
            Column("next_try", "next try (UTC)", "moment_s"),
            Column("fault", "fault"),
        ),
        rows,
        "None: there was no alarm, or the configuration names no channel.",
    )
