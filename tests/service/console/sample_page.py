"""A page with one of each part, on an app of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask, Response, url_for

from service.console.charts import Line, line_chart, whisker
from service.console.frame import ENVIRONMENT, page
from service.console.tables import Column, Table

START = datetime(2026, 3, 1, tzinfo=UTC)

TABLE = Table(
    "routes",
    "Success of first attempts by route, 28 days",
    (
        Column("route", "route", "code", lambda row: url_for("console.sample", route=row["route"])),
        Column("state", "state", "tag"),
        Column("attempts", "attempts", "count"),
        Column("approved", "approved", "meter"),
        Column("gain", "against the rest", "points"),
        Column("since", "since (UTC)", "moment"),
        Column("note", "note"),
        Column("secret", "not shown", shown=False),
    ),
    [
        {
            "route": "adyen",
            "state": "up",
            "attempts": 120_345,
            "approved": 0.8912,
            "approved_low": 0.87,
            "approved_high": 0.91,
            "gain": 0.0042,
            "since": START,
            "note": "=1+1",
            "secret": 1,
        },
        {
            "route": "<b>braintree</b>",
            "state": "down",
            "attempts": 20_345,
            "approved": 0.7912,
            "gain": -0.0142,
            "since": START + timedelta(days=2),
            "note": None,
            "secret": 2,
        },
    ],
)
EMPTY = Table("degraded", "Degradations found", (Column("route", "route"),), [], "None found.")

SOURCE = """{% extends "base.html" %}
{% import "parts.html" as parts with context %}
{% block content %}
{{ parts.figures(cards) }}
{{ parts.chart(drawn) }}
{{ parts.filters([
  {"name": "q", "label": "Payment", "kind": "search", "value": "p-1"},
  {"name": "network", "label": "Network", "kind": "select", "value": "visa",
   "options": [("", "all"), ("visa", "visa")]},
], "Search") }}
{{ parts.table(tables.routes) }}
{{ parts.pager(asked_with(before=7), asked_with(after=7), "payments") }}
{{ parts.table(tables.degraded) }}
<h2>Arms</h2>
<p>{{ parts.whisker(interval) }} {{ parts.action("/console/x", "Take down", danger=true) }}</p>
{{ parts.confirm("Adyen gets no payments.", "Take down", "/console", danger=true) }}
{% endblock %}"""


def with_sample(app: Flask) -> Flask:
    """The app with the page at ``/console/sample``."""

    def sample() -> Response:
        times = [START + timedelta(hours=6 * at) for at in range(28)]
        values = [0.86 + 0.01 * (at % 7) / 7 for at in range(28)]
        lines = [
            Line(
                "live",
                [None if at == 9 else value for at, value in enumerate(values)],
                [value - 0.006 for value in values],
                [value + 0.006 for value in values],
            ),
            Line("baseline", [0.861] * 28),
        ]
        return page(
            ENVIRONMENT.from_string(SOURCE),
            title="A sample",
            here="sample",
            tables=(TABLE, EMPTY),
            cards=[
                {
                    "name": "Authorization rate, 28 days",
                    "value": 0.8765,
                    "kind": "rate",
                    "note": "86.9% to 88.4%",
                    "to": "/console/sample",
                    "tone": "good",
                },
                {"name": "Against the baseline", "value": 0.0042, "kind": "points"},
                {"name": "Attempts saved", "value": 12_345, "kind": "count", "tone": "bad"},
                {"name": "Money gained", "value": None, "kind": "count", "tone": "warn"},
            ],
            drawn=line_chart("Authorization rate", times, lines),
            interval=whisker(-0.001, 0.004, 0.009, 0.01),
        )

    app.add_url_rule("/console/sample", "console.sample", sample)
    return app
