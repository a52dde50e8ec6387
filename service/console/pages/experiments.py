"""Experiments: all of them, one of them as it stands, and pausing, resuming and stopping it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection

from service.api.experiments import TrialAnswer, read_trial, row
from service.api.operating import refusals
from service.api.problems import Problem
from service.console import trial_tables
from service.console.asking import Told, asking
from service.console.backing import Backing
from service.console.form_values import one_of, refused
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.console.tables import Column, Row, Table
from service.security.caller import caller
from service.store.changes import present
from service.trials.operating import pause, resume, stop, within
from service.trials.pre_period import FEWEST_PAYMENTS
from service.trials.trial import EXPERIMENT, Trial, trials_in
from service.watch.findings import Finding, findings_of

VERDICTS = (
    ("ship", "ship an arm"),
    ("keep", "keep the first arm"),
    ("continue", "no decision: it was ended early"),
)


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    def read(name: str) -> TrialAnswer:
        tenant = caller().tenant
        with refusals("path"), backing.engine.connect() as connection:
            return read_trial(connection, tenant, EXPERIMENT, name, backing.live.serving(tenant))

    @blueprint.get("/experiments", endpoint="experiments")
    def every() -> Response:
        tenant = caller().tenant
        with refusals("experiments"), backing.engine.connect() as connection:
            trials = trials_in(present(connection, tenant))
            found = {each.subject: each for each in findings_of(connection, tenant, EXPERIMENT)}
        serving = backing.live.serving(tenant)
        rows = [
            _row(row(*each, serving), found.get(each[1].name))
            for each in reversed(trials)
            if each[1].kind == EXPERIMENT
        ]
        running = [trial for _, trial in trials if trial.is_running]
        return page(
            "experiments.html",
            title="Experiments",
            here="experiments",
            tables=(_table(rows),),
            running=running[0] if running else None,
        )

    @blueprint.get("/experiments/<name>", endpoint="experiment")
    def one(name: str) -> Response:
        told = read(name)
        found = told.found
        differences = trial_tables.differences_table(found)
        segments = trial_tables.segments_table(found)
        unadjusted = trial_tables.unadjusted_table(found)
        pre_period = trial_tables.pre_period_table(found)
        # One scale for both, as they are held against each other.
        drawn = trial_tables.whiskers([*differences.rows, *unadjusted.rows])
        return page(
            "experiment.html",
            title=f"Experiment {name}",
            here="experiments",
            tables=(
                trial_tables.arms_table(told),
                differences,
                unadjusted,
                pre_period,
                segments,
                trial_tables.metrics_table(found),
                trial_tables.guardrails_table(told),
                trial_tables.over_time_table(found),
                trial_tables.history_table(told),
            ),
            trial=told.trial,
            found=found,
            found_at=told.found_at,
            reading=(found or {}).get("reading"),
            chart=trial_tables.over_time_chart(found),
            drawn=drawn[: len(differences.rows)],
            drawn_unadjusted=drawn[len(differences.rows) :],
            pre_period=pre_period.rows[0] if pre_period.rows else None,
            fewest_payments=FEWEST_PAYMENTS,
            drawn_segments=trial_tables.whiskers(segments.rows),
        )

    def changed(name: str, what: Callable[[Connection, str, str], Trial], notice: str) -> Response:
        who = caller()
        with refusals("form"):
            within(backing.engine, lambda connection: what(connection, who.tenant, who.name))
        backing.live.refresh(backing.engine)
        return done(notice, url_for("console.experiment", name=name))

    @blueprint.get("/experiments/<name>/pause", endpoint="experiment_pause")
    def pause_asked(name: str) -> Response:
        read(name)
        return asking(
            f"Pause experiment {name}",
            here="experiments",
            what="The live policy decides for all until it is resumed.",
            button="Pause it",
            back=url_for("console.experiment", name=name),
        )

    @blueprint.post("/experiments/<name>/pause", endpoint="experiment_pause_sent")
    def pause_sent(name: str) -> Response:
        why = given_reason()
        return changed(
            name,
            lambda c, tenant, actor: pause(c, tenant, actor, EXPERIMENT, name, why),
            f"Experiment {name} is paused.",
        )

    @blueprint.get("/experiments/<name>/resume", endpoint="experiment_resume")
    def resume_asked(name: str) -> Response:
        read(name)
        return asking(
            f"Resume experiment {name}",
            here="experiments",
            what="Payments go to its arms again, everybody to the arm of before.",
            button="Resume it",
            back=url_for("console.experiment", name=name),
        )

    @blueprint.post("/experiments/<name>/resume", endpoint="experiment_resume_sent")
    def resume_sent(name: str) -> Response:
        why = given_reason()
        return changed(
            name,
            lambda c, tenant, actor: resume(c, tenant, actor, name, why),
            f"Experiment {name} runs again.",
        )

    @blueprint.get("/experiments/<name>/stop", endpoint="experiment_stop")
    def stop_asked(name: str, refused: str | None = None) -> Response:
        told = read(name)
        verdict = ((told.found or {}).get("reading") or {}).get("verdict") or {}
        said = (told.found or {}).get("why", "Nothing is known of its payments yet.")
        arms = [arm.name for arm in told.trial.arms]
        return asking(
            f"Stop experiment {name}",
            here="experiments",
            what="It ends for good; the live policy decides for all. The decision is kept; it "
            "promotes nothing: an arm's model is promoted on its own page, through the gate.",
            button="Stop it",
            back=url_for("console.experiment", name=name),
            told=[Told(said)],
            fields=[
                {
                    "name": "verdict",
                    "label": "Decision",
                    "kind": "select",
                    "options": VERDICTS,
                    "value": verdict.get("answer"),
                },
                {
                    "name": "arm",
                    "label": "Arm",
                    "kind": "select",
                    "options": [("", "none"), *((arm, arm) for arm in arms)],
                    "value": verdict.get("arm"),
                },
            ],
            danger=True,
            refused=refused,
        )

    @blueprint.post("/experiments/<name>/stop", endpoint="experiment_stop_sent")
    def stop_sent(name: str) -> Response:
        why = given_reason()
        verdict = one_of(request.form, "verdict", [each for each, _ in VERDICTS])
        arm = request.form.get("arm") or None
        try:
            if verdict == "ship" and arm is None:
                raise refused("arm", "expected the arm that is shipped")
            decision = {"verdict": verdict, "arm": arm, "why": why}
            return changed(
                name,
                lambda c, tenant, actor: stop(c, tenant, actor, EXPERIMENT, name, why, decision),
                f"Experiment {name} is stopped.",
            )
        except Problem as problem:
            return stop_asked(name, problem.detail)


def _row(trial: Any, found: Finding | None) -> dict[str, Any]:
    reading = {} if found is None else (found.content.get("reading") or {})
    first: dict[str, Any] = next(iter(reading.get("differences", [])), {})
    return {
        "name": trial.name,
        "state": trial.state,
        "arms": ", ".join(arm.name for arm in trial.arms),
        "share": trial.share,
        "payments": None if found is None else found.content["counted"],
        "estimate": first.get("estimate"),
        "lower": first.get("lower"),
        "upper": first.get("upper"),
        "verdict": reading.get("verdict", {}).get("answer"),
        "decision": None if trial.decision is None else trial.decision["verdict"],
        "changed_at": trial.changed_at,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    def link(row: Row) -> str:
        return url_for("console.experiment", name=row["name"])

    return Table(
        "experiments",
        "All experiments, the one that changed last first; difference of the second arm in points",
        (
            Column("name", "experiment", "code", link),
            Column("state", "state", "tag"),
            Column("arms", "arms"),
            Column("share", "share of units", "rate"),
            Column("payments", "payments", "count"),
            Column("estimate", "difference", "points"),
            Column("lower", "from", "points"),
            Column("upper", "to", "points"),
            Column("verdict", "verdict", "tag"),
            Column("decision", "decided", "tag"),
            Column("changed_at", "changed (UTC)", "moment"),
        ),
        rows,
        "There has been none.",
    )
