"""Planning an experiment from the payments of the last weeks, and starting one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request, url_for

from authopt.durations import DAY_S
from authopt.experiments.assignment import MAX_WEIGHT
from authopt.experiments.metrics import METRICS
from authopt.experiments.planning import Plan, plan
from service.api.experiments import MAX_WAIT_S
from service.api.operating import refusals
from service.api.problems import Problem
from service.console.asking import asking
from service.console.backing import Backing
from service.console.form_values import number, one_of, whole
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.console.tables import Column, Table
from service.console.wanted_policy import fields_for, offered, wanted_policy
from service.models.registry import Model
from service.security.caller import caller
from service.store.records import microseconds
from service.summaries.cuts import Span
from service.summaries.reading import over_time
from service.trials.operating import start_experiment
from service.trials.trial import EXPERIMENT, EXPERIMENT_WAIT_S, LIVE, UNITS, WORTHWHILE, Arm, Trial

WEEKS_DAYS = 28
MOST_ARMS = 5
EFFECTS = (0.0025, 0.005, 0.01, 0.02)
_USUAL_GUARDRAIL = {"fallback": 0.02}
_SECOND_US = 1_000_000


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    @blueprint.get("/experiments/plan", endpoint="experiment_plan")
    def planning() -> Response:
        share = number(request.args, "share", 0.1, 100.0, 100.0) / 100
        of_arm = number(request.args, "of_arm", 1.0, 99.0, 50.0) / 100
        power = number(request.args, "power", 50.0, 99.0, 80.0) / 100
        effect = number(request.args, "effect", 0.01, 50.0, 100 * WORTHWHILE) / 100
        mean, daily, days = _seen(backing, caller().tenant)
        plans = []
        if mean is not None and 0.0 < mean < 1.0:
            plans = [
                plan(
                    mean=mean,
                    variance=mean * (1.0 - mean),
                    payments_per_day=daily,
                    effect=each,
                    share=share,
                    of_arm=of_arm,
                    power=power,
                )
                for each in sorted({*EFFECTS, effect})
            ]
        asked = (
            ("effect", "Difference worth finding, points", 100 * effect),
            ("share", "Share of payments in it, %", 100 * share),
            ("of_arm", "Of these, to the new arm, %", 100 * of_arm),
            ("power", "Chance of finding it, %", 100 * power),
        )
        return page(
            "experiment_plan.html",
            title="Plan an experiment",
            here="experiments",
            tables=(_plans(plans),),
            mean=mean,
            daily=daily,
            days=days,
            fields=[
                {"name": name, "label": label, "kind": "number", "step": "any", "value": f"{v:g}"}
                for name, label, v in asked
            ],
        )

    @blueprint.get("/experiments/start", endpoint="experiment_start")
    def start_asked(refused: str | None = None) -> Response:
        asked = request.form if request.method == "POST" else request.args
        arms = whole(asked, "arms", 2, MOST_ARMS, 2)
        with refusals("models"), backing.engine.connect() as connection:
            models = offered(connection, caller().tenant)
        return asking(
            "Start an experiment",
            here="experiments",
            what="Payments go to its arms from now on; who is in an arm stays there. The other "
            "arms are held against the first one. An arm decides by a model, or by a policy "
            f"without files, such as uniform; the spec {LIVE} stands for whatever is live.",
            button="Start it",
            back=url_for("console.experiments"),
            fields=_fields(models, arms),
            refused=refused,
            wide=True,
        )

    @blueprint.post("/experiments/start", endpoint="experiment_start_sent")
    def start_sent() -> Response:
        who, reason, form = caller(), given_reason(), request.form
        try:
            numbers = range(1, whole(form, "arms", 2, MOST_ARMS, 2) + 1)
            names = [form.get(f"arm_{at}", "").strip() for at in numbers]
            trial = Trial(
                kind=EXPERIMENT,
                name=form.get("name", "").strip(),
                state="",
                arms=tuple(
                    Arm(name, "", None, whole(form, f"weight_{at}", 1, MAX_WEIGHT, 1))
                    for at, name in zip(numbers, names, strict=True)
                ),
                unit=one_of(form, "unit", UNITS),
                share=number(form, "share", 0.01, 100.0, 100.0) / 100,
                salt="",
                segments=_words(form.get("segments", "")),
                guardrails=tuple(
                    {"metric": metric, "tolerance": number(form, f"guard_{metric}", 0.0, 1e9)}
                    for metric in METRICS
                    if form.get(f"guard_{metric}", "").strip()
                ),
                wait_s=whole(form, "wait_s", 60, MAX_WAIT_S, EXPERIMENT_WAIT_S),
                worthwhile=number(form, "worthwhile", 0.0, 50.0, 100 * WORTHWHILE) / 100,
            )
            wanted = {
                name: wanted_policy(f"_{at}") for at, name in zip(numbers, names, strict=True)
            }
            with refusals("experiment"):
                start_experiment(backing.engine, who.tenant, who.name, trial, wanted, reason)
        except Problem as problem:
            return start_asked(problem.detail)
        backing.live.refresh(backing.engine)
        return done(
            f"Experiment {trial.name} runs.", url_for("console.experiment", name=trial.name)
        )


def _seen(backing: Backing, tenant: str) -> tuple[float | None, float, int]:
    """Share of payments paid, payments per day, and over how many whole days."""
    now_us = microseconds(datetime.now(UTC))
    today_us = now_us - now_us % (DAY_S * _SECOND_US)
    since_us = today_us - WEEKS_DAYS * DAY_S * _SECOND_US
    with refusals("summaries"), backing.engine.connect() as connection:
        points = over_time(connection, tenant, Span.DAY, since_us, today_us)
    known = [point.sums for point in points]
    while known and not known[0].payments:
        known = known[1:]
    payments = sum(sums.payments for sums in known)
    paid = sum(sums.payments_paid for sums in known)
    if not payments:
        return None, 0.0, 0
    return paid / payments, payments / len(known), len(known)


def _plans(plans: list[Plan]) -> Table:
    rows = [
        {
            "effect": each.effect,
            "fixed": each.fixed,
            "fixed_days": each.fixed_days,
            "median": each.sequential_median,
            "median_days": each.median_days,
            "enough": each.sequential_enough,
            "enough_days": each.enough_days,
        }
        for each in plans
    ]
    return Table(
        "plans",
        "Payments of both arms, and days, until a difference is found if it is there",
        (
            Column("effect", "difference, points", "points"),
            Column("fixed", "one look at the end", "count"),
            Column("fixed_days", "days", "number"),
            Column("median", "looking all the time: half are done by", "count"),
            Column("median_days", "days", "number"),
            Column("enough", "that share is done by", "count"),
            Column("enough_days", "days", "number"),
        ),
        rows,
        "There are no payments of whole days to plan by yet.",
    )


def _fields(models: list[Model], arms: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": "name", "label": "Name", "required": True, "maxlength": 64},
        {
            "name": "unit",
            "label": "What stays with its arm",
            "kind": "select",
            "options": [(unit, unit) for unit in UNITS],
            "value": UNITS[0],
        },
        {
            "name": "share",
            "label": "Share of these in the experiment, %",
            "kind": "number",
            "step": "any",
            "value": "100",
        },
        {
            "name": "arms",
            "label": "Number of arms",
            "kind": "number",
            "readonly": True,
            "value": arms,
        },
    ]
    for at in range(1, arms + 1):
        model, spec = fields_for(models, f"_{at}", f"arm {at}")
        found += [
            {
                "name": f"arm_{at}",
                "label": f"Name of arm {at}",
                "required": True,
                "maxlength": 64,
                "value": LIVE if at == 1 else "",
            },
            {
                "name": f"weight_{at}",
                "label": f"Weight of arm {at}",
                "kind": "number",
                "value": 1,
            },
            model,
            spec | ({"value": LIVE} if at == 1 else {}),
        ]
    found += [
        {
            "name": "segments",
            "label": "Segments: columns, commas between",
            "maxlength": 400,
            "value": "network",
        },
        {
            "name": "wait_s",
            "label": "Counts so long after its first attempt, s",
            "kind": "number",
            "value": EXPERIMENT_WAIT_S,
        },
        {
            "name": "worthwhile",
            "label": "Least gain worth shipping for, points",
            "kind": "number",
            "step": "any",
            "value": f"{100 * WORTHWHILE:g}",
        },
    ]
    found += [
        {
            "name": f"guard_{name}",
            "label": f"Guardrail, worse by at most: {metric.words}",
            "kind": "number",
            "step": "any",
            "value": _USUAL_GUARDRAIL.get(name, ""),
        }
        for name, metric in METRICS.items()
    ]
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
