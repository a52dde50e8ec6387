from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from authopt.actions import STOP, Action
from authopt.batch import Categorical, LoggedBatch
from authopt.decision import decide
from authopt.explaining.contributions import SHAPLEY
from authopt.explaining.decision import explain_decision
from authopt.learning.best_time import fit_best_time
from authopt.learning.expected_money import fit_expected_money
from authopt.learning.train_vw import train_vw
from authopt.policies.best_time import BestTime
from authopt.policies.logged import LoggedPolicy
from authopt.policies.online import OnlineVw
from authopt.policies.spec import load_policy
from authopt.policies.uniform import Uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from authopt.rewards import MoneyReward, parse_reward
from authopt.rules import DEFAULT_RULES
from tests.authopt.explaining.logs import (
    first_attempt,
    online,
    retry,
    sample_log,
    without_propensities,
)


@pytest.fixture(scope="module")
def trees() -> BestTime:
    return fit_best_time([sample_log()])


@pytest.mark.parametrize("which", [first_attempt, retry])
def test_the_parts_of_a_comparison_sum_to_the_difference_of_the_scores(
    which: Callable[[], LoggedBatch],
) -> None:
    said = explain_decision(which(), online())
    assert said.adds_up
    assert said.comparisons
    for each in said.comparisons:
        better, than = said.actions[each.better].score, said.actions[each.than].score
        assert better is not None
        assert than is not None
        assert each.difference == better - than >= 0.0
        assert sum(part.value for part in each.parts) == pytest.approx(each.difference, abs=1e-5)


def test_the_best_is_compared_with_the_next_ones_and_with_the_logged_one() -> None:
    said = explain_decision(retry(), online(), top=2)
    order = sorted(
        (at for at, each in enumerate(said.actions) if each.route != "stop"),
        key=lambda at: -(said.actions[at].score or 0.0),
    )
    assert [each.better for each in said.comparisons] == [order[0]] * len(said.comparisons)
    logged = [said.logged.action] if said.logged.action not in order[:2] else []
    assert [each.than for each in said.comparisons] == [order[1], *logged]


def test_the_shares_of_every_action_sum_to_its_probability_and_those_to_1() -> None:
    said = explain_decision(retry(), online())
    for each in said.actions:
        assert sum(each.shares.values()) == pytest.approx(each.probability, abs=1e-9)
    assert sum(each.probability for each in said.actions) == pytest.approx(1.0)


@pytest.mark.parametrize("salt", ["authopt", "another", "third"])
def test_the_action_that_is_said_to_be_drawn_is_the_one_that_would_be_decided(salt: str) -> None:
    one = retry()
    said = explain_decision(one, Uniform(), salt=salt)
    (drawn,) = (each for each in said.actions if each.is_drawn)
    assert drawn.drawn_from <= said.uniform < drawn.drawn_below
    decided = decide(one.decisions(), Uniform(), salt=salt).action()
    assert (drawn.route, drawn.delay_s) == (decided.route, decided.delay_s)


def test_the_logs_own_policy_is_explained_by_the_log() -> None:
    one = first_attempt()
    said = explain_decision(one, LoggedPolicy())
    assert one.probability is not None
    assert [each.probability for each in said.actions] == pytest.approx(one.probability.tolist())
    assert said.actions[said.logged.action].is_logged


def test_a_log_without_propensities_is_explained_without_them() -> None:
    said = explain_decision(without_propensities(retry()), online())
    assert said.logged.propensity is None
    assert said.logged.is_redrawn is None
    assert {each.logged_probability for each in said.actions} == {None}
    assert said.comparisons


def test_an_action_that_a_rule_removes_is_named_with_the_rule() -> None:
    codes = Categorical(np.zeros(1, np.int32), ("04",))
    one = retry()
    blocked = replace(one, context={**one.context, "previous_response_code": codes})
    network = Categorical(np.zeros(1, np.int32), ("visa",))
    blocked = replace(blocked, context={**blocked.context, "network": network})
    offer = [Action("atlas", 0), Action("elsewhere", 0), STOP]
    only_stop = blocked.decisions().keep_actions(blocked.is_stop)
    assert only_stop.m == 1
    log = decide(only_stop, Uniform()).logged()
    said = explain_decision(log, Uniform(), offered=offer, rules=DEFAULT_RULES)
    assert [(each.route, each.delay_s) for each in said.others] == [("atlas", 0), ("elsewhere", 0)]
    assert all(each.rule and "04" in each.rule for each in said.others)


def test_an_action_that_no_known_rule_removes_is_said_to_be_that() -> None:
    offer = [Action("elsewhere", 0)]
    said = explain_decision(first_attempt(), Uniform(), offered=offer, rules=DEFAULT_RULES)
    assert [(each.route, each.rule) for each in said.others] == [("elsewhere", None)]


