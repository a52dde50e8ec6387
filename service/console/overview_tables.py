"""The tables of the first page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flask import current_app, url_for

from authopt.evaluation.report.money import money, unit_of
from service.console.attention import Concern
from service.console.gains import Gain
from service.console.overview_reading import DAYS, SpanRead, against_before, first_rate
from service.console.pages.payments import search_address
from service.console.rates import Estimate, estimate_of
from service.console.tables import Column, Row, Table
from service.console.wording import points, rate
from service.store.records import moment
from service.summaries.reading import Point
from service.summaries.reading import Row as Summed


def gain_address(kind: str, name: str) -> str | None:
    """Of the page of a trial or a shadow; without a name, of all experiments."""
    there = current_app.view_functions
    addresses: Mapping[str, Callable[[], str]] = {
        "console.experiment": lambda: url_for("console.experiment", name=name),
        "console.shadow": lambda: url_for("console.shadow", name=name),
        "console.canary": lambda: url_for("console.canary"),
        "console.experiments": lambda: url_for("console.experiments"),
    }
    endpoint = f"console.{kind}" if name else "console.experiments"
    return addresses[endpoint]() if endpoint in there else None


def concerns_table(needed: Sequence[Concern]) -> Table:
    """What needs attention."""
    columns = (
        Column("kind", "what"),
        Column("tone", "how bad"),
        Column("said", "in words"),
        Column("since", "since (UTC)", "moment"),
    )
    rows = [
        {"kind": each.kind, "tone": each.tone, "said": each.what, "since": each.since}
        for each in needed
    ]
    return Table("attention", "Needs attention", columns, rows, "Nothing.")


def spans_table(spans: Sequence[SpanRead]) -> Table:
    """Now, today and 28 days against before."""
    rows = [_span_row(each) for each in spans]

    def decided(**asked: str) -> Callable[[Row], str]:
        return lambda row: search_address(**asked, **row["address"])

    columns = (
        Column("span", "decided"),
        Column("payments", "payments", "count", decided(attempt="1")),
        Column("paid", "paid, by any attempt", "rate"),
        Column("first_approved", "first attempts approved", "meter", decided(attempt="1")),
        Column("interval", "95% interval"),
        Column("change", "points against before", "points"),
        Column("change_interval", "95% interval"),
        Column("before", "before is"),
        Column("attempts_per_payment", "attempts per payment", "number"),
        Column("attempts_saved", "attempts saved", "count"),
        Column("fallback_share", "fallbacks", "rate", decided(fallback="yes")),
        Column("missing", "without outcome", "count", decided(outcome="none")),
        Column("missing_share", "of the attempts", "rate"),
        Column("first_approved_low", "lower limit", "rate", shown=False),
        Column("first_approved_high", "upper limit", "rate", shown=False),
        Column("change_low", "lower limit", "points", shown=False),
        Column("change_high", "upper limit", "points", shown=False),
    )
    caption = (
        "First attempts approved with 95% intervals, each for one look; attempts saved: those that "
        "as many payments would have taken before"
    )
    return Table("spans", caption, columns, rows)


def _span_row(each: SpanRead) -> Row:
    now, before = each.sums, each.before
    per_payment = now.attempts / now.payments if now.payments else None
    was = before.attempts / before.payments if before.payments else None
    saved = None
    if per_payment is not None and was is not None:
        saved = round((was - per_payment) * now.payments)
    first, change = first_rate(now), against_before(each)
    return {
        "span": each.text,
        "payments": now.payments,
        "paid": now.paid_rate,
        **estimate_of("first_approved", first),
        "interval": _limits(first, rate),
        **estimate_of("change", change),
        "change_interval": _limits(change, points),
        "before": each.against,
        "attempts_per_payment": per_payment,
        "attempts_saved": saved,
        "fallback_share": now.fallback_share,
        "missing": now.unanswered,
        "missing_share": now.unanswered / now.attempts if now.attempts else None,
        "address": each.address,
    }


def _limits(estimate: Estimate | None, said: Callable[[float], str]) -> str | None:
    return None if estimate is None else f"{said(estimate.low)} to {said(estimate.high)}"


def gains_table(found: Sequence[Gain], by_currency: Sequence[Summed]) -> Table:
    """What policies gained, in payments and in money at the mean amount that is approved."""
    rows = [
        {
            "policy": each.policy,
            "against": each.against,
            "kind": each.kind,
            "name": each.name,
            "state": each.state,
            "payments": each.payments,
            **estimate_of("difference", _difference(each)),
            "interval": _limits(_difference(each), points),
            "extra": each.extra if each.acts else None,
            "extra_if": None if each.acts else each.extra,
            "money": _worth(each.extra, by_currency) if each.acts else None,
            "saved": each.saved,
            "found_at": moment(each.found_at_us),
        }
        for each in found
    ]
    columns = (
        Column("policy", "policy"),
        Column("against", "against"),
        Column("name", "by", "text", lambda row: gain_address(str(row["kind"]), str(row["name"]))),
        Column("kind", "which is a"),
        Column("state", "state", "tag"),
        Column("payments", "payments that count", "count"),
        Column("difference", "points of paid ones", "points"),
        Column("interval", "at any look"),
        Column("extra", "payments gained", "count"),
        Column("extra_if", "would gain", "count"),
        Column("money", "about, in money"),
        Column("saved", "attempts saved", "count"),
        Column("found_at", "as of (UTC)", "moment"),
        Column("difference_low", "lower limit", "points", shown=False),
        Column("difference_high", "upper limit", "points", shown=False),
    )
    caption = (
        "Against their baseline, with limits that hold at every look; of a shadow, points of "
        "attempts approved, for it decides nothing. Money: payments gained, "
        f"at the mean amount approved in {DAYS} days, in the shares of the currencies"
    )
    empty = "No experiment, canary or shadow has told anything yet."
    return Table("gains", caption, columns, rows, empty)


def _difference(each: Gain) -> Estimate | None:
    if each.value is None or each.low is None or each.high is None:
        return None
    return Estimate(each.value, each.low, each.high)


def _worth(extra: float | None, by_currency: Sequence[Summed]) -> str | None:
    approved = sum(row.sums.approved for row in by_currency)
    if extra is None or not approved:
        return None
    told = [
        (extra * row.sums.approved_minor / approved, row.value) for row in by_currency if row.value
    ]
    return ", ".join(f"{money(minor, unit, '+')} {unit_of(unit)}" for minor, unit in told[:4])


def money_table(now: Sequence[Summed], before: Sequence[Summed]) -> Table:
    """Approved, paid back and charged, by currency."""
    was = {row.value: row.sums for row in before}
    rows = []
    for row in now:
        sums, unit = row.sums, row.value

        def told(minor: int, unit: str = unit) -> str:
            return money(minor, unit)

        earlier = was.get(unit)
        rows.append(
            {
                "currency": unit or "not known",
                "attempts": sums.attempts,
                "approved": told(sums.approved_minor),
                "refunded": told(sums.refunded_minor),
                "fees": told(sums.fees_minor),
                "approved_before": None if earlier is None else told(earlier.approved_minor),
                "approved_minor": sums.approved_minor,
                "refunded_minor": sums.refunded_minor,
                "fees_minor": sums.fees_minor,
                "asked": unit or "-",
            }
        )
    columns = (
        Column(
            "currency",
            "currency",
            "code",
            lambda row: search_address(currency=row["asked"], outcome="approved"),
        ),
        Column("attempts", "attempts", "count"),
        Column("approved", "approved", "text"),
        Column("refunded", "paid back, charged back", "text"),
        Column("fees", "fees", "text"),
        Column("approved_before", f"approved in the {DAYS} days before", "text"),
        Column("approved_minor", "approved, minor units", "count", shown=False),
        Column("refunded_minor", "paid back, minor units", "count", shown=False),
        Column("fees_minor", "fees, minor units", "count", shown=False),
    )
    return Table("money", f"Money by currency, {DAYS} days", columns, rows)


def days_table(days: Sequence[Point]) -> Table:
    """The days of the chart, the newest first."""
    rows = [
        {
            "day": f"{moment(each.start_us):%Y-%m-%d}",
            "payments": each.sums.payments,
            "paid": each.sums.paid_rate,
            "first_answered": each.sums.first_answered,
            **estimate_of("first_approved", first_rate(each.sums)),
        }
        for each in days[DAYS:]
    ]
    columns = (
        Column(
            "day",
            "day",
            "text",
            lambda row: search_address(**{"from": str(row["day"]), "until": str(row["day"])}),
        ),
        Column("payments", "payments", "count"),
        Column("paid", "paid", "rate"),
        Column("first_answered", "first attempts", "count"),
        Column("first_approved", "approved", "meter"),
        Column("first_approved_low", "lower limit", "rate", shown=False),
        Column("first_approved_high", "upper limit", "rate", shown=False),
    )
    return Table("days", f"The {DAYS} days one by one", columns, rows[::-1])
