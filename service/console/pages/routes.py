"""Routes and issuers: how well each route does where, and whether it may be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from authopt.actions import STOP_ROUTE
from service.alarms.standing import firing_alarms
from service.api.operating import refusals
from service.console.backing import Backing
from service.console.degradations import degradations_table
from service.console.frame import asked_with, page
from service.console.heat import FEW, Heat, heat_of
from service.console.pages.payments import search_address
from service.console.rates import estimate_of, share
from service.console.spans import SPANS, Lately, chosen
from service.console.tables import Column, Row, Table
from service.live.live import ROUTE
from service.live.serving import Serving
from service.security.caller import caller
from service.store.changes import Change, present
from service.store.records import microseconds, moment
from service.summaries.cuts import OTHER, Cut
from service.summaries.reading import Row as Summed
from service.summaries.reading import route_by

CUTS: Mapping[str, tuple[Cut, str]] = {
    "issuer": (Cut.ISSUER, "issuer"),
    "country": (Cut.COUNTRY, "issuer's country"),
    "network": (Cut.NETWORK, "network"),
    "attempt": (Cut.ATTEMPT, "attempt"),
    "currency": (Cut.CURRENCY, "currency"),
    "merchant": (Cut.MERCHANT, "merchant account"),
}
"""What the table can be cut by: name in the address, cut, and how it is read."""


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the page."""

    @blueprint.get("/routes", endpoint="routes")
    def routes() -> Response:
        tenant = caller().tenant
        cut, heading = CUTS[chosen("by", CUTS, "issuer")]
        lately = SPANS[chosen("span", SPANS, "7d")]
        now_us = microseconds(datetime.now(UTC))
        serving = backing.live.serving(tenant)
        with refusals("query"), backing.engine.connect() as connection:
            state = present(connection, tenant)
            alarms = firing_alarms(connection, tenant)
            found = _summed(connection, tenant, cut, lately, now_us)
        first = cut is not Cut.ATTEMPT
        heat = heat_of(cut, found, serving.routes, first)
        states = _states_table(serving, state, found, lately)
        cells = _cells_table(heat, heading, cut, lately, now_us, first)
        return page(
            "routes.html",
            title="Routes and issuers",
            here="routes",
            tables=(states, degradations_table(alarms), cells),
            killed=serving.killed,
            cuts=_choices("by", {name: text for name, (_, text) in CUTS.items()}, cut.value),
            spans=_choices("span", {each.name: each.text for each in SPANS.values()}, lately.name),
            heat=heat,
            heading=heading,
            counted="first attempts" if first else "attempts",
            span=lately.text,
            few=FEW,
            cell_address=_address(cut, lately, now_us),
        )


def _summed(
    connection: Connection, tenant: str, cut: Cut, lately: Lately, now_us: int
) -> list[Summed]:
    rows = route_by(connection, tenant, cut, lately.since(now_us), now_us, finest=lately.finest)
    return [row for row in rows if row.route != STOP_ROUTE]


def _states_table(
    serving: Serving,
    state: Mapping[tuple[str, str], Change],
    found: Sequence[Summed],
    lately: Lately,
) -> Table:
    """The routes in the order of the static priority, with what was left of them by whom."""
    rows = []
    for route in serving.routes:
        change = state.get((ROUTE, route))
        of_it = [row.sums for row in found if row.route == route]
        part = sum(each.first_approved for each in of_it)
        rate = share(part, sum(each.first_answered for each in of_it))
        rows.append(
            {
                "route": route,
                "state": "down" if route in serving.down else "up",
                "weight": serving.weights.get(route, 1.0),
                "attempts": sum(each.attempts for each in of_it),
                "answered": sum(each.answered for each in of_it),
                **estimate_of("first_approved", rate),
                "since": None if change is None else moment(change.changed_at_us),
                "by": None if change is None else change.actor,
                "reason": None if change is None else change.reason or None,
            }
        )
    columns = (
        Column("route", "route", "code"),
        Column("state", "state", "tag"),
        Column("weight", "weight", "number"),
        Column("attempts", f"attempts, {lately.text}", "count", _route_address),
        Column("answered", "with an outcome", "count", shown=False),
        Column("first_approved", "first attempts approved", "meter"),
        Column("first_approved_low", "lower limit", "rate", shown=False),
        Column("first_approved_high", "upper limit", "rate", shown=False),
        Column("since", "as it is since (UTC)", "moment"),
        Column("by", "by"),
        Column("reason", "because"),
    )
    return Table(
        "routes", f"Routes in the order of the static priority; {lately.text}", columns, rows
    )


def _route_address(row: Row) -> str:
    return search_address(route=row["route"])


def _cells_table(
    heat: Heat, heading: str, cut: Cut, lately: Lately, now_us: int, first: bool
) -> Table:
    """Every cell of the heat map, for CSV and JSON."""
    counted = "first attempts" if first else "attempts"
    # All of them take long to judge, and the page shows the largest alone.
    exported = heat.rows if "format" in request.args else heat.shown
    rows = [
        {
            "value": row.value,
            "route": cell.route or "all",
            "answered": cell.tries,
            **estimate_of("approved", cell.rate),
            **estimate_of("against_others", cell.against),
            "stands_out": cell.said or None,
        }
        for row in exported
        for cell in (row.whole, *row.cells)
        if cell.tries
    ]
    columns = (
        Column("value", heading),
        Column("route", "route", "code"),
        Column("answered", f"{counted} with an outcome", "count"),
        Column("approved", "approved", "rate"),
        Column("approved_low", "lower limit", "rate"),
        Column("approved_high", "upper limit", "rate"),
        Column("against_others", "against the other routes", "points"),
        Column("against_others_low", "lower limit", "points"),
        Column("against_others_high", "upper limit", "points"),
        Column("stands_out", "stands out"),
    )
    caption = f"Approved of the {counted} by {heading} and route, {lately.text}"
    return Table("cells", caption, columns, rows, "No outcome is known yet.")


def _address(cut: Cut, lately: Lately, now_us: int) -> Callable[..., str | None]:
    """Gives the address of the decisions behind a cell, by its value and route."""
    since = moment(lately.since(now_us))
    asked = {"from": f"{since:%Y-%m-%d}"} | ({} if cut is Cut.ATTEMPT else {"attempt": "1"})
    # Once for all cells: making an address takes Flask as long as a cell takes in all.
    search = search_address(**asked)

    def address(value: str, route: str = "") -> str | None:
        if value == OTHER:
            return None
        named = {cut.value: value or "-"} | ({"route": route} if route else {})
        return f"{search}&{urlencode(named)}"

    return address


def _choices(name: str, options: Mapping[str, str], now: str) -> list[tuple[str, str | None]]:
    """Links to the same page otherwise; the present one has no address."""
    return [
        (text, None if value == now else asked_with(**{name: value, "format": None}))
        for value, text in options.items()
    ]
