"""What was found of a trial (``service.trials.finding.TrialFinding``), as tables and a chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.api.experiments import TrialAnswer
from service.console.charts import Chart, Line, Whisker, line_chart, whisker
from service.console.pages.payments import search_address
from service.console.tables import Column, Row, Table
from service.store.records import moment

Found = Mapping[str, Any]


def arms_table(trial: TrialAnswer) -> Table:
    """The arms with their policies, what they got, and what it was worth."""
    reading = (trial.found or {}).get("reading") or {}
    units = dict(zip((trial.found or {}).get("arms", []), reading.get("units", []), strict=False))
    values = {each["arm"]: each for each in reading.get("values", [])}

    def decisions_of(row: Row) -> str:
        return search_address(experiment=trial.trial.name, arm=row["arm"])

    rows = [
        {
            "arm": arm.name,
            "spec": arm.spec,
            "sha256": arm.sha256,
            "planned": arm.share,
            "units": units.get(arm.name),
            "payments": values.get(arm.name, {}).get("units"),
            "value": values.get(arm.name, {}).get("mean"),
            "value_low": values.get(arm.name, {}).get("lower"),
            "value_high": values.get(arm.name, {}).get("upper"),
        }
        for arm in trial.trial.arms
    ]
    return Table(
        "arms",
        "Arms; value: share of payments that were paid, with limits that hold at every look",
        (
            Column("arm", "arm", "code"),
            Column("spec", "policy", "code"),
            Column("sha256", "model", "sha"),
            Column("planned", "planned share", "rate"),
            Column("units", "units", "count"),
            Column("payments", "payments", "count", decisions_of),
            Column("value", "value", "meter"),
            Column("value_low", "from", "rate"),
            Column("value_high", "to", "rate"),
        ),
        rows,
    )


def differences_table(found: Found | None) -> Table:
    """The other arms against the first one."""
    reading = (found or {}).get("reading") or {}
    adjusted = "; adjusted by the pre-period" if reading.get("unadjusted") else ""
    return Table(
        "differences",
        f"Against the first arm, in points of payments paid; limits hold at every look{adjusted}",
        (
            Column("arm", "arm", "code"),
            Column("against", "against", "code"),
            *_DIFFERENCE,
            Column("confidence", "confidence", "rate"),
        ),
        [_difference(each) for each in reading.get("differences", [])],
        "No payment counts yet.",
    )


def unadjusted_table(found: Found | None) -> Table:
    """The same without the adjustment by the pre-period."""
    reading = (found or {}).get("reading") or {}
    plain, narrower = reading.get("unadjusted", []), reading.get("narrower", [])
    return Table(
        "unadjusted",
        "The same without the adjustment, and how much narrower it makes the limits",
        (
            Column("arm", "arm", "code"),
            Column("against", "against", "code"),
            *_DIFFERENCE,
            Column("confidence", "confidence", "rate"),
            Column("narrower", "narrower by", "rate"),
        ),
        [
            _difference(each) | {"narrower": part}
            for each, part in zip(plain, narrower, strict=True)
        ],
        "Nothing is adjusted.",
    )


def pre_period_table(found: Found | None) -> Table:
    """What was known from before the trial, by which the difference is adjusted."""
    adjustment = (found or {}).get("adjustment")
    reading = (found or {}).get("reading") or {}
    rows = []
    if adjustment is not None:
        there = adjustment["payments"] > 0
        rows.append(
            {
                "covariates": ", ".join(adjustment["covariates"]) or None,
                "payments": adjustment["payments"],
                "since": moment(adjustment["since_us"]) if there else None,
                "until": moment(adjustment["until_us"]) if there else None,
                "variance_reduction": reading.get("variance_reduction"),
                "units": adjustment["units"],
                "without_past": adjustment["without_past"],
            }
        )
    return Table(
        "pre_period",
        "The pre-period, by which the difference is adjusted (CUPED)",
        (
            Column("covariates", "foretold by"),
            Column("payments", "its payments", "count"),
            Column("since", "from (UTC)", "moment"),
            Column("until", "to (UTC)", "moment"),
            Column("variance_reduction", "variance taken away", "rate"),
            Column("units", "units in the experiment", "count"),
            Column("without_past", "of these, new since", "count"),
        ),
        rows,
        "It was not read yet.",
    )


def segments_table(found: Found | None) -> Table:
    """The same within segments."""
    reading = (found or {}).get("reading") or {}
    rows = [
        {"column": each["column"], "segment": each["segment"], "units": each["units"]}
        | _difference(each["difference"])
        for each in reading.get("segments", [])
    ]
    return Table(
        "segments",
        "Within segments, in points; the limits of all of them hold together",
        (
            Column("segment", "segment"),
            Column("column", "column", "code"),
            Column("arm", "arm", "code"),
            Column("units", "payments", "count"),
            *_DIFFERENCE,
        ),
        sorted(rows, key=lambda row: (row["column"], -row["units"])),
        "No segments were asked for.",
    )


def metrics_table(found: Found | None) -> Table:
    """What else was measured."""
    reading = (found or {}).get("reading") or {}
    rows = [
        {
            "words": metric["words"],
            "arm": each["arm"],
            "first": _mean(metric, each["against"]),
            "mean": _mean(metric, each["arm"]),
            "estimate": each["estimate"],
            "lower": each["lower"],
            "upper": each["upper"],
        }
        for metric in reading.get("metrics", [])
        for each in metric["differences"]
    ]
    return Table(
        "metrics",
        "What else was measured: to look at, not to decide by",
        (
            Column("words", "metric"),
            Column("arm", "arm", "code"),
            Column("first", "in the first arm", "number"),
            Column("mean", "in this arm", "number"),
            Column("estimate", "difference", "number"),
            Column("lower", "from", "number"),
            Column("upper", "to", "number"),
        ),
        rows,
        "Nothing yet.",
    )


def guardrails_table(trial: TrialAnswer) -> Table:
    """The guardrails, and what is known of each."""
    reading = (trial.found or {}).get("reading") or {}
    judged = [
        {
            "metric": each["guardrail"]["metric"],
            "tolerance": each["guardrail"]["tolerance"],
            "arm": each["arm"],
            "state": each["state"],
            "why": each["why"],
        }
        for each in reading.get("guardrails", [])
    ]
    known = {each["metric"] for each in judged}
    rest = [
        {"metric": each["metric"], "tolerance": each["tolerance"], "state": "not measured yet"}
        for each in trial.trial.guardrails
        if each["metric"] not in known
    ]
    return Table(
        "guardrails",
        "Guardrails: broken ones end the trial by themselves",
        (
            Column("metric", "metric", "code"),
            Column("tolerance", "tolerance", "number"),
            Column("arm", "arm", "code"),
            Column("state", "state", "tag"),
            Column("why", "why"),
        ),
        [*judged, *rest],
        "None.",
    )


def history_table(trial: TrialAnswer) -> Table:
    """Who started it, changed it and ended it, and why."""
    rows = [
        {
            "changed_at": each.changed_at,
            "state": each.state,
            "share": each.share,
            "actor": each.actor,
            "reason": each.reason or None,
        }
        for each in reversed(trial.history)
    ]
    return Table(
        "history",
        "What was done with it",
        (
            Column("changed_at", "when (UTC)", "moment"),
            Column("state", "state", "tag"),
            Column("share", "share", "rate"),
            Column("actor", "who"),
            Column("reason", "why"),
        ),
        rows,
    )


def over_time_table(found: Found | None) -> Table:
    """The figures of the chart."""
    rows = [
        {
            "at": moment(point["at_us"]),
            "payments": point["payments"],
            "arm": arm,
            "estimate": three[0],
            "lower": three[1],
            "upper": three[2],
        }
        for point in (found or {}).get("history", [])
        for arm, three in point["arms"].items()
    ]
    return Table(
        "over_time",
        "The difference at each look",
        (
            Column("at", "until (UTC)", "moment"),
            Column("payments", "payments", "count"),
            Column("arm", "arm", "code"),
            *_DIFFERENCE,
        ),
        rows,
    )


def over_time_chart(found: Found | None) -> Chart | None:
    """The differences with their confidence sequences; None while there is one look or none."""
    history = (found or {}).get("history", [])
    if len(history) < 2:
        return None
    times = [moment(point["at_us"]) for point in history]
    lines = []
    for arm in history[-1]["arms"]:
        three = [point["arms"].get(arm, (None, None, None)) for point in history]
        estimate, lower, upper = ([each[at] for each in three] for at in range(3))
        lines.append(Line(f"{arm} less the first arm", estimate, lower, upper))
    lines.append(Line("no difference", [0.0] * len(times)))
    return line_chart("Difference in points, with its confidence sequence", times, lines, "points")


def whiskers(rows: Iterable[Mapping[str, Any]]) -> list[Whisker | None]:
    """The interval of each row of differences, all of them on one scale."""
    known = [
        abs(row[name]) for row in rows for name in ("lower", "upper") if row.get(name) is not None
    ]
    reach = max(known, default=0.0) or 1.0
    return [
        None
        if None in (row.get("lower"), row.get("estimate"), row.get("upper"))
        else whisker(row["lower"], row["estimate"], row["upper"], reach)
        for row in rows
    ]


_DIFFERENCE = (
    Column("estimate", "difference", "points"),
    Column("lower", "from", "points"),
    Column("upper", "to", "points"),
)


def _difference(told: Mapping[str, Any]) -> dict[str, Any]:
    names = ("arm", "against", "estimate", "lower", "upper", "confidence")
    return {name: told[name] for name in names}


def _mean(metric: Mapping[str, Any], arm: str) -> float | None:
    found: float | None = next(each["mean"] for each in metric["values"] if each["arm"] == arm)
    return found
