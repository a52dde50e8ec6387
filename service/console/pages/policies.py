"""Which policies decide, try themselves out and look on; and the models that could."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, url_for
from sqlalchemy import Connection

from authopt.errors import UserError
from service.api.operating import refusals
from service.api.policies import PoliciesAnswer, read_policies
from service.api.shadows import ShadowRow, read_shadows
from service.console.asking import Told, asking
from service.console.backing import Backing
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.console.tables import Column, Row, Table
from service.models.gate_word import verdict_on
from service.models.live_policy import LIVE as LIVE_POLICY
from service.models.live_policy import POLICY, live_policy, roll_back, set_pinned
from service.models.registry import Model, list_models
from service.security.caller import caller
from service.store.changes import Change, changing, history, present
from service.store.records import moment
from service.trials.shadowing import ON
from service.trials.trial import CANARY, ROLLED_BACK, Trial, trials_in

_SHOWN_CHANGES = 20
_SHOWN_MODELS = 100


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    @blueprint.get("/policies", endpoint="policies")
    def policies() -> Response:
        tenant = caller().tenant
        with refusals("policies"), backing.engine.connect() as connection:
            serving = backing.live.serving(tenant)
            now = read_policies(connection, tenant, serving)
            shadows = read_shadows(connection, tenant)
            every = list_models(connection, tenant)
            canary = _canary(present(connection, tenant))
        tables = _models(every, now.live.sha256), _shadows(shadows), _changes(now)
        return page(
            "policies.html",
            title="Policies and models",
            here="policies",
            tables=tables,
            now=now,
            cards=_cards(now, canary, shadows),
            canary=canary,
        )

    def confirmed(path: str, title: str, button: str, text: _Text, change: _Change) -> None:
        """A page that asks, or says why that cannot be done; and what is done where it is sent."""
        name = path.replace("/", "_").replace("-", "_")

        @blueprint.get(f"/policies/{path}", endpoint=f"{name}_asked")
        def asked() -> Response:
            tenant = caller().tenant
            with refusals("policies"), backing.engine.connect() as connection:
                now = read_policies(connection, tenant, backing.live.serving(tenant))
                what, told = text(connection, tenant, now)
            back = url_for("console.policies")
            return asking(
                title,
                here="policies",
                what=what,
                button=button,
                back=back,
                told=told,
                danger=True,
                possible=not told,
            )

        @blueprint.post(f"/policies/{path}", endpoint=f"{name}_sent")
        def sent() -> Response:
            who, reason = caller(), given_reason()
            with refusals("form"), changing(backing.engine) as connection:
                notice = change(connection, who.tenant, who.name, reason)
            backing.live.refresh(backing.engine)
            return done(notice, url_for("console.policies"))

    confirmed("pin", "Pin the live policy", "Pin it", _pin_text, _pin)
    confirmed("unpin", "Unpin the live policy", "Unpin it", _unpin_text, _unpin)
    confirmed("roll-back", "Roll back", "Roll back and pin", _roll_back_text, _roll_back)


_Said = tuple[str, list[Told]]
_Text = Callable[[Connection, str, PoliciesAnswer], _Said]
_Change = Callable[[Connection, str, str, str], str]


def _pin_text(_: Connection, __: str, now: PoliciesAnswer) -> _Said:
    what = (
        f"{now.live.name} stays live: nobody, and no learner, can replace it until it is unpinned."
    )
    return what, [Told("It is pinned already.")] if now.pinned else []


def _unpin_text(_: Connection, __: str, now: PoliciesAnswer) -> _Said:
    what = f"{now.live.name} can be replaced again, by people and by learners."
    return what, [] if now.pinned else [Told("It is not pinned.")]


def _roll_back_text(connection: Connection, tenant: str, now: PoliciesAnswer) -> _Said:
    state = live_policy(history(connection, tenant, POLICY, LIVE_POLICY))
    told = []
    if not state.promoted:
        told.append(Told("Nothing was promoted: the policy of the service's start is live."))
    if state.pinned:
        told.append(Told("The live policy is pinned; unpin it first.", "warning"))
    before = (
        state.promoted[-2].spec if len(state.promoted) > 1 else "The policy of the service's start"
    )
    what = (
        f"{before} is live again in place of {now.live.name}, and is pinned, so that no learner "
        "puts back what was taken away."
    )
    return what, told


def _pin(connection: Connection, tenant: str, actor: str, reason: str) -> str:
    set_pinned(connection, tenant, actor, True, reason)
    return "The live policy is pinned."


def _unpin(connection: Connection, tenant: str, actor: str, reason: str) -> str:
    set_pinned(connection, tenant, actor, False, reason)
    return "The live policy is not pinned any more."


def _roll_back(connection: Connection, tenant: str, actor: str, reason: str) -> str:
    before = roll_back(connection, tenant, actor, reason)
    name = "The policy that the service was started with" if before is None else before.spec
    return f"{name} is live again, and pinned."


def _canary(state: dict[tuple[str, str], Change]) -> Trial | None:
    """The last canary."""
    told = [trial for _, trial in trials_in(state) if trial.kind == CANARY]
    return told[-1] if told else None


def _cards(
    now: PoliciesAnswer, canary: Trial | None, shadows: list[ShadowRow]
) -> list[dict[str, Any]]:
    since = [each for each in now.history if each.by in ("promote", "rollback")]
    promoted = (
        f"since {since[-1].changed_at:%Y-%m-%d %H:%M}, by {since[-1].actor}" if since else None
    )
    live = {
        "name": "Live",
        "value": now.live.name,
        "kind": "text",
        "note": promoted or "since the service was started",
        "tone": "bad" if now.killed or now.candidate else "good",
        "to": None
        if now.live.sha256 is None or now.live.spec is None
        else url_for("console.model", sha=now.live.sha256[:12]),
    }
    trying = {"name": "Canary", "value": None, "kind": "text", "note": "none was started"}
    if canary is not None:
        running = canary.is_running
        trying |= {
            "value": f"{100 * canary.share:g}% of payments" if running else canary.state,
            "note": f"{canary.arms[0].spec}{', running' if running else ''}",
            "to": url_for("console.canary"),
            "tone": "bad" if canary.state == ROLLED_BACK else "warn" if running else None,
        }
    on = [each.name for each in shadows if each.state == ON]
    looking = {
        "name": "Shadows",
        "value": len(on),
        "kind": "count",
        "note": ", ".join(on) or "none is on",
    }
    pinned = {
        "name": "Can be replaced",
        "value": "no: pinned" if now.pinned else "yes",
        "kind": "text",
        "tone": "warn" if now.pinned else None,
    }
    return [live, pinned, trying, looking]


def _models(every: list[Model], live: str | None) -> Table:
    rows = [
        {
            "sha256": each.sha256,
            "spec": each.spec,
            "state": "live" if each.sha256 == live else "retired" if each.retired else None,
            "gate": _word(each),
            "decisions": each.lineage.get("training", {}).get("rows"),
            "added_at": moment(each.added_at_us),
            "added_by": each.added_by,
        }
        for each in every[:_SHOWN_MODELS]
    ]

    def link(row: Row) -> str:
        return url_for("console.model", sha=row["sha256"][:12])

    return Table(
        "models",
        f"Models of the registry, the newest {_SHOWN_MODELS}",
        (
            Column("sha256", "model", "sha", link),
            Column("spec", "spec", "code"),
            Column("state", "state", "tag"),
            Column("gate", "gate", "tag"),
            Column("decisions", "trained on decisions", "count"),
            Column("added_at", "added (UTC)", "moment"),
            Column("added_by", "by"),
        ),
        rows,
        "None. Add one with: authopt models add SPEC --evaluation verdict.json",
    )


def _word(model: Model) -> str | None:
    try:
        verdict = verdict_on(model)
    except UserError:
        return "damaged"
    return None if verdict is None else verdict.word.lower()


def _shadows(shadows: list[ShadowRow]) -> Table:
    rows = []
    for each in shadows:
        found = each.found or {}
        whole = found.get("whole", {})
        rows.append(
            {
                "name": each.name,
                "state": each.state,
                "spec": each.spec,
                "decisions": found.get("decisions"),
                "agreed": found.get("agreed"),
                "value": whole.get("value"),
                "difference": whole.get("difference"),
                "lower": whole.get("lower"),
                "upper": whole.get("upper"),
                "changed_at": each.changed_at,
                "changed_by": each.changed_by,
            }
        )

    def link(row: Row) -> str:
        return url_for("console.shadow", name=row["name"])

    return Table(
        "shadows",
        "Shadows: what policies would have done with the payments of now",
        (
            Column("name", "shadow", "code", link),
            Column("state", "state", "tag"),
            Column("spec", "spec", "code"),
            Column("decisions", "decisions seen", "count"),
            Column("agreed", "would do the same", "rate"),
            Column("value", "its approval rate", "rate"),
            Column("difference", "against live, points", "points"),
            Column("lower", "from", "points"),
            Column("upper", "to", "points"),
            Column("changed_at", "since (UTC)", "moment"),
            Column("changed_by", "by"),
        ),
        rows,
        "None was turned on.",
    )


def _changes(now: PoliciesAnswer) -> Table:
    rows = [
        {
            "changed_at": each.changed_at,
            "by": each.by,
            "spec": each.spec,
            "sha256": each.sha256,
            "actor": each.actor,
            "reason": each.reason or None,
        }
        for each in reversed(now.history[-_SHOWN_CHANGES:])
    ]
    return Table(
        "changes",
        f"What was changed about the live policy, the last {_SHOWN_CHANGES}",
        (
            Column("changed_at", "when (UTC)", "moment"),
            Column("by", "what", "tag"),
            Column("spec", "policy", "code"),
            Column("sha256", "model", "sha"),
            Column("actor", "who"),
            Column("reason", "why"),
        ),
        rows,
        "Nothing was changed yet.",
    )
