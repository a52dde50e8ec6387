"""``/v1/experiments``: comparing policies on live payments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta
from sqlalchemy import Connection, Engine

from authopt.experiments.assignment import MAX_ARMS, MAX_WEIGHT
from service.api.bodies import read_body
from service.api.operating import Reason, refusals
from service.api.problems import FieldError, Problem
from service.live.live import Live
from service.live.serving import Serving
from service.security.caller import caller
from service.store.changes import Change, history, present
from service.store.records import moment
from service.trials.operating import (
    MOST_SEGMENT_COLUMNS,
    WantedPolicy,
    no_trial,
    pause,
    resume,
    start_experiment,
    stop,
    within,
)
from service.trials.trial import (
    EXPERIMENT,
    EXPERIMENT_WAIT_S,
    WORTHWHILE,
    Arm,
    Trial,
    trial_of,
    trials_in,
)
from service.watch.findings import finding

JSON = "application/json"
MAX_WAIT_S = 60 * 86_400

TrialName = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{0,63}\Z")]
Column = Annotated[str, Meta(pattern=r"\A[a-z][A-Za-z0-9_]{0,63}\Z")]
Spec = Annotated[str, Meta(min_length=1, max_length=256)]
Sha256 = Annotated[str, Meta(min_length=6, max_length=64, pattern=r"\A[0-9a-f]+\Z")]
Share = Annotated[float, Meta(gt=0.0, le=1.0)]
Wait = Annotated[int, Meta(ge=60, le=MAX_WAIT_S)]


class RequestedGuardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much worse than the first arm another one may be in a metric before the trial ends."""

    metric: Literal["paid", "first_approved", "attempts", "fees_minor", "fallback", "latency_ms"]
    tolerance: Annotated[float, Meta(ge=0.0, le=1e9)]


GUARDRAILS = (RequestedGuardrail("fallback", 0.02),)
"""Where none are named: a policy that is slow or broken leaves payments to the static priority."""


class RequestedArm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An arm: a model's sha256, or the spec of a policy without files; ``live``: the live one."""

    name: TrialName
    spec: Spec | None = None
    sha256: Sha256 | None = None
    weight: Annotated[int, Meta(ge=1, le=MAX_WEIGHT)] = 1


class ExperimentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/experiments``: others are held against the first arm.

    ``share`` of the units are in it; a payment counts ``wait_s`` after its first attempt.
    """

    name: TrialName
    arms: Annotated[list[RequestedArm], Meta(min_length=2, max_length=MAX_ARMS)]
    unit: Literal["payment", "card", "merchant"] = "payment"
    share: Share = 1.0
    segments: Annotated[list[Column], Meta(max_length=MOST_SEGMENT_COLUMNS)] = []
    guardrails: Annotated[tuple[RequestedGuardrail, ...], Meta(max_length=6)] = GUARDRAILS
    wait_s: Wait = EXPERIMENT_WAIT_S
    worthwhile: Annotated[float, Meta(ge=0.0, lt=1.0)] = WORTHWHILE
    reason: Reason = ""


class TrialWhyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/experiments/{name}/pause`` and ``resume``."""

    reason: Reason = ""


class StopRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/experiments/{name}/stop``: what was decided, and why."""

    verdict: Literal["ship", "keep", "continue"]
    arm: TrialName | None = None
    reason: Reason = ""


class ArmRow(msgspec.Struct, frozen=True):
    """An arm, with its part of the units that are in the trial."""

    name: str
    spec: str
    sha256: str | None
    share: float


class TrialRow(msgspec.Struct, frozen=True):
    """A trial as it stands.

    ``fault`` says why the worker that answers does not run it; null where it does, and where it
    should not.
    """

    name: str
    state: str
    arms: list[ArmRow]
    unit: str
    share: float
    segments: list[str]
    guardrails: list[dict[str, Any]]
    wait_s: int
    worthwhile: float
    decision: dict[str, Any] | None
    changed_at: datetime
    changed_by: str
    reason: str
    fault: str | None


class TrialChange(msgspec.Struct, frozen=True):
    """A change of a trial."""

    number: int
    changed_at: datetime
    actor: str
    state: str
    share: float
    reason: str


class TrialAnswer(msgspec.Struct, frozen=True):
    """A trial, what was found of it when its watcher last looked, and its history."""

    trial: TrialRow
    found_at: datetime | None
    found: dict[str, Any] | None
    history: list[TrialChange]


class ExperimentsAnswer(msgspec.Struct, frozen=True):
    """The merchant's experiments, the one that changed last at the end."""

    experiments: list[TrialRow]


