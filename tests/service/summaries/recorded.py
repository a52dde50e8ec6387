"""Records by chance, and what the summaries of them must be, added up anew with pandas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from service.api.forms import OutcomeRequest
from service.store.records import ActivationRecord, DecisionRecord, OutcomeRecord, outcome_record
from service.store.tables import activations, decisions, outcomes, summaries
from service.summaries.adding_up import Step, add_step
from service.summaries.cuts import Cut, Span
from service.summaries.sums import NAMES

START_US = 1_772_323_200_000_000  # 2026-03-01
NOW_US = START_US + 3 * Span.DAY.us
KEYS = ["span_s", "cut", "start_us", "value", "route"]


def decision(
    name: str = "d1",
    payment: str = "p1",
    *,
    tenant: str = "default",
    attempt: int = 1,
    at_us: int = START_US,
    route: str = "adyen",
    delay_s: int = 0,
    propensity: float = 0.5,
    fallback: str | None = None,
    deferred: bool = False,
    arm: str | None = None,
    **context: Any,
) -> DecisionRecord:
    return DecisionRecord(
        decision_id=name,
        payment_id=payment,
        attempt=attempt,
        decided_at_us=at_us,
        route=route,
        delay_s=delay_s,
        propensity=propensity,
        policy="uniform",
        model_sha256=None,
        fallback=fallback,
        salt="authopt",
        request=json.dumps({"payment_id": payment, "attempt": attempt, "context": context}),
        answer="{}",
        deferred=deferred,
        tenant=tenant,
        experiment=None if arm is None else "test",
        arm=arm,
    )


def outcome(name: str = "d1", *, tenant: str = "default", **fields: Any) -> OutcomeRecord:
    return outcome_record(OutcomeRequest(name, **fields), tenant)


def activation(
    name: str = "d1",
    route: str = "adyen",
    *,
    tenant: str = "default",
    propensity: float | None = None,
) -> ActivationRecord:
    return ActivationRecord(name, START_US, route, 0, propensity, tenant)


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


_IDS = st.sampled_from([f"d{number}" for number in range(8)])
_ROUTES = st.sampled_from(["adyen", "checkout", "stop"])
_DECISIONS = st.builds(
    decision,
    _IDS,
    st.sampled_from(["p1", "p2", "p3"]),
    attempt=st.integers(1, 3),
    at_us=st.integers(START_US, NOW_US),
    route=_ROUTES,
    propensity=st.sampled_from([0.25, 0.1 + 0.2, 1.0]),
    fallback=_maybe(st.sampled_from(["late", "failed"])),
    deferred=st.booleans(),
    arm=_maybe(st.sampled_from(["a", "b"])),
    issuer=_maybe(st.sampled_from(["bank", "trust"])),
    currency=_maybe(st.sampled_from(["EUR", "USD"])),
    amount_minor=_maybe(st.integers(0, 10_000)),
)
_OUTCOMES = st.builds(
    outcome,
    _IDS,
    approved=_maybe(st.booleans()),
    response_code=_maybe(st.sampled_from(["00", "51"])),
    fee_minor=_maybe(st.integers(0, 50)),
    refunded_minor=_maybe(st.integers(0, 10_000)),
    charged_back=_maybe(st.booleans()),
)
_ACTIVATIONS = st.builds(activation, _IDS, _ROUTES, propensity=_maybe(st.just(0.75)))
EVENTS = st.lists(
    _DECISIONS | _OUTCOMES | _ACTIVATIONS | st.sampled_from(["step", "crash"]), max_size=40
)
"""Records as they come, steps of the summaries between them, and steps that are cut off."""


def add_all(engine: Engine, tenant: str = "default", now_us: int = NOW_US) -> None:
    while add_step(engine, tenant, now_us) is Step.BEHIND:
        pass


def kept(engine: Engine, tenant: str) -> list[Any]:
    """The table ``summaries``."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(*(summaries.c[name] for name in (*KEYS, *NAMES))).where(
                summaries.c.tenant == tenant, summaries.c.decisions != 0
            )
        ).all()
    return sorted(map(tuple, rows))


