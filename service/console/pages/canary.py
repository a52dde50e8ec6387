"""The canary: a policy that decides for a share of the payments until it has earned the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection

from service.api.experiments import GUARDRAILS, MAX_WAIT_S, TrialAnswer, read_trial
from service.api.operating import refusals
from service.api.problems import Problem
from service.console import trial_tables
from service.console.asking import Told, asking
from service.console.backing import Backing
from service.console.form_values import number, whole
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.console.wanted_policy import fields_for, offered, wanted_policy
from service.models.gated import overridden
from service.security.caller import Scope, caller
from service.trials.canary_word import canary_word
from service.trials.operating import (
    LARGEST_CANARY,
    SMALLEST_CANARY,
    promote_canary,
    set_canary_share,
    start_canary,
    stop,
    within,
)
from service.trials.trial import CANARY, CANARY_WAIT_S, LIVE, PAYMENT, Trial

_SMALLEST, _LARGEST = 100 * SMALLEST_CANARY, 100 * LARGEST_CANARY


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""
    back = "console.canary"

    def read() -> TrialAnswer:
        tenant = caller().tenant
        with refusals("path"), backing.engine.connect() as connection:
            return read_trial(connection, tenant, CANARY, LIVE, backing.live.serving(tenant))

    def change(what: Callable[[Connection, str, str], Trial], notice: str) -> Response:
        who = caller()
        with refusals("form"):
            within(backing.engine, lambda connection: what(connection, who.tenant, who.name))
        backing.live.refresh(backing.engine)
        return done(notice, url_for(back))

    @blueprint.get("/policies/canary", endpoint="canary")
    def show() -> Response:
        told = read()
        tables = (
            trial_tables.arms_table(told),
            trial_tables.guardrails_table(told),
            trial_tables.over_time_table(told.found),
            trial_tables.history_table(told),
        )
        return page(
            "canary.html",
            title="Canary",
            here="policies",
            tables=tables,
            trial=told.trial,
            found=told.found,
            found_at=told.found_at,
            verdict=(told.found or {}).get("canary"),
            chart=trial_tables.over_time_chart(told.found),
        )

    @blueprint.get("/policies/canary/start", endpoint="canary_start")
    def start_asked(refused: str | None = None) -> Response:
        with refusals("models"), backing.engine.connect() as connection:
            models = offered(connection, caller().tenant)
        fields = fields_for(models)
        fields[0]["value"] = request.args.get("model", "")[:12]
        fields += [
            _share_field(5.0),
            {
                "name": "wait_s",
                "label": "A payment counts so long after its first attempt, seconds",
                "kind": "number",
                "value": CANARY_WAIT_S,
            },
        ]
        return asking(
            "Start a canary",
            here="policies",
            what="It decides for a share of the payments, and is rolled back by itself on evidence "
            "of harm, or when a guardrail breaks.",
            button="Start the canary",
            back=url_for("console.policies"),
            fields=fields,
            refused=refused,
        )

    @blueprint.post("/policies/canary/start", endpoint="canary_start_sent")
    def start_sent() -> Response:
        who, reason = caller(), given_reason()
        try:
            trial = Trial(
                kind=CANARY,
                name=CANARY,
                state="",
                arms=(),
                unit=PAYMENT,
                share=number(request.form, "share", _SMALLEST, _LARGEST) / 100,
                salt="",
                guardrails=tuple(msgspec.to_builtins(each) for each in GUARDRAILS),
                wait_s=whole(request.form, "wait_s", 60, MAX_WAIT_S, CANARY_WAIT_S),
            )
            with refusals("policy"):
                start_canary(backing.engine, who.tenant, who.name, trial, wanted_policy(), reason)
        except Problem as problem:
            return start_asked(problem.detail)
        backing.live.refresh(backing.engine)
        return done("The canary runs.", url_for(back))

    @blueprint.get("/policies/canary/share", endpoint="canary_share")
    def share_asked() -> Response:
        trial = read().trial
        return asking(
            "Share of the canary",
            here="policies",
            what=f"{trial.arms[0].spec} decides for another share of the payments. Raising it "
            "takes no payment away from it.",
            button="Set the share",
            back=url_for(back),
            fields=[_share_field(100 * trial.share)],
        )

    @blueprint.post("/policies/canary/share", endpoint="canary_share_sent")
    def share_sent() -> Response:
        reason = given_reason()
        share = number(request.form, "share", _SMALLEST, _LARGEST) / 100
        return change(
            lambda c, tenant, name: set_canary_share(c, tenant, name, share, reason),
            f"The canary decides for {100 * share:g}% of the payments.",
        )

    @blueprint.get("/policies/canary/stop", endpoint="canary_stop")
    def stop_asked() -> Response:
        trial = read().trial
        return asking(
            "Stop the canary",
            here="policies",
            what=f"{trial.arms[0].spec} decides no more payments; the live policy takes them.",
            button="Stop the canary",
            back=url_for(back),
            danger=True,
        )

    @blueprint.post("/policies/canary/stop", endpoint="canary_stop_sent")
    def stop_sent() -> Response:
        reason = given_reason()
        return change(
            lambda c, tenant, name: stop(c, tenant, name, CANARY, LIVE, reason),
            "The canary is stopped.",
        )

    def earned() -> tuple[bool, list[Told]]:
        """Whether its outcomes or the gate speak for it, and what they say."""
        tenant = caller().tenant
        started = backing.settings.served()[tenant].policy
        with refusals("path"), backing.engine.connect() as connection:
            word = canary_word(connection, tenant, started, datetime.now(UTC))
        remarks = [Told(word.why, "good" if word.is_ready else "warning")]
        if word.gate is not None:
            tone = "good" if word.gate.allowed else ""
            remarks.append(Told(f"The gate: {word.gate.why}.", tone, word.gate.reasons))
        return word.allowed, remarks

    @blueprint.get("/policies/canary/promote", endpoint="canary_promote")
    def promote_asked() -> Response:
        told = read()
        sure, remarks = earned()
        may = sure or Scope.ADMIN in caller().scopes
        if not sure:
            remarks.append(
                Told("Neither speaks for it: an admin may promote it all the same, with a reason.")
            )
        return asking(
            "Promote the canary",
            here="policies",
            what=f"{told.trial.arms[0].spec} decides all payments from now on.",
            button="Promote" if sure else "Override and promote",
            back=url_for(back),
            told=remarks,
            danger=not sure,
            possible=may,
        )

    @blueprint.post("/policies/canary/promote", endpoint="canary_promote_sent")
    def promote_sent() -> Response:
        reason = given_reason()
        sure, _ = earned()
        if not sure and Scope.ADMIN not in caller().scopes:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "neither its outcomes nor the gate speak for it; only an admin may promote it",
            )
        why = reason if sure else overridden(reason)
        return change(
            lambda c, tenant, name: promote_canary(c, tenant, name, why),
            "The canary's policy is live.",
        )


def _share_field(value: float) -> dict[str, Any]:
    return {
        "name": "share",
        "label": "Share of the payments, %",
        "kind": "number",
        "step": "any",
        "value": f"{value:g}",
        "required": True,
    }