def experiments_blueprint(live: Live, engine: Engine) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("experiments", __name__)

    def answer(name: str) -> Response:
        tenant = caller().tenant
        with refusals("path"), engine.connect() as connection:
            told = read_trial(connection, tenant, EXPERIMENT, name, live.serving(tenant))
        return Response(msgspec.json.encode(told), content_type=JSON)

    def changed(name: str, change: Callable[[Connection, str, str], Trial]) -> Response:
        who = caller()
        with refusals("path"):
            within(engine, lambda connection: change(connection, who.tenant, who.name))
        live.refresh(engine)
        return answer(name)

    @blueprint.get("/v1/experiments")
    def every() -> Response:
        tenant = caller().tenant
        with refusals("experiments"), engine.connect() as connection:
            found = trials_in(present(connection, tenant))
        serving = live.serving(tenant)
        rows = [row(*each, serving) for each in found if each[1].kind == EXPERIMENT]
        return Response(msgspec.json.encode(ExperimentsAnswer(rows)), content_type=JSON)

    @blueprint.get("/v1/experiments/<name>")
    def one(name: str) -> Response:
        return answer(name)

    @blueprint.post("/v1/experiments")
    def start() -> Response:
        asked, who = read_body(request, ExperimentRequest), caller()
        wanted = {arm.name: WantedPolicy(arm.spec, arm.sha256) for arm in asked.arms}
        trial = Trial(
            kind=EXPERIMENT,
            name=asked.name,
            state="",
            arms=tuple(Arm(arm.name, "", None, arm.weight) for arm in asked.arms),
            unit=asked.unit,
            share=asked.share,
            salt="",
            segments=tuple(asked.segments),
            guardrails=tuple(msgspec.to_builtins(each) for each in asked.guardrails),
            wait_s=asked.wait_s,
            worthwhile=asked.worthwhile,
        )
        with refusals("body"):
            start_experiment(engine, who.tenant, who.name, trial, wanted, asked.reason)
        live.refresh(engine)
        return answer(asked.name)

    @blueprint.post("/v1/experiments/<name>/pause")
    def paused(name: str) -> Response:
        why = read_body(request, TrialWhyRequest).reason
        return changed(
            name, lambda c, tenant, actor: pause(c, tenant, actor, EXPERIMENT, name, why)
        )

    @blueprint.post("/v1/experiments/<name>/resume")
    def resumed(name: str) -> Response:
        why = read_body(request, TrialWhyRequest).reason
        return changed(name, lambda c, tenant, actor: resume(c, tenant, actor, name, why))

    @blueprint.post("/v1/experiments/<name>/stop")
    def stopped(name: str) -> Response:
        asked = read_body(request, StopRequest)
        if asked.verdict == "ship" and asked.arm is None:
            why = "expected the arm that is shipped"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"arm: {why}", FieldError("arm", why))
        decision = {"verdict": asked.verdict, "arm": asked.arm, "why": asked.reason}
        return changed(
            name,
            lambda c, tenant, actor: stop(
                c, tenant, actor, EXPERIMENT, name, asked.reason, decision
            ),
        )

    return blueprint


def read_trial(
    connection: Connection, tenant: str, kind: str, subject: str, serving: Serving
) -> TrialAnswer:
    """A trial with all that is known of it.

    Raises
    ------
    NotThere
        If there is none.
    """
    told = history(connection, tenant, kind, subject)
    if not told:
        raise no_trial(kind, subject)
    found = finding(connection, tenant, kind, subject)
    return TrialAnswer(
        row(told[-1], trial_of(told[-1]), serving),
        None if found is None else moment(found.found_at_us),
        None if found is None else found.content,
        [
            TrialChange(
                each.number,
                moment(each.changed_at_us),
                each.actor,
                each.value["state"],
                each.value["share"],
                each.reason,
            )
            for each in told
        ],
    )


def row(change: Change, trial: Trial, serving: Serving) -> TrialRow:
    """A trial as the endpoints show it."""
    total = sum(arm.weight for arm in trial.arms)
    running = serving.trial
    return TrialRow(
        name=trial.name,
        state=trial.state,
        arms=[ArmRow(arm.name, arm.spec, arm.sha256, arm.weight / total) for arm in trial.arms],
        unit=trial.unit,
        share=trial.share,
        segments=list(trial.segments),
        guardrails=[dict(each) for each in trial.guardrails],
        wait_s=trial.wait_s,
        worthwhile=trial.worthwhile,
        decision=None if trial.decision is None else dict(trial.decision),
        changed_at=moment(change.changed_at_us),
        changed_by=change.actor,
        reason=change.reason,
        fault=running.fault
        if running is not None and trial.is_running and running.trial.name == trial.name
        else None,
    )
