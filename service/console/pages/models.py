"""One model: how it was made and judged; and promoting it, by the word of the gate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection

from authopt.errors import UserError
from authopt.learning.gate.verdict import GateVerdict
from authopt.rollout.promotion import Promotion, PromotionRefused, Word
from service.api.operating import refusals, refuse_unless_admin
from service.console.asking import Told, asking
from service.console.backing import Backing
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.console.tables import Column, Table
from service.models.gate_word import gate_word, verdict_on, without_verdict
from service.models.gated import promote_by_gate, promote_unjudged
from service.models.live_policy import read_live_policy
from service.models.registry import KIND, Model, find_model
from service.people.needs import needs
from service.security.caller import Scope, caller
from service.store.changes import history
from service.store.records import moment

OVERRIDE = "override"
_LONGEST_SPEC = 256


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    def started() -> str:
        return backing.settings.served()[caller().tenant].policy

    def word_on(connection: Connection, model: Model) -> Promotion:
        return gate_word(connection, caller().tenant, model, started(), datetime.now(UTC))

    @blueprint.get("/policies/models/<sha>", endpoint="model")
    def show(sha: str) -> Response:
        tenant = caller().tenant
        with refusals("path"), backing.engine.connect() as connection:
            model = find_model(connection, tenant, sha)
            live = read_live_policy(connection, tenant).live
            told = history(connection, tenant, KIND, model.sha256)
            word, fault = _word(lambda: word_on(connection, model))
        verdict = None if fault else verdict_on(model)
        is_live = live is not None and live.sha256 == model.sha256
        rows = [
            {
                "changed_at": moment(each.changed_at_us),
                "state": each.value["state"],
                "actor": each.actor,
                "reason": each.reason or None,
            }
            for each in told
        ]
        return page(
            "model.html",
            title=f"Model {model.sha256[:12]}",
            here="policies",
            tables=(_checks(verdict), _bounds(verdict), _history(rows)),
            model=model,
            added_at=moment(model.added_at_us),
            is_live=is_live,
            verdict=verdict,
            word=word,
            fault=fault,
            lineage=without_verdict(model.lineage),
        )

    @blueprint.get("/policies/models/<sha>/promote", endpoint="promote_model")
    def promote_asked(sha: str) -> Response:
        return ask(sha)

    def ask(sha: str, refused: str | None = None) -> Response:
        who = caller()
        with refusals("path"), backing.engine.connect() as connection:
            model = find_model(connection, who.tenant, sha)
            word = word_on(connection, model)
        may_override = Scope.ADMIN in who.scopes
        told = [_told(word)]
        if not word.allowed:
            told.append(
                Told(
                    "As an admin you may override the gate: your name and reason then stand for it."
                    if may_override
                    else "An admin may override the gate, with a reason."
                )
            )
        return asking(
            f"Promote model {model.sha256[:12]}",
            here="policies",
            what=f"{model.spec} decides all payments from now on.",
            button="Promote" if word.allowed else "Override the gate and promote",
            back=url_for("console.model", sha=model.sha256[:12]),
            told=told,
            fields=[] if word.allowed else [_override_field()],
            danger=not word.allowed,
            possible=word.allowed or may_override,
            refused=refused,
        )

    @blueprint.post("/policies/models/<sha>/promote", endpoint="promote_model_sent")
    def promote_sent(sha: str) -> Response:
        who, reason = caller(), given_reason()
        override = request.form.get(OVERRIDE) == "yes"
        if override:
            refuse_unless_admin()
        with refusals("form"):
            try:
                promote_by_gate(
                    backing.engine,
                    who.tenant,
                    who.name,
                    sha,
                    reason,
                    started=started(),
                    override=override,
                )
            except PromotionRefused as refused:
                word = refused.promotion
                return ask(sha, f"{word.why}: {'; '.join(word.reasons)}.")
        backing.live.refresh(backing.engine)
        return done(f"Model {sha[:12]} is live.", url_for("console.policies"))

    @blueprint.get("/policies/promote", endpoint="promote_spec")
    @needs(Scope.ADMIN)
    def spec_asked() -> Response:
        return asking(
            "Promote a policy without files",
            here="policies",
            what="It decides all payments from now on. The gate judges no such policy here.",
            button="Override the gate and promote",
            back=url_for("console.policies"),
            fields=[
                {
                    "name": "spec",
                    "label": "Spec",
                    "required": True,
                    "maxlength": _LONGEST_SPEC,
                    "hint": "Such as uniform, or priority:routes=a,b,epsilon=0.05.",
                }
            ],
            danger=True,
        )

    @blueprint.post("/policies/promote", endpoint="promote_spec_sent")
    @needs(Scope.ADMIN)
    def spec_sent() -> Response:
        who, reason = caller(), given_reason()
        spec = request.form.get("spec", "")
        with refusals("spec"):
            promoted = promote_unjudged(
                backing.engine, who.tenant, who.name, spec, reason, override=True
            )
        backing.live.refresh(backing.engine)
        return done(f"{promoted.spec} is live.", url_for("console.policies"))


def _word(asked: Any) -> tuple[Promotion | None, str | None]:
    """What the gate says, or why nothing can be known of it."""
    try:
        return asked(), None
    except UserError as error:
        return None, str(error)


def _told(word: Promotion) -> Told:
    if word.word is Word.ADMITTED:
        return Told(f"{word.why[:1].upper()}{word.why[1:]}.", "good")
    if word.word is Word.OVERRIDDEN:
        return Told(f"The gate did not pass, and was {word.why}.", "warning", word.reasons)
    return Told("The gate does not let it through:", "alarm", word.reasons)


def _override_field() -> dict[str, Any]:
    return {
        "name": OVERRIDE,
        "label": "Override the gate",
        "kind": "select",
        "options": [("no", "no"), ("yes", "yes: I answer for it")],
    }


def _checks(verdict: GateVerdict | None) -> Table:
    rows = [
        {
            "title": each.title,
            "outcome": each.outcome.value,
            "figure": each.figure,
            "lower": each.lower,
            "upper": each.upper,
            "limit": each.limit,
            "reason": each.reason,
        }
        for each in (() if verdict is None else verdict.checks)
    ]
    return Table(
        "checks",
        "What the gate checked",
        (
            Column("title", "check"),
            Column("outcome", "outcome", "tag"),
            Column("figure", "figure", "number"),
            Column("lower", "from", "number"),
            Column("upper", "to", "number"),
            Column("limit", "held against", "number"),
            Column("reason", "why"),
        ),
        rows,
        "The gate has not judged it. Judge it with: authopt gate LOG --candidate SPEC --live SPEC.",
    )


def _bounds(verdict: GateVerdict | None) -> Table:
    rows = [
        {
            "method": each.method,
            "lower": each.lower,
            "upper": each.upper,
            "confidence": each.confidence,
            "holds": "at all times" if each.anytime else "for one look",
            "decides": "decides" if each.decides else None,
        }
        for each in (() if verdict is None else verdict.bounds)
    ]
    return Table(
        "bounds",
        "Bounds of the gain side by side",
        (
            Column("method", "method", "code"),
            Column("lower", "from", "number"),
            Column("upper", "to", "number"),
            Column("confidence", "confidence", "rate"),
            Column("holds", "holds"),
            Column("decides", "", "tag"),
        ),
        rows,
        "None.",
    )


def _history(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "history",
        "What became of it in the registry",
        (
            Column("changed_at", "when (UTC)", "moment"),
            Column("state", "state", "tag"),
            Column("actor", "who"),
            Column("reason", "why"),
        ),
        rows,
    )
