"""Finding payments: the newest decisions, those that are alike, and those of an id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request, url_for

from service.api.operating import refusals
from service.api.problems import FieldError, Problem
from service.console.backing import Backing
from service.console.decision_search import COLUMNS, Found, Look, Place, Wanted, by_id, newest
from service.console.frame import asked_with, page
from service.console.tables import Column, Row, Table
from service.security.caller import caller
from service.settings import MAX_NAME
from service.store.records import microseconds, moment

OUTCOMES = ("approved", "declined", "none")
_PLACE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})~(\d{1,12})")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]*")


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the page."""

    @blueprint.get("/payments", endpoint="payments")
    def found() -> Response:
        tenant = caller().tenant
        text = request.args.get("q", "").strip()
        wanted, before = _wanted(request.args), _place(request.args.get("before"))
        with refusals("query"), backing.engine.connect() as connection:
            if text:
                look = Look(tuple(by_id(connection, tenant, text[:MAX_NAME])), 0, None)
            else:
                look = newest(connection, tenant, wanted, before)
        onward = None
        if look.onward is not None:
            onward = asked_with(before=_written(look.onward), format=None, table=None)
        return page(
            "payments.html",
            title="Payments",
            here="payments",
            tables=(decisions_table(look.found, _caption(text, wanted)),),
            fields=_fields(text, wanted, backing.live.serving(tenant).routes),
            others=_others(wanted),
            looked=look.looked if wanted.filters and not text else None,
            onward=onward,
            newest_first=asked_with(before=None) if before is not None else None,
        )


def payment_address(payment_id: str) -> str:
    """Of the page of a payment; ids that an address cannot hold in its path stand in its query."""
    if _PLAIN_ID.fullmatch(payment_id):
        return url_for("console.payment", payment_id=payment_id)
    return url_for("console.payment_by_id", id=payment_id)


def search_address(**asked: str | int) -> str:
    """Of the page that shows the decisions that are asked for."""
    values: dict[str, Any] = dict(asked)
    return url_for("console.payments", **values)


def decisions_table(found: Sequence[Found], caption: str) -> Table:
    """Decisions with what came of them."""
    columns = (
        Column(
            "payment_id", "payment", "code", lambda row: payment_address(str(row["payment_id"]))
        ),
        Column("attempt", "attempt", "count"),
        Column("decided_at", "decided (UTC)", "moment_s", _decision_address),
        Column("route", "route", "code"),
        Column("delay_s", "after", "span"),
        Column("propensity", "propensity", "chance"),
        Column("policy", "policy"),
        Column("arm", "arm"),
        Column("outcome", "outcome", "tag"),
        Column("response_code", "code", "code"),
        Column("note", "note"),
        Column("decision_id", "decision", "code", shown=False),
        Column("decision", "number", "count", shown=False),
    )
    empty = "No decision is as you asked. Dates are of UTC; ids are matched from their beginning."
    return Table("decisions", caption, columns, [_row(each) for each in found], empty)


def outcome_word(approved: bool | None) -> str | None:
    """How an attempt came out."""
    return None if approved is None else "approved" if approved else "declined"


def _row(each: Found) -> Row:
    row, known = each.row, each.outcome
    trial = None if row.experiment is None else f"{row.experiment}: {row.arm}"
    note = None
    if row.fallback is not None:
        note = f"fallback: {row.fallback}"
    elif row.deferred and not each.activated:
        note = "ranked, not activated"
    return {
        "payment_id": row.payment_id,
        "attempt": row.attempt,
        "decided_at": moment(row.decided_at_us),
        "route": each.route,
        "delay_s": each.delay_s,
        "propensity": row.propensity,
        "policy": row.policy,
        "arm": trial,
        "outcome": None if known is None else outcome_word(known.approved),
        "response_code": None if known is None else known.response_code,
        "note": note,
        "decision_id": row.decision_id,
        "decision": row.number,
    }


