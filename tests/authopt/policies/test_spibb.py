"""A candidate that is held to the live policy where the log is thin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.learning.spibb import fit_spibb
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from authopt.policies.spibb import Spibb
from authopt.policies.uniform import Uniform
from tests.factories import logged_batch

LIVE = mixed(Priority(("adyen", "braintree", "checkout")), 0.3)
CANDIDATE = mixed(Priority(("checkout", "braintree", "adyen")), 0.1)


def fitted(n: int, least: int, columns: tuple[str, ...] = ("network",)) -> Spibb:
    batch = logged_batch(n, uniform_logging=True)
    return fit_spibb([batch], CANDIDATE, LIVE, columns=columns, least=least)


def given_by(policy: Spibb) -> FloatArray:
    return policy.probabilities(logged_batch(50, seed=9).decisions())


def same_as(policy: Spibb, other: Policy) -> bool:
    batch = logged_batch(50, seed=9).decisions()
    return np.allclose(policy.probabilities(batch), other.probabilities(batch), atol=1e-12)


def test_with_hardly_any_data_it_is_the_live_policy() -> None:
    assert same_as(fitted(20, least=50), LIVE)


def test_with_much_data_it_is_the_candidate() -> None:
    assert same_as(fitted(2_000, least=50), CANDIDATE)


def test_an_uncertain_action_keeps_the_live_probability_and_the_others_share_the_rest() -> None:
    counts = {(("visa",), "adyen", 0): 100, (("visa",), "braintree", 0): 100}
    policy = Spibb(CANDIDATE, LIVE, counts, ("network",), least=50)
    batch = logged_batch(200, seed=9).decisions()
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    visa = np.flatnonzero(network.codes == network.categories.index("visa"))
    found = policy.probabilities(batch).reshape(-1, 3)[visa]
    live = LIVE.probabilities(batch).reshape(-1, 3)[visa]
    wanted = CANDIDATE.probabilities(batch).reshape(-1, 3)[visa]
    assert found[:, 2] == pytest.approx(live[:, 2])
    assert found[:, 0] / found[:, 1] == pytest.approx(wanted[:, 0] / wanted[:, 1])


def test_in_a_class_that_the_log_never_saw_it_is_the_live_policy() -> None:
    policy = Spibb(CANDIDATE, LIVE, {(("amex",), "checkout", 0): 10_000}, ("network",))
    assert same_as(policy, LIVE)


def test_where_the_candidate_wants_nothing_certain_the_live_policy_decides() -> None:
    greedy = Priority(("checkout", "braintree", "adyen"))
    counts = {(("visa",), "adyen", 0): 100, (("mastercard",), "adyen", 0): 100}
    assert same_as(Spibb(greedy, LIVE, counts, ("network",)), LIVE)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 60), st.sampled_from([(), ("network",), ("attempt",)]))
def test_probabilities_are_sound_whatever_was_counted(
    n: int, least: int, columns: tuple[str, ...]
) -> None:
    batch = logged_batch(40, seed=4, with_stop=True).decisions()
    found = fitted(n, least, columns).probabilities(batch)
    assert (found >= 0.0).all()
    assert batch.sum_by_decision(found) == pytest.approx(np.ones(batch.n))


def test_a_decision_does_not_depend_on_the_others_of_its_batch() -> None:
    policy = fitted(300, least=40, columns=("network", "attempt"))
    batch = logged_batch(30, seed=5).decisions()
    alone = [policy.probabilities(batch.take(slice(row, row + 1))) for row in range(batch.n)]
    assert np.array_equal(np.concatenate(alone), policy.probabilities(batch))


def test_what_both_policies_explore_it_explores_too_and_its_own_epsilon_sets_the_floor(
    tmp_path: Path,
) -> None:
    assert given_by(fitted(150, least=26)).min() > 0.0
    policy = fit_spibb([logged_batch(400)], "uniform", "priority:routes=adyen", least=30)
    policy.save(tmp_path / "safe.json")
    loaded = load_policy(f"spibb:{tmp_path / 'safe.json'},least=10000,epsilon=0.3")
    assert loaded.probabilities(logged_batch(50).decisions()).min() == pytest.approx(0.1)


def test_it_is_kept_by_the_specs_of_its_policies(tmp_path: Path) -> None:
    live, candidate = "priority:routes=adyen,braintree,epsilon=0.2", "uniform"
    policy = fit_spibb([logged_batch(400)], candidate, live, columns=("network",), least=30)
    policy.save(tmp_path / "safe.json")
    batch: DecisionBatch = logged_batch(60, seed=2).decisions()
    for spec, expected in (
        ("", policy),
        (",least=1", load_policy(candidate)),
        (",least=10000", load_policy(live)),
    ):
        loaded = load_policy(f"spibb:{tmp_path / 'safe.json'}{spec}")
        assert np.allclose(loaded.probabilities(batch), expected.probabilities(batch), atol=1e-12)


def test_policies_without_specs_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="specs"):
        fitted(100, least=10).save(tmp_path / "safe.json")


def test_a_log_without_outcomes_cannot_be_counted() -> None:
    with pytest.raises(UserError, match="no decision with a known outcome"):
        fit_spibb([], Uniform(), Uniform())
