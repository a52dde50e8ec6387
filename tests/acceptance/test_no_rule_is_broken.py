"""No decision of any policy, wrapper, override or fallback breaks a rule; and none is too strict.

The rules are judged by an oracle of its own, which knows the whole history of every payment
(:mod:`tests.acceptance.rule_oracle`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authopt.batch import (
    Categorical,
    Column,
    DecisionBatch,
    FloatArray,
    LoggedBatch,
    concat,
    utc_datetime,
)
from authopt.decision import (
    NO_DISTRIBUTION,
    POLICY_FAILED,
    RULES_FAILED,
    Decided,
    decide,
    decide_by_priority,
    decide_safely,
)
from authopt.learning.train_vw import train_vw
from authopt.payments import CONTEXT_BY_NAME, Kind
from authopt.policies.best_route import BestRoute
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.table import TablePolicy
from authopt.policies.uniform import Uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from authopt.rules import Rules, apply_rules
from service.active_policy import ActivePolicy
from service.deciding.timely import NOT_RECORDED
from service.settings import Settings
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from tests.acceptance.payments_under_rules import (
    ROUTES,
    batch_of,
    loaded,
    merchants,
    payments,
)
from tests.acceptance.rule_oracle import Payment, Verdict, judge
from tests.factories import logged_batch
from tests.service.in_process import ask, running, settings_in

MERCHANTS = merchants(24)
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Broken:
    """A policy that says whatever it was made to say, of actions that it was not offered too."""

    says: Callable[[DecisionBatch], FloatArray]
    name: str = "broken"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        return self.says(batch)


def _raise(_: DecisionBatch) -> FloatArray:
    raise RuntimeError("no model")


BROKEN: dict[str, Callable[[DecisionBatch], FloatArray]] = {
    "raises": _raise,
    "says NaN": lambda batch: np.full(batch.m, np.nan),
    "says nothing is likely": lambda batch: np.zeros(batch.m),
    "says less than nothing": lambda batch: np.where(np.arange(batch.m) % 2, -1.0, 2.0),
    "speaks of too many actions": lambda batch: np.full(batch.m + 1, 0.5),
    "speaks of too few": lambda batch: np.full(max(batch.m - 1, 0), 0.5),
    "wants infinitely much": lambda batch: np.full(batch.m, np.inf),
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Rules]:
    folder = tmp_path_factory.mktemp("rules")
    return [loaded(merchant, folder) for merchant in MERCHANTS]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    """One of every family."""
    folder = tmp_path_factory.mktemp("policies")
    log = logged_batch(400, with_stop=True)
    train_vw(lambda _: [log], folder / "model.vw", VwOptions(epsilon=0.05))  # type: ignore[arg-type]
    lines = [
        f"{route},{share}"
        for route, share in zip((*ROUTES, "stop"), (0.7, 0.1, 0.1, 0.1), strict=True)
    ]
    (folder / "table.csv").write_text("\n".join(["route,probability", *lines]))
    learned = SuccessRate(window=50)
    learned.update(log)
    return {
        "uniform": Uniform(),
        "priority": Priority(ROUTES),
        "priority without cascade": Priority(ROUTES, cascade=False),
        "best-route": BestRoute(),
        "success-rate": learned,
        "mixed": mixed(Priority(ROUTES[::-1]), 0.1),
        "table": TablePolicy.load(folder / "table.csv"),
        "vw": VwPolicy.load(folder / "model.vw"),
    }


def verdicts_of(rows: Sequence[Payment], merchant: dict[str, Any]) -> list[Verdict]:
    return [verdict for row in rows for verdict in judge(row, merchant)]


def assert_sound(decided: Decided, rows: Sequence[Payment], merchant: dict[str, Any]) -> None:
    """No action that is broken has probability, and exactly one allowed action is taken."""
    batch = decided.batch
    for number, row in enumerate(rows):
        start, end = batch.offsets[number], batch.offsets[number + 1]
        probability = decided.probability[start:end]
        verdicts = judge(row, merchant)
        added = end - start - len(verdicts)
        assert added in (0, 1)
        if added:
            # Nothing was left, so ``stop`` was put behind what was offered.
            assert batch.actions(number)[-1].is_stop
            assert all(verdict.may_be_broken for verdict in verdicts)
            assert all(decided.reason[start : end - 1] >= 0)
        for action, verdict in zip(row.actions, verdicts, strict=False):
            place = row.actions.index(action)
            assert not (verdict.broken and probability[place] > 0), (row, action, verdict.broken)
        assert probability.sum() == pytest.approx(1.0)
        assert decided.propensity[number] == probability[decided.chosen[number]] > 0


WHICH = st.integers(0, len(MERCHANTS) - 1)
CASES = st.tuples(st.lists(payments(), min_size=1, max_size=5), WHICH)
MANY = st.tuples(st.lists(payments(), min_size=1, max_size=12), WHICH)


@given(case=MANY)
@settings(QUICK, max_examples=250)
def test_the_mask_allows_nothing_that_breaks_a_rule_and_removes_nothing_needlessly(
    rules: list[Rules], case: tuple[list[Payment], int]
) -> None:
    rows, which = case
    allowed = apply_rules(batch_of(rows), rules[which])
    flat = [(row, action) for row in rows for action in row.actions]
    verdicts = verdicts_of(rows, MERCHANTS[which])
    for number, (row, action) in enumerate(flat):
        verdict, keep = verdicts[number], allowed.keep[number]
        assert not (keep and verdict.broken), (row, action, verdict.broken)
        if not keep:
            reason = allowed.reasons[allowed.reason[number]]
            assert verdict.may_be_broken, (row, action, reason)


@given(case=CASES)
@settings(QUICK, max_examples=40)
def test_no_policy_breaks_a_rule(
    rules: list[Rules], sound: dict[str, Policy], case: tuple[list[Payment], int]
) -> None:
    rows, which = case
    batch = batch_of(rows)
    for policy in sound.values():
        assert_sound(decide(batch, policy, rules=rules[which]), rows, MERCHANTS[which])
        safely = decide_safely(batch, policy, ROUTES, rules=rules[which])
        assert_sound(safely, rows, MERCHANTS[which])
        assert not safely.fell_back.any()


@given(case=CASES, fault=st.sampled_from(sorted(BROKEN)))
@settings(QUICK, max_examples=80)
def test_no_broken_policy_and_no_fallback_breaks_a_rule(
    rules: list[Rules], case: tuple[list[Payment], int], fault: str
) -> None:
    rows, which = case
    batch = batch_of(rows)
    decided = decide_safely(batch, Broken(BROKEN[fault]), ROUTES, rules=rules[which])
    assert_sound(decided, rows, MERCHANTS[which])
    assert str(decided.fallback).startswith((POLICY_FAILED, NO_DISTRIBUTION)) or fault == (
        "says less than nothing"
    )
    by_priority = decide_by_priority(batch, ROUTES, "the store is slow", rules=rules[which])
    assert_sound(by_priority, rows, MERCHANTS[which])


@given(case=CASES)
@settings(QUICK, max_examples=20)
def test_where_the_rules_themselves_fail_every_payment_stops(
    rules: list[Rules], case: tuple[list[Payment], int]
) -> None:
    rows, which = case
    broken = replace(rules[which], networks=None, merchant=None)  # type: ignore[arg-type]
    for decided in (
        decide_safely(batch_of(rows), Uniform(), ROUTES, rules=broken),
        decide_by_priority(batch_of(rows), ROUTES, "no model", rules=broken),
    ):
        assert decided.fallback is not None
        assert RULES_FAILED in (decided.fallback, *decided.reasons)
        assert all(decided.action(number).is_stop for number in range(len(rows)))


def history_of(log: LoggedBatch) -> dict[str, list[datetime]]:
    """When the attempts of each payment were sent."""
    sent = log.decided_at + log.action_delay_s[log.chosen_action].astype("m8[s]")
    stopped = log.is_stop[log.chosen_action]
    history: dict[str, list[datetime]] = {}
    for payment, at, stop in zip(log.payment_id.to_pylist(), sent, stopped, strict=True):
        if not stop:
            history.setdefault(payment, []).append(utc_datetime(at))
    return history


def told(column: Column, row: int, name: str) -> Any:
    """The value of a context column as plain Python has it."""
    if isinstance(column, Categorical):
        return column[slice(row, row + 1)].values()[0]
    if isinstance(column, pa.Array):
        return column[row].as_py()
    value = float(np.asarray(column)[row])
    if np.isnan(value):
        return None
    known = CONTEXT_BY_NAME.get(name)
    return bool(value) if known is None or known.kind is Kind.FLAG else value


def test_no_decision_of_a_simulation_breaks_a_rule() -> None:
    log = concat(list(simulate(small_world(), Traffic(600, days=5.0), Uniform())))
    history = history_of(log)
    assert int(log.attempt.max()) > 2
    for number in range(log.n):
        decided_at = utc_datetime(log.decided_at[number])
        assert decided_at is not None
        earlier = history.get(log.payment_id[number].as_py(), [])[: int(log.attempt[number]) - 1]
        row = Payment(
            context={name: told(column, number, name) for name, column in log.context.items()},
            decided_at=decided_at,
            own_ages=tuple(int((decided_at - at).total_seconds()) for at in earlier),
            other_ages=(),
            actions=tuple((each.route, each.delay_s) for each in log.actions(number)),
        )
        assert row.attempt == log.attempt[number]
        # The log holds the actions that had a probability, and no other.
        for action, verdict in zip(row.actions, judge(row, {}), strict=True):
            assert not verdict.broken, (row, action, verdict.broken)


def request_of(row: Payment, number: int) -> dict[str, Any]:
    """What a caller sends, who names the actions that he wants."""
    actions = [
        {"route": route, "delay_s": delay}
        | (
            {}
            if row.counts is None or route == "stop"
            else {"features": {"attempts_this_month": row.counts[route]}}
        )
        for route, delay in row.actions
    ]
    return {
        "decision_id": f"d{number}",
        "payment_id": row.payment_id,
        "attempt": row.attempt,
        "decided_at": row.decided_at.isoformat(),
        "context": row.context,
        "actions": actions,
    }


def assert_answer(answer: dict[str, Any], row: Payment, merchant: dict[str, Any]) -> None:
    verdicts = dict(zip(row.actions, judge(row, merchant), strict=True))
    taken = answer["action"]["route"], answer["action"]["delay_s"]
    assert taken in row.actions or taken == ("stop", 0)
    assert not verdicts.get(taken, Verdict()).broken, (row, taken)
    eligible = {(each["route"], each["delay_s"]) for each in answer["actions"]}
    for action in eligible & verdicts.keys():
        assert not verdicts[action].broken, (row, action, verdicts[action].broken)
    for each in answer["removed"]:
        assert verdicts[each["route"], each["delay_s"]].may_be_broken, (row, each)
    offered = {(each["route"], each["delay_s"]) for each in answer["removed"]} | eligible
    assert offered - {("stop", 0)} == set(row.actions) - {("stop", 0)}


ACTIVE: dict[str, ActivePolicy | None] = {
    "a policy": None,
    "no policy": ActivePolicy("vw", fault="no such file"),
    "a policy that raises": ActivePolicy("broken", policy=Broken(_raise)),
}


@pytest.mark.parametrize("active", ACTIVE)
def test_the_live_service_breaks_no_rule_whatever_actions_are_asked_for(
    tmp_path: Path, rules: list[Rules], active: str
) -> None:
    which = next(number for number, each in enumerate(MERCHANTS) if len(each) >= 4)
    configured = serving(tmp_path, rules[which])
    numbers = iter(range(10**6))
    with running(configured, ACTIVE[active]) as app:
        client = app.test_client()

        @given(row=payments())
        @settings(QUICK, max_examples=25)
        def answers(row: Payment) -> None:
            response = ask(client, request_of(row, next(numbers)))
            assert response.status_code == 200, response.get_data(as_text=True)
            assert_answer(response.get_json(), row, MERCHANTS[which])

        answers()


def test_an_answer_that_cannot_be_recorded_breaks_no_rule_either(
    tmp_path: Path, rules: list[Rules]
) -> None:
    which = next(number for number, each in enumerate(MERCHANTS) if len(each) >= 4)
    configured = serving(tmp_path, rules[which])
    unwritable = replace(configured, spool=tmp_path / "no-folder" / "spool", answer_within_s=0.0)
    numbers = iter(range(10**6))
    with running(unwritable) as app:
        client = app.test_client()

        @given(row=payments())
        @settings(QUICK, max_examples=15)
        def answers(row: Payment) -> None:
            answer = ask(client, request_of(row, next(numbers))).get_json()
            assert_answer(answer, row, MERCHANTS[which])
            assert answer["recorded"] or answer["fallback"] in (None, NOT_RECORDED)

        answers()


def serving(folder: Path, rules: Rules) -> Settings:
    return settings_in(folder, routes=ROUTES, merchant=rules.merchant, policy="uniform")
