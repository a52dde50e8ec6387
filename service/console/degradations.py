"""Degradations: the alarms that fire about routes, issuers, countries and networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import current_app, url_for

from service.console.tables import Column, Table
from service.store.changes import Change
from service.store.records import moment

_OF = frozenset({"route", "issuer", "country", "network"})


def degradations_table(firing: Sequence[Change]) -> Table:
    """Those of a part of the traffic, newest first."""
    rows = [_row(each) for each in firing if _dimension(each) in _OF]
    columns = (
        Column("what", "what", "text", lambda row: alarm_address(row["change"])),
        Column("dimension", "of"),
        Column("value", "which", "code"),
        Column("since", "since (UTC)", "moment"),
        Column("change", "number", "count", shown=False),
    )
    return Table("degradations", "Degradations that were found", columns, rows, "None now.")


def alarm_address(number: int) -> str | None:
    """Of what fires, by the number of its change; None where there is no page of alarms."""
    if "console.alarms" not in current_app.view_functions:
        return None
    return url_for("console.alarms", _anchor=f"alarm-{number}")


def _dimension(change: Change) -> str:
    if str(change.value.get("kind", change.subject)).startswith("route-down"):
        return "route"
    return str(change.value.get("dimension") or "")


def _row(change: Change) -> dict[str, Any]:
    value = change.value
    return {
        "what": value["what"],
        "dimension": _dimension(change),
        "value": value.get("value") or change.subject.partition(":")[2],
        "since": moment(value["since_us"]),
        "change": change.number,
    }
