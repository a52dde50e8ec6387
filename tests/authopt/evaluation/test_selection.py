from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BUCKETS, BucketTable
from authopt.evaluation.columns import Columns
from authopt.evaluation.estimator import Estimator, Family
from authopt.evaluation.estimators import (
    CLIPPED_IPS,
    ESTIMATORS,
    OPTIMISTIC_DR,
    SUBGAUSSIAN_DR,
    SUBGAUSSIAN_IPS,
    SWITCH_DR,
    available,
    table_columns,
)
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.selection import Facts, Method, choose, settle
from authopt.evaluation.terms import Terms, terms_of
from tests import obp_oracle

FAMILIES = (CLIPPED_IPS, SUBGAUSSIAN_IPS, SUBGAUSSIAN_DR, SWITCH_DR, OPTIMISTIC_DR)
by_name = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def table_of(terms: Terms, bucket: npt.NDArray[np.integer] | None = None) -> BucketTable:
    """Bucket sums; by default every row is a bucket of its own, which takes 1,024 rows at most."""
    n = len(terms.r)
    assert bucket is not None or n <= BUCKETS
    columns = Columns(terms)
    names = table_columns(terms.v is not None)
    places = np.arange(n) if bucket is None else bucket
    return BucketTable.of(places.astype(np.int64), {name: columns[name] for name in names})