def recomputed(engine: Engine, tenant: str, minutes_from_us: int) -> list[Any]:
    """What it must hold."""
    alone = decisions_of(engine, tenant)
    parts = []
    for span in Span:
        for cut in span.cuts:
            some = alone.assign(
                span_s=int(span),
                cut=cut.value,
                start_us=alone.at_us // span.us * span.us,
                value="" if cut is Cut.ALL else alone[cut.value],
            )
            if cut is not Cut.CURRENCY:
                some[["approved_minor", "refunded_minor", "fees_minor"]] = 0
            if span is Span.MINUTE:
                some = some[some.start_us >= minutes_from_us]
            parts.append(some)
    sums = pd.concat(parts).groupby(KEYS)[list(NAMES)].sum().reset_index()
    return [tuple(row) for row in sums.itertuples(index=False)]


def decisions_of(engine: Engine, tenant: str) -> pd.DataFrame:
    """One row per decision that counts, with what it adds."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(decisions).where(decisions.c.tenant == tenant).order_by(decisions.c.number)
        ).all()
        told = connection.execute(
            select(outcomes).where(outcomes.c.tenant == tenant).order_by(outcomes.c.number)
        ).all()
        acts = connection.execute(select(activations).where(activations.c.tenant == tenant)).all()
    known: dict[str, dict[str, Any]] = {}
    for each in told:
        known.setdefault(each.decision_id, {}).update(json.loads(each.outcome))
    done = {each.decision_id: each for each in acts}
    alone = pd.DataFrame(
        list(_alone(rows, known, done)),
        columns=["payment", "at_us", *(cut.value for cut in Cut if cut is not Cut.ALL), *NAMES],
    )
    paid = alone.groupby("payment").approved.transform("max")
    firsts = alone[alone.attempt == "1"].drop_duplicates("payment").index
    alone.loc[firsts, "payments"] = 1
    alone.loc[firsts, "payments_paid"] = paid[firsts]
    return alone.astype(dict.fromkeys(NAMES, "int64"))


def _alone(rows: Any, known: Any, done: Any) -> Iterator[dict[str, Any]]:
    for row in rows:
        act = done.get(row.decision_id)
        if row.deferred and act is None:
            continue
        route = act.route if row.deferred else row.route
        propensity = row.propensity
        if row.deferred and act.propensity is not None:
            propensity = act.propensity
        elif row.deferred and (act.route, act.delay_s) != (row.route, row.delay_s):
            propensity = 0.0
        came = known.get(row.decision_id, {})
        context = json.loads(row.request)["context"]
        tried, first = route != "stop", row.attempt == 1
        answered = tried and "approved" in came
        approved = answered and came["approved"]
        amount, lost = context.get("amount_minor") or 0, came.get("refunded_minor", 0)
        charged_back = approved and came.get("charged_back", False)
        yield {
            "payment": row.payment_id,
            "at_us": row.decided_at_us,
            "route": route,
            "issuer": context.get("issuer") or "",
            "country": context.get("issuer_country") or "",
            "network": context.get("network") or "",
            "attempt": str(row.attempt),
            "merchant": context.get("merchant_id") or "",
            "currency": context.get("currency") or "",
            "policy": row.policy,
            "arm": f"{row.experiment}/{row.arm}" if row.arm else "",
            "response_code": came.get("response_code", ""),
            "fallback": row.fallback or "",
            "decisions": 1,
            "attempts": int(tried),
            "answered": int(answered),
            "approved": int(approved),
            "first_answered": int(answered and first),
            "first_approved": int(approved and first),
            "payments": 0,
            "payments_paid": 0,
            "fallbacks": int(row.fallback is not None),
            "charged_back": int(charged_back),
            "propensity_ppm": round(propensity * 1e6),
            "approved_minor": amount if approved else 0,
            "refunded_minor": (max(amount, lost) if charged_back else lost) if approved else 0,
            "fees_minor": came.get("fee_minor", 0),
        }
