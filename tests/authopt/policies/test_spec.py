from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.learning.route_rates import fit_best_route
from authopt.policies.best_route import BestRoute
from authopt.policies.logged import LoggedPolicy
from authopt.policies.mixed import Mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import LearningPolicy
from authopt.policies.spec import load_policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform
from tests.factories import logged_batch


def test_short_names_stand_for_policies() -> None:
    assert load_policy("uniform") == Uniform()
    assert load_policy(" logged ") == LoggedPolicy()
    assert load_policy("priority:routes=a, b,c") == Priority(("a", "b", "c"))
    assert load_policy("priority:routes=a,b,cascade=no") == Priority(("a", "b"), cascade=False)
    assert load_policy("best-route") == BestRoute()
    assert isinstance(load_policy("success-rate"), SuccessRate)


def test_options_reach_the_policy() -> None:
    policy = load_policy("success-rate:window=50,hedging=0.1,dimensions=network+currency")
    assert isinstance(policy, SuccessRate)
    assert (policy.window, policy.hedging) == (50, 0.1)
    assert policy.dimensions == ("network", "currency")


def test_epsilon_mixes_with_uniform_and_a_learner_still_learns() -> None:
    policy = load_policy("priority:routes=a,b,epsilon=0.1")
    assert isinstance(policy, Mixed)
    assert (policy.policy, policy.epsilon) == (Priority(("a", "b")), 0.1)
    assert not isinstance(policy, LearningPolicy)
    assert isinstance(load_policy("success-rate:epsilon=0.1"), LearningPolicy)
    assert load_policy("priority:routes=a,epsilon=0") == Priority(("a",))


def test_files_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    fitted = fit_best_route([logged_batch(100)])
    for name in ("best.json", "a,b.json", "route=1.json", "with space.json"):
        fitted.save(tmp_path / name)
        assert load_policy(f"best-route:{tmp_path / name}") == fitted
    mixed = load_policy(f"best-route:{tmp_path / 'a,b.json'},epsilon=0.2")
    assert isinstance(mixed, Mixed)
    assert mixed.policy == fitted


def test_a_trained_success_rate_may_only_change_its_hedging(tmp_path: Path) -> None:
    SuccessRate(window=7).save(tmp_path / "rates.json")
    policy = load_policy(f"success-rate:{tmp_path / 'rates.json'},hedging=0.2")
    assert isinstance(policy, SuccessRate)
    assert (policy.window, policy.hedging) == (7, 0.2)
    with pytest.raises(UserError, match="window cannot be changed"):
        load_policy(f"success-rate:{tmp_path / 'rates.json'},window=9")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", r"(?s)not known.*uniform.*priority.*logged.*best-route.*success-rate.*table.*vw"),
        ("bandit", r"'bandit'(?s:.*)vw:FILE"),
        ("Uniform", "not known"),
        ("uniform:x", "'x' is not understood"),
        ("priority", "routes"),
        ("priority:routes=", "routes"),
        ("priority:order=a,b", r"'order=a'.*routes, cascade"),
        ("priority:routes=a,b,weight=2", r"'weight=2'.*routes, cascade"),
        ("priority:routes=a,routes=b", "twice"),
        ("priority:routes=a,cascade=maybe", "yes or no"),
        ("priority:routes=a,epsilon=2", "epsilon is 2"),
        ("priority:routes=a,epsilon=much", "expected a number"),
        ("success-rate:windw=3", r"'windw=3'.*window, dimensions"),
        ("success-rate:window=2.5", "whole number"),
        ("success-rate:window=nan", "expected a number"),
        ("success-rate:rates.json", r"rates\.json: no such file.*authopt train"),
        ("best-route:gone.json", r"gone\.json: no such file"),
        ("vw", "needs a file"),
        ("vw:", "needs a file"),
        ("vw:gone.vw", r"gone\.vw: no such model.*authopt train"),
    ],
)
def test_a_wrong_spec_says_what_was_expected(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_policy(spec)
