"""The first page: how payments go now, against before, and what needs attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response

from authopt.evaluation.report.money import money, unit_of
from service.alarms.standing import firing_alarms
from service.api.operating import refusals
from service.console.attention import Known, concerns
from service.console.backing import Backing
from service.console.charts import Chart, Line, line_chart
from service.console.frame import page
from service.console.gains import Gain, gains
from service.console.overview_reading import (
    DAYS,
    Read,
    SpanRead,
    against_before,
    first_rate,
    read_overview,
)
from service.console.overview_tables import (
    concerns_table,
    days_table,
    gain_address,
    gains_table,
    money_table,
    spans_table,
)
from service.console.pages.payments import search_address
from service.console.rates import share
from service.console.wording import points, rate
from service.security.caller import caller
from service.store.changes import present
from service.store.records import microseconds, moment
from service.store.spool import Spool
from service.summaries.reading import Point
from service.trials.trial import trials_in


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the page."""

    @blueprint.get("", endpoint="overview")
    def overview() -> Response:
        tenant = caller().tenant
        now_us = microseconds(datetime.now(UTC))
        with refusals("query"), backing.engine.connect() as connection:
            read = read_overview(connection, tenant, now_us)
            state = present(connection, tenant)
            trials = trials_in(state)
            found = gains(connection, tenant, state, trials)
            known = Known(
                now_us,
                read.caught_up_us,
                backing.live.serving(tenant),
                state,
                firing_alarms(connection, tenant),
                trials,
                read.last_day,
                Spool(backing.settings.spool).holds_any,
            )
        needed = concerns(known)
        return page(
            "overview.html",
            title="Overview",
            here="overview",
            tables=(
                concerns_table(needed),
                spans_table(read.spans),
                gains_table(found, read.money),
                money_table(read.money, read.money_before),
                days_table(read.days),
            ),
            cards=_cards(read, found),
            drawn=_drawn(read.days),
            concerns=needed,
            until=None if read.caught_up_us is None else moment(read.caught_up_us),
        )


def _cards(read: Read, found: Sequence[Gain]) -> list[Mapping[str, Any]]:
    """The figures at the top."""
    cards: list[Mapping[str, Any]] = [_rate_card(each) for each in read.spans]
    whole = read.spans[-1]
    paid = share(whole.sums.payments_paid, whole.sums.payments)
    cards.append(
        {
            "name": f"Payments paid, {DAYS} days",
            "value": None if paid is None else paid.value,
            "kind": "rate",
            "note": f"{whole.sums.payments_paid:,} of {whole.sums.payments:,}, by any attempt",
            "to": search_address(**whole.address),
        }
    )
    if read.money:
        largest = max(read.money, key=lambda row: row.sums.approved)
        minor = largest.sums.approved_minor
        others = len(read.money) - 1
        more = f"; {others} more below" if others else ""
        cards.append(
            {
                "name": f"Approved, {DAYS} days",
                "value": f"{money(minor, largest.value)} {unit_of(largest.value)}",
                "kind": "text",
                "note": f"before refunds and fees{more}",
                "to": "#money",
            }
        )
    cards.append(_gain_card(found))
    return cards


def _rate_card(each: SpanRead) -> Mapping[str, Any]:
    found, against = first_rate(each.sums), against_before(each)
    note = f"{each.sums.first_answered:,} first attempts"
    if found is not None:
        note = f"{rate(found.low)} to {rate(found.high)}"
    tone = ""
    if against is not None:
        note += f"; {points(against.value)} points against {each.against}"
        tone = "good" if against.above else "bad" if against.below else ""
    return {
        "name": f"First attempts approved, {each.text}",
        "value": None if found is None else found.value,
        "kind": "rate",
        "note": note,
        "to": search_address(attempt=1, **each.address),
        "tone": tone,
    }


def _gain_card(found: Sequence[Gain]) -> Mapping[str, Any]:
    acting = [each for each in found if each.acts and each.state == "running"]
    for each in acting or [one for one in found if one.acts]:
        if each.low is None or each.high is None:
            continue
        return {
            "name": f"{each.policy} against {each.against}, {each.name}",
            "value": each.value,
            "kind": "points",
            "note": f"points of paid ones; {points(each.low)} to {points(each.high)} at any look",
            "to": gain_address(each.kind, each.name),
            "tone": "good" if each.low > 0.0 else "bad" if each.high < 0.0 else "",
        }
    return {
        "name": "The policy against a baseline",
        "value": None,
        "kind": "points",
        "note": "no experiment or canary has told yet",
        "to": gain_address("experiment", ""),
    }


def _drawn(days: Sequence[Point]) -> Chart:
    now, before = days[DAYS:], days[:DAYS]
    rates = [first_rate(each.sums) for each in now]
    lines = [
        Line(
            "first attempts approved",
            [None if each is None else each.value for each in rates],
            [None if each is None else each.low for each in rates],
            [None if each is None else each.high for each in rates],
        )
    ]
    if any(each.sums.first_answered for each in before):
        lines.append(Line(f"{DAYS} days earlier", [each.sums.first_rate for each in before]))
    times = [moment(each.start_us) for each in now]
    return line_chart("First attempts approved by day, with 95% intervals", times, lines)
