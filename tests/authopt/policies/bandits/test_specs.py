"""Bandits by their specs, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authopt.errors import UserError
from authopt.policies.bandits.hierarchical import HierarchicalThompson
from authopt.policies.bandits.memory import Discounted, Windowed
from authopt.policies.bandits.thompson import Thompson
from authopt.policies.bandits.ucb import Ucb
from authopt.policies.spec import load_policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.success_rate_elimination import SuccessRateElimination
from tests.authopt.policies.bandits.checks import taught


def test_a_ucb_by_its_keys() -> None:
    policy = load_policy("ucb:window=300,exploration=0.6,dimensions=currency+issuer")
    assert isinstance(policy, Ucb)
    assert isinstance(policy.memory, Windowed)
    assert (policy.memory.window, policy.exploration) == (300, 0.6)
    assert policy.dimensions == ("currency", "issuer")


def test_a_thompson_sampler_by_its_keys() -> None:
    policy = load_policy("thompson:discount=0.5,dimensions=")
    assert isinstance(policy, Thompson)
    assert isinstance(policy.memory, Discounted)
    assert (policy.memory.discount, policy.dimensions) == (0.5, ())


def test_a_hierarchical_one_by_its_keys() -> None:
    policy = load_policy("hierarchical-thompson:segments=currency+bin,half_life_days=7,strength=9")
    assert isinstance(policy, HierarchicalThompson)
    assert policy.segments == ("currency", "bin")
    assert (policy.memory.half_life_days, policy.strength) == (7.0, 9.0)


def test_elimination_by_its_keys() -> None:
    policy = load_policy(
        "success-rate-elimination:window=50,hedging=0.01,dimensions=issuer,"
        "elimination_dimensions=network,score=penalty,credit=3,soft_reset_s=60"
    )
    assert isinstance(policy, SuccessRateElimination)
    assert (policy.rates.window, policy.rates.hedging) == (50, 0.01)
    assert (policy.rates.dimensions, policy.downtime.dimensions) == (("issuer",), ("network",))
    rule = policy.downtime.rule
    assert (rule.score, rule.credit, rule.soft_reset_s) == ("penalty", 3, 60.0)


def test_success_rate_as_the_engine_does_it() -> None:
    policy = load_policy("success-rate:window=125,start=full,hedge=others")
    assert isinstance(policy, SuccessRate)
    assert (policy.window, policy.start, policy.hedge) == (125, "full", "others")


@pytest.mark.parametrize(
    "name", ["ucb", "thompson", "hierarchical-thompson", "success-rate-elimination"]
)
def test_defaults_keep_retries_apart_from_first_attempts(name: str) -> None:
    policy: Any = load_policy(name)
    kept = policy.segments if name.startswith("hier") else getattr(policy, "dimensions", None)
    kept = kept or policy.rates.dimensions
    assert "previous_response_code" in kept


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ucb:discount=0.9,window=3", "two ways to forget"),
        ("ucb:discount=2", "discount is 2"),
        ("ucb:window=0", "window is 0"),
        ("ucb:window=1.5", "whole number"),
        ("ucb:exploration=-1", "exploration of ucb is -1"),
        ("ucb:dimensions=amount_minor", "cannot have the dimension 'amount_minor'"),
        ("thompson:dimensions=issuer+issuer", "more than once"),
        ("thompson:discount=0.9,strength=3", "'strength=3'"),
        ("thompson:gone.json", r"gone\.json: no such file"),
        ("hierarchical-thompson:half_life_days=0", "half-life is 0"),
        ("hierarchical-thompson:strength=0", "strength of hierarchical-thompson is 0"),
        ("success-rate-elimination:score=mean", "average or penalty"),
        ("success-rate-elimination:normal=0.2", "0 < down < normal < 1"),
        ("success-rate:start=empty", "shrunken or full"),
    ],
)
def test_a_wrong_spec_says_what_was_expected(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_policy(spec)


SAVED = {
    "ucb": "ucb windowed",
    "thompson": "thompson discounted",
    "hierarchical-thompson": "hierarchical",
    "success-rate-elimination": "elimination",
}


@pytest.mark.parametrize("family", SAVED)
def test_a_saved_policy_is_named_by_its_file_and_keeps_its_options(
    family: str, tmp_path: Path
) -> None:
    taught(SAVED[family]).save(tmp_path / "it.json")
    assert load_policy(f"{family}:{tmp_path}/it.json").name == family
    key = "segments" if family.startswith("hier") else "dimensions"
    with pytest.raises(UserError, match=f"{key} cannot be changed"):
        load_policy(f"{family}:{tmp_path}/it.json,{key}=issuer")


def test_the_exploration_of_a_saved_ucb_may_change(tmp_path: Path) -> None:
    taught("ucb discounted").save(tmp_path / "it.json")
    policy = load_policy(f"ucb:{tmp_path}/it.json,exploration=3")
    assert isinstance(policy, Ucb)
    assert policy.exploration == 3.0


def _drop_value(state: dict[str, Any]) -> None:
    state["memory"]["segments"][0]["values"].pop()


def _twice(state: dict[str, Any]) -> None:
    state["memory"]["segments"].append(state["memory"]["segments"][0])


def _lost_route(state: dict[str, Any]) -> None:
    del state["memory"]["routes"][1:]


def _negative(state: dict[str, Any]) -> None:
    state["memory"]["segments"][0]["attempts"][0] = -1.0


def _bad_score(state: dict[str, Any]) -> None:
    state["scores"][0]["score"] = 7.0


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("ucb windowed", _drop_value, "values; expected one for each of network"),
        ("ucb windowed", _twice, "is there twice"),
        ("ucb windowed", _lost_route, "not in the list"),
        ("thompson discounted", _lost_route, "one for each of"),
        ("thompson discounted", _negative, "count that is no count"),
        ("hierarchical", _drop_value, "values; expected one for each of network"),
        ("hierarchical", _negative, "expected a number, 0 or more"),
        ("elimination", _bad_score, "expected a score from 0 to 1"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(
    name: str, spoil: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    policy, path = taught(name), tmp_path / "spoilt.json"
    policy.save(path)
    state = json.loads(path.read_text())
    spoil(state)
    path.write_text(json.dumps(state))
    with pytest.raises(UserError, match=said) as error:
        type(policy).load(path)
    assert "spoilt.json" in str(error.value)