@pytest.mark.parametrize("which", [first_attempt, retry])
def test_trees_are_explained_by_parts_that_sum_to_the_difference(
    which: Callable[[], LoggedBatch], trees: BestTime
) -> None:
    said = explain_decision(which(), trees)
    assert said.method == SHAPLEY
    for each in said.comparisons:
        assert sum(part.value for part in each.parts) == pytest.approx(each.difference, abs=1e-9)
    assert any("issuer" in part.feature for each in said.comparisons for part in each.parts)


def test_a_window_is_explained_by_its_counts() -> None:
    policy = load_policy("success-rate:dimensions=network,window=5000")
    policy.update(sample_log())  # type: ignore[attr-defined]
    one = first_attempt()
    said = explain_decision(one, policy)
    log = sample_log()
    assert said.segment is not None
    code = one.context["network"].codes[0]  # type: ignore[union-attr]
    same = log.context["network"].codes == code  # type: ignore[union-attr]
    route = log.action_route[log.chosen_action]
    for each in said.actions:
        of = same & (route == log.routes.index(each.route)) & np.isfinite(log.reward)
        assert each.evidence["attempts"] == of.sum()
        assert each.evidence["successes"] == log.reward[of].sum()


@pytest.mark.parametrize("spec", ["thompson", "ucb", "hierarchical-thompson", "best-route"])
def test_rates_and_what_they_rest_on_are_told_for_every_policy_that_counts(spec: str) -> None:
    policy = load_policy(spec)
    if hasattr(policy, "update"):
        policy.update(sample_log())
    said = explain_decision(retry(), policy)
    assert any(each.score is not None for each in said.actions)
    assert any(each.evidence for each in said.actions)
    assert not said.comparisons


def test_a_policy_that_knows_nothing_yet_is_explained_all_the_same() -> None:
    said = explain_decision(retry(), load_policy("recommended"))
    assert said.score is None
    assert not said.comparisons


def test_the_same_decision_is_always_explained_in_the_same_words() -> None:
    first, again = (msgspec.json.encode(explain_decision(retry(), online())) for _ in range(2))
    assert first == again
    told = json.loads(first)
    assert list(told) == [
        *("decision_id", "payment_id", "attempt", "decided_at", "policy", "actions", "others"),
        *("uniform", "salt", "score", "segment", "method", "adds_up", "comparisons", "logged"),
    ]
    assert list(told["actions"][0]) == [
        *("route", "delay_s", "score", "evidence", "probability", "shares", "drawn_from"),
        *("drawn_below", "is_drawn", "is_logged", "logged_probability"),
    ]


def test_several_decisions_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="2 decisions; expected one"):
        explain_decision(sample_log().take(slice(0, 2)), Uniform())


def test_expected_money_is_explained_in_money(tmp_path: Path) -> None:
    routes = [route for route in sample_log().routes if route != "stop"]
    prices = "".join(
        f'[[fees]]\nroute = "{route}"\neach = {{ fixed = {5 + place} }}\n'
        for place, route in enumerate(routes)
    )
    (tmp_path / "prices.toml").write_text(f'currency = "EUR"\n{prices}')
    reward = tmp_path / "reward.toml"
    reward.write_text(
        'currency = "EUR"\nprices = "prices.toml"\n[margin]\nshare = 0.1\n'
        "[fees]\nexcess_retries = false\n[largest]\namount_minor = 10_000_000\nfees_minor = 1_000\n"
    )
    one = first_attempt()
    euro = Categorical(np.zeros(one.n, np.int32), ("EUR",))
    one = replace(one, context={**one.context, "currency": euro})
    money = parse_reward(f"money:{reward}")
    assert isinstance(money, MoneyReward)
    policy = fit_expected_money(lambda _: [sample_log()], money)
    said = explain_decision(one, policy)
    assert said.score is not None
    assert "money" in said.score
    for each in said.comparisons:
        assert sum(part.value for part in each.parts) == pytest.approx(each.difference, abs=1e-9)


def test_a_learner_of_money_is_explained_in_the_rewards_own_unit() -> None:
    policy = OnlineVw(bits=18)
    log = sample_log()
    policy.update(replace(log, reward=log.reward * 700.0 - 20.0))
    said = explain_decision(first_attempt(), policy)
    assert max(each.score or 0.0 for each in said.actions) > 100.0
    for each in said.comparisons:
        assert sum(part.value for part in each.parts) == pytest.approx(each.difference, abs=1e-2)


def test_a_route_that_a_model_never_saw_has_no_score_and_is_not_compared(tmp_path: Path) -> None:
    out = tmp_path / "model.vw"
    train_vw(lambda _: [sample_log(300)], out, VwOptions(bits=16), judge=False)
    one = first_attempt()
    renamed = tuple("new" if route == "delta" else route for route in one.routes)
    said = explain_decision(replace(one, routes=renamed), VwPolicy.load(out))
    (new,) = (at for at, each in enumerate(said.actions) if each.route == "new")
    assert said.actions[new].score is None
    assert set(said.actions[new].shares) >= {"floor"}
    assert new not in {each.than for each in said.comparisons}