def drawn(n: int, seed: int, *, floor: float = 0.02) -> tuple[LoggedArrays, FloatArray]:
    """A log with some rare actions, and a policy for it."""
    rng = np.random.default_rng(seed)
    logging = (1 - floor) * rng.dirichlet(np.full(4, 0.5), n) + floor / 4
    evaluation = rng.dirichlet(np.full(4, 0.5), n)
    chosen = (rng.random(n)[:, None] > logging.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    log = LoggedArrays(
        offsets=np.arange(0, 4 * n + 1, 4),
        chosen=chosen,
        reward=(rng.random(n) < 0.8).astype(np.float64),
        propensity=logging[np.arange(n), chosen],
        probability=logging.ravel(),
        q=rng.uniform(0.6, 0.9, 4 * n),
    )
    return log, evaluation.ravel()


def facts_of(terms: Terms) -> Facts:
    assert terms.w is not None
    return Facts(
        float(terms.w.max()),
        reward_low=0.0,
        reward_high=1.0,
        q_low=terms.q_low,
        q_high=terms.q_high,
    )


# By family: the class of sb-obp that tunes the estimator.
OBP = {
    "clipped-ips": "InverseProbabilityWeightingTuning",
    "sg-ips": "SubGaussianInverseProbabilityWeightingTuning",
    "sg-dr": "SubGaussianDoublyRobustTuning",
    "switch-dr": "SwitchDoublyRobustTuning",
    "dr-os": "DoublyRobustWithShrinkageTuning",
}


def obp_tuned(log: LoggedArrays, policy: FloatArray, family: Family, method: str) -> Any:
    try:
        tuning = obp_oracle.module("estimators_tuning")
    except obp_oracle.ObpUnavailable as why:
        pytest.skip(str(why))
    n = log.n
    assert log.q is not None
    # Among members of equal width obp and authopt may differ; the uncut one comes first in both.
    grid = [float(member.parameter or 0.0) for member in family.members]
    tuned = getattr(tuning, OBP[family.name])(lambdas=grid, tuning_method=method, delta=0.1)
    given: dict[str, Any] = {
        "reward": log.reward,
        "action": log.chosen,
        "pscore": log.propensity,
        "action_dist": policy.reshape(n, 4, 1),
        "estimated_rewards_by_reg_model": log.q.reshape(n, 4, 1),
    }
    tuned.estimate_policy_value(**given)
    return tuned


@by_name
@pytest.mark.parametrize("seed", range(4))
def test_slope_ends_at_the_estimate_that_obp_ends_at(family: Family, seed: int) -> None:
    log, policy = drawn(1000, seed)
    terms = terms_of(log, policy)
    found = choose(table_of(terms), family, Method.SLOPE, facts=facts_of(terms), delta=0.1)
    theirs = obp_tuned(log, policy, family, "slope").best_hyperparam
    values = {each.estimator.parameter: each.value for each in found.candidates}
    assert values[found.parameter] == pytest.approx(values[theirs], abs=1e-12)


@by_name
@pytest.mark.parametrize("seed", range(4))
def test_the_estimated_mean_squared_error_is_that_of_obp(family: Family, seed: int) -> None:
    log, policy = drawn(1000, seed)
    terms = terms_of(log, policy)
    facts = Facts(float(np.max(terms.w)), q_low=0.0, q_high=1.0)  # type: ignore[arg-type]
    found = choose(table_of(terms), family, Method.MSE, facts=facts, delta=0.1)
    theirs = obp_tuned(log, policy, family, "mse")
    n = len(terms.r)
    for each in found.candidates:
        # obp divides the sum of squares by n, and not by n - 1.
        ours = each.standard_error**2 * (n - 1) / n + each.bias_bound**2
        assert ours == pytest.approx(theirs.estimated_mse_score_dict[each.estimator.parameter])
    assert found.parameter == theirs.best_hyperparam


def problem(n: int, heavy: float, q_error: float, seed: int) -> tuple[Terms, float]:
    """Rows whose weight is 0, 0.5 or ``heavy``, and a model that is wrong by ``q_error``.

    The mean weight is 1 and the value is 0.8; the rows of large weight have a share that makes it
    so. Cutting their weight costs a bias of about half of ``q_error``.
    """
    rng = np.random.default_rng(seed)
    share = 0.5 / (heavy - 0.5)
    w = rng.choice([0.0, 0.5, heavy], n, p=[0.0, 1.0 - share, share])
    r = (rng.random(n) < 0.8).astype(np.float64)
    q = np.full(n, 0.8 + q_error)
    return Terms(w=w, r=r, q=q, v=q, largest_weight=heavy, q_low=0.0, q_high=1.0), 0.8


def chosen_by_slope(heavy: float, q_error: float) -> list[float]:
    """What SLOPE switches at in 20 logs of 1,000 rows."""
    found = []
    for seed in range(20):
        terms, _ = problem(1000, heavy, q_error, seed)
        choice = choose(table_of(terms), SWITCH_DR, facts=facts_of(terms))
        assert choice.parameter is not None
        found.append(choice.parameter)
    return found


def test_slope_switches_to_a_model_that_is_right() -> None:
    choices = chosen_by_slope(50.0, 0.0)
    # Two intervals that both hold agree; one of them fails now and then.
    assert sum(parameter < 50.0 for parameter in choices) >= 17


def test_slope_keeps_the_weights_where_the_model_is_wrong_and_the_log_shows_it() -> None:
    assert sum(parameter >= 5.0 for parameter in chosen_by_slope(5.0, 0.19)) == 20


def test_of_members_that_are_the_same_the_one_that_cuts_least_is_named() -> None:
    terms, _ = problem(1000, 5.0, 0.19, seed=0)
    assert choose(table_of(terms), SWITCH_DR, facts=facts_of(terms)).parameter == np.inf


def test_slope_has_less_error_than_either_end_where_the_best_lies_between() -> None:
    errors: dict[str, list[float]] = {"slope": [], "uncut": [], "most cut": []}
    for seed in range(60):
        terms, truth = problem(600, 80.0, 0.1, seed)
        choice = choose(table_of(terms), OPTIMISTIC_DR, facts=facts_of(terms))
        values = [each.value for each in choice.candidates]
        errors["slope"].append(values[choice.chosen] - truth)
        errors["uncut"].append(values[0] - truth)
        errors["most cut"].append(values[-1] - truth)
    mse = {name: float(np.mean(np.square(found))) for name, found in errors.items()}
    assert mse["slope"] < 0.7 * min(mse["uncut"], mse["most cut"])


def test_the_bound_of_the_bias_holds_where_the_bias_is_known() -> None:
    # Of weights 50 all but 3 is cut, and the model is wrong by 0.1 there: about half the mass.
    share = 0.5 / 49.5
    bias = 0.1 * share * 50.0
    held = 0
    for seed in range(100):
        terms, _ = problem(1000, 50.0, 0.1, seed)
        choice = choose(table_of(terms), SWITCH_DR, Method.MSE, facts=facts_of(terms))
        (cut,) = [each for each in choice.candidates if each.estimator.parameter == 3.0]
        held += cut.bias_bound >= bias
    assert held >= 90


@by_name
def test_nothing_is_cut_where_all_weights_are_one(family: Family) -> None:
    log, _ = drawn(500, 1)
    assert log.probability is not None
    terms = terms_of(log, log.probability)
    choice = choose(table_of(terms), family, Method.MSE, facts=facts_of(terms))
    assert choice.chosen == 0


@by_name
@pytest.mark.parametrize("method", list(Method))
def test_with_all_rows_in_one_bucket_no_weight_is_cut(family: Family, method: Method) -> None:
    log, policy = drawn(50, 2)
    terms = terms_of(log, policy)
    table = table_of(terms, np.full(50, 7))
    choice = choose(table, family, method, facts=facts_of(terms))
    assert choice.chosen == 0
    assert all(each.width == np.inf for each in choice.candidates)


@by_name
def test_an_empty_table_is_refused(family: Family) -> None:
    with pytest.raises(ValueError, match="no rows"):
        choose(BucketTable.empty(table_columns(True)), family, facts=Facts(0.0))


@by_name
@given(n=st.integers(2, 40), seed=st.integers(0, 10_000), overlap=st.booleans())
def test_a_choice_is_one_of_the_members_and_all_figures_are_numbers(
    family: Family, n: int, seed: int, overlap: bool
) -> None:
    log, policy = drawn(n, seed)
    terms = terms_of(log, policy)
    if not overlap:
        terms = replace(terms, w=np.zeros(n))
    for method in Method:
        choice = choose(table_of(terms), family, method, facts=facts_of(terms))
        assert choice.estimator in family.members
        assert choice.candidates[0].bias == 0.0
        for each in choice.candidates:
            figures = [each.value, each.standard_error, each.width, each.bias, each.bias_bound]
            assert bool(np.isfinite(figures).all())


def test_errors_count_clusters_not_rows() -> None:
    log, policy = drawn(300, 3)
    once = terms_of(log, policy)
    # Every row four times over, in the bucket of the first: no information has been added.
    four = LoggedArrays(
        offsets=np.arange(0, 4 * 1200 + 1, 4),
        chosen=np.tile(log.chosen, 4),
        reward=np.tile(log.reward, 4),
        propensity=np.tile(log.propensity, 4),
        probability=np.tile(log.probability, 4),  # type: ignore[arg-type]
        q=np.tile(log.q, 4),  # type: ignore[arg-type]
    )
    many = terms_of(four, np.tile(policy, 4))
    first = choose(table_of(once), SWITCH_DR, facts=facts_of(once))
    second = choose(table_of(many, np.tile(np.arange(300), 4)), SWITCH_DR, facts=facts_of(many))
    assert second.parameter == first.parameter
    for one, other in zip(first.candidates, second.candidates, strict=True):
        assert other.standard_error == pytest.approx(one.standard_error)


def test_families_are_settled_in_place_and_single_estimators_stay() -> None:
    log, policy = drawn(800, 4)
    terms = terms_of(log, policy)
    wanted = available(ESTIMATORS, with_model=True)
    settled, choices = settle(table_of(terms), wanted, facts=facts_of(terms))
    assert [each.name for each in settled] == [each.name for each in wanted]
    assert all(isinstance(each, Estimator) for each in settled)
    assert [choice.family for choice in choices] == [
        each.name for each in wanted if isinstance(each, Family)
    ]
    for choice in choices:
        assert choice.estimator in settled


@by_name
@pytest.mark.parametrize("method", list(Method))
def test_the_choice_does_not_depend_on_the_unit_of_the_reward(
    family: Family, method: Method
) -> None:
    log, policy = drawn(1000, 5)
    terms = terms_of(log, policy)
    assert log.q is not None
    cents = replace(log, reward=100.0 * log.reward, q=100.0 * log.q)
    scaled = terms_of(cents, policy)
    facts = replace(facts_of(scaled), reward_high=100.0)
    first = choose(table_of(terms), family, method, facts=facts_of(terms))
    second = choose(table_of(scaled), family, method, facts=facts)
    assert second.parameter == first.parameter
    for one, other in zip(first.candidates, second.candidates, strict=True):
        assert other.bias_bound == pytest.approx(100.0 * one.bias_bound)
        assert other.width == pytest.approx(100.0 * one.width)


@pytest.mark.parametrize(
    ("facts", "with_model", "largest"),
    [
        (Facts(9.0), False, 1.0),
        (Facts(9.0, q_low=0.2, q_high=1.3), True, 1.3),
        (Facts(9.0, reward_low=-2.0, reward_high=1.0), False, 2.0),
        (Facts(9.0, reward_low=5.0, reward_high=8.0, q_low=6.0, q_high=6.5), True, 2.0),
    ],
)
def test_the_largest_error_is_over_all_rewards_and_predictions(
    facts: Facts, with_model: bool, largest: float
) -> None:
    assert facts.largest_error(with_model) == pytest.approx(largest)