def _decision_address(row: Row) -> str:
    return url_for("console.decision", number=row["decision"])


def _wanted(asked: Mapping[str, str]) -> Wanted:
    given = {name: value.strip() for name, value in asked.items()}

    def text(name: str) -> str | None:
        return given.get(name) or None

    attempt, outcome, fallback = text("attempt"), text("outcome"), text("fallback")
    if attempt is not None and not re.fullmatch(r"\d{1,5}", attempt):
        raise _refused("attempt", "expected a whole number")
    if outcome is not None and outcome not in OUTCOMES:
        raise _refused("outcome", f"expected one of {', '.join(OUTCOMES)}")
    if fallback is not None and fallback not in ("yes", "no"):
        raise _refused("fallback", "expected yes or no")
    until = _day(text("until"), "until")
    since = _day(text("from"), "from")
    return Wanted(
        since_us=None if since is None else microseconds(since),
        until_us=None if until is None else microseconds(until + timedelta(days=1)),
        route=text("route"),
        attempt=None if attempt is None else int(attempt),
        policy=text("policy"),
        experiment=text("experiment"),
        arm=text("arm"),
        fallback=None if fallback is None else fallback == "yes",
        outcome=outcome,
        code=text("code"),
        # An empty value is one of them: payments whose issuer, say, is not known.
        context={
            column: "" if given[name] == "-" else given[name]
            for name, column in COLUMNS.items()
            if given.get(name)
        },
    )


def _day(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise _refused(name, "expected a date such as 2026-03-31") from None


def _written(place: Place) -> str:
    # Not microseconds: sixteen digits could pass for a card number.
    time_us, number = place
    return f"{moment(time_us):%Y-%m-%dT%H:%M:%S.%f}~{number}"


def _place(text: str | None) -> Place | None:
    if not text:
        return None
    found = _PLACE.fullmatch(text)
    if found is None:
        raise _refused("before", "expected what a page's link to older decisions says")
    try:
        time = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        raise _refused("before", "expected what a page's link to older decisions says") from None
    return microseconds(time), int(found[2])


def _fields(text: str, wanted: Wanted, routes: Sequence[str]) -> list[Mapping[str, Any]]:
    every = [("", "any")]
    if wanted.route is not None and wanted.route not in routes:
        routes = [*routes, wanted.route]
    day = request.args.get
    return [
        {
            "name": "q",
            "label": "Payment or decision id",
            "kind": "search",
            "value": text,
            "maxlength": MAX_NAME,
        },
        {
            "name": "route",
            "label": "Route",
            "kind": "select",
            "value": wanted.route or "",
            "options": [*every, *((route, route) for route in routes)],
        },
        {
            "name": "outcome",
            "label": "Outcome",
            "kind": "select",
            "value": wanted.outcome or "",
            "options": [*every, *((each, each) for each in OUTCOMES)],
        },
        {"name": "code", "label": "Response code", "value": wanted.code, "maxlength": 32},
        {"name": "from", "label": "From (UTC)", "kind": "date", "value": day("from", "")},
        {
            "name": "until",
            "label": "Until that day",
            "kind": "date",
            "value": day("until", ""),
        },
    ]


def _others(wanted: Wanted) -> list[tuple[str, str, str]]:
    """Filters that other pages link with: name, value, and the address without it."""
    names = ("issuer", "country", "network", "currency", "merchant", "attempt", "policy")
    every = (*names, "experiment", "arm", "fallback")
    return [
        (name, request.args[name], asked_with(**{name: None, "before": None}))
        for name in every
        if request.args.get(name)
    ]


def _caption(text: str, wanted: Wanted) -> str:
    if text:
        return f"Decisions whose id, or whose payment's, is or begins with {text}"
    return "Decisions as asked, newest first" if wanted.filters else "Newest decisions"


def _refused(name: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"query {name}: {message}",
        FieldError(f"query {name}", message),
    )
