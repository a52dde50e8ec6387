"""The audit log: every change, with who made it, when and why."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection, Select, select

from service.api.operating import refusals
from service.console.backing import Backing
from service.console.change_words import in_words
from service.console.form_values import LARGEST, refused, whole
from service.console.frame import page
from service.console.tables import Column, Row, Table
from service.security.caller import Scope, caller
from service.store.records import microseconds, moment
from service.store.tables import changes

SHOWN = 100
_SHA256 = re.compile(r"[0-9a-f]{64}")
KINDS = (
    "policy",
    "model",
    "canary",
    "experiment",
    "shadow",
    "route",
    "kill",
    "alarm",
    "report",
    "user",
    "key",
)


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the page."""

    @blueprint.get("/audit", endpoint="audit")
    def audit() -> Response:
        asked = {name: request.args.get(name, "").strip() for name in _FIELDS}
        before = whole(request.args, "before", 1, LARGEST, 0) or None
        query = _query(caller().tenant, asked, before)
        with refusals("audit"), backing.engine.connect() as connection:
            rows = _rows(connection, query.limit(SHOWN + 1))
        older = rows[SHOWN - 1]["number"] if len(rows) > SHOWN else None
        kinds = [("", "all"), *((kind, kind) for kind in KINDS)]
        fields: list[dict[str, Any]] = [
            {"name": "actor", "label": "Who"},
            {"name": "kind", "label": "Kind", "kind": "select", "options": kinds},
            {"name": "subject", "label": "Subject begins with"},
            {"name": "since", "label": "From (UTC)", "kind": "date"},
            {"name": "until", "label": "To, this day too", "kind": "date"},
        ]
        return page(
            "audit.html",
            title="Audit log",
            here="audit",
            tables=(_table(rows[:SHOWN]),),
            fields=[each | {"value": asked[each["name"]]} for each in fields],
            before=before,
            older=older,
        )


_FIELDS = ("actor", "kind", "subject", "since", "until")


def _query(tenant: str, asked: dict[str, str], before: int | None) -> Select[Any]:
    query = select(changes).where(changes.c.tenant == tenant).order_by(changes.c.number.desc())
    if before is not None:
        query = query.where(changes.c.number < before)
    if asked["actor"]:
        query = query.where(changes.c.actor == asked["actor"])
    if asked["kind"]:
        query = query.where(changes.c.kind == asked["kind"])
    if asked["subject"]:
        query = query.where(changes.c.subject.startswith(asked["subject"], autoescape=True))
    if asked["since"]:
        query = query.where(changes.c.changed_at_us >= _day_us(asked["since"], "since", 0))
    if asked["until"]:
        query = query.where(changes.c.changed_at_us < _day_us(asked["until"], "until", 1))
    return query


def _day_us(text: str, name: str, later: int) -> int:
    try:
        day = date.fromisoformat(text) + timedelta(days=later)
    except (ValueError, OverflowError):
        raise refused(name, "expected a day, such as 2026-03-01") from None
    return microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [
        {
            "number": row.number,
            "changed_at": moment(row.changed_at_us),
            "actor": row.actor,
            "kind": row.kind,
            "subject": row.subject[:12] if _SHA256.fullmatch(row.subject) else row.subject,
            "value": in_words(msgspec.json.decode(row.value)),
            "reason": row.reason or None,
        }
        for row in connection.execute(query)
    ]


def _link(row: Row) -> str | None:
    """To what was changed."""
    kind, subject = row["kind"], row["subject"]
    if kind == "experiment":
        return url_for("console.experiment", name=subject)
    if kind == "shadow":
        return url_for("console.shadow", name=subject)
    if kind == "model":
        return url_for("console.model", sha=subject)
    if kind == "report":
        return url_for("console.report", sha=subject)
    if kind == "user":
        return url_for("console.users") if Scope.ADMIN in caller().scopes else None
    pages = {"canary": "canary", "policy": "policies", "alarm": "alarms"}
    return url_for(f"console.{pages[kind]}") if kind in pages else None


def _table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "changes",
        "Changes, newest first",
        (
            Column("changed_at", "when (UTC)", "moment_s"),
            Column("actor", "who"),
            Column("kind", "kind", "tag"),
            Column("subject", "subject", "code", _link),
            Column("value", "what it is since"),
            Column("reason", "why"),
            Column("number", "number", shown=False),
        ),
        rows,
        "No change fits.",
    )
