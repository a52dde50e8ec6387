"""Every estimator that Open Bandit Pipeline has too gives what it gives, on the same arrays.

The oracle is sb-obp 0.5.10, unpacked from its wheel (tests/obp_oracle.py).
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.columns import Columns
from authopt.evaluation.estimator import Estimator, Family
from authopt.evaluation.estimators import ESTIMATORS
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import terms_of
from tests import obp_oracle

Array = npt.NDArray[Any]
Drawn = dict[str, Array]

CLOSE = 1e-9


def oracle(name: str = "estimators") -> ModuleType:
    try:
        return obp_oracle.module(name)
    except obp_oracle.ObpUnavailable as why:
        pytest.skip(str(why))


def draw(n: int, k: int, seed: int, *, deterministic: bool = False) -> Drawn:
    """A log of n decisions with k actions, of which some are rare: some weights are large."""
    rng = np.random.default_rng(seed)
    logging = 0.98 * rng.dirichlet(np.full(k, 0.5), n) + 0.02 / k
    evaluation = rng.dirichlet(np.full(k, 0.5), n)
    if deterministic:
        evaluation = np.eye(k)[evaluation.argmax(axis=1)]
    chosen = (rng.random(n)[:, None] > logging.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    return {
        "logging": logging,
        "evaluation": evaluation,
        "chosen": chosen,
        "reward": np.round(rng.random(n), 3),
        "q": rng.random((n, k)),
        "feature": rng.integers(0, 3, k),
    }


def logged(drawn: Drawn) -> LoggedArrays:
    n, k = drawn["logging"].shape
    return LoggedArrays(
        offsets=np.arange(0, n * k + 1, k, dtype=np.int64),
        chosen=drawn["chosen"].astype(np.int64),
        reward=drawn["reward"],
        propensity=drawn["logging"][np.arange(n), drawn["chosen"]],
        probability=drawn["logging"].ravel(),
        q=drawn["q"].ravel(),
        embedding={name: np.tile(drawn["feature"], n) for name in ("route", "delay")},
    )


def ours(drawn: Drawn, estimator: Estimator) -> float:
    """The estimate by its definition: a sum of ratios of sums of columns."""
    columns = Columns(terms_of(logged(drawn), drawn["evaluation"].ravel()))
    return sum(
        float(columns.given(numerator).sum() / columns.given(denominator).sum())
        for numerator, denominator in estimator.ratios
    )


def _log(drawn: Drawn) -> dict[str, Array]:
    chosen = drawn["chosen"]
    return {
        "reward": drawn["reward"],
        "action": chosen,
        "pscore": drawn["logging"][np.arange(len(chosen)), chosen],
        "action_dist": drawn["evaluation"][:, :, None],
    }


def _model(drawn: Drawn) -> dict[str, Array]:
    return {"estimated_rewards_by_reg_model": drawn["q"][:, :, None]}


def _plain(name: str) -> Callable[[Drawn, float | None], float]:
    def value(drawn: Drawn, parameter: float | None) -> float:
        made = getattr(oracle(), name)
        estimator = made() if parameter is None else made(lambda_=parameter)
        return float(estimator.estimate_policy_value(**_log(drawn)))

    return value


def _robust(name: str) -> Callable[[Drawn, float | None], float]:
    def value(drawn: Drawn, parameter: float | None) -> float:
        made = getattr(oracle(), name)
        estimator = made() if parameter is None else made(lambda_=parameter)
        return float(estimator.estimate_policy_value(**_log(drawn), **_model(drawn)))

    return value


def _direct(drawn: Drawn, parameter: float | None) -> float:
    estimator = oracle().DirectMethod()
    return float(
        estimator.estimate_policy_value(action_dist=_log(drawn)["action_dist"], **_model(drawn))
    )


def _marginalised(drawn: Drawn, parameter: float | None) -> float:
    k = drawn["logging"].shape[1]
    feature = drawn["feature"]
    estimator = oracle("estimators_embed").MarginalizedInverseProbabilityWeighting(n_actions=k)
    log = _log(drawn)
    return float(
        estimator.estimate_policy_value(
            reward=log["reward"],
            action=log["action"],
            action_embed=feature[log["action"]][:, None],
            pi_b=drawn["logging"][:, :, None],
            action_dist=log["action_dist"],
            p_e_a=np.eye(3)[feature][:, :, None],
        )
    )


OBP: dict[str, Callable[[Drawn, float | None], float]] = {
    "ips": _plain("InverseProbabilityWeighting"),
    "clipped-ips": _plain("InverseProbabilityWeighting"),
    "snips": _plain("SelfNormalizedInverseProbabilityWeighting"),
    "sg-ips": _plain("SubGaussianInverseProbabilityWeighting"),
    "mips-route": _marginalised,
    "mips-delay": _marginalised,
    "dm": _direct,
    "dr": _robust("DoublyRobust"),
    "sndr": _robust("SelfNormalizedDoublyRobust"),
    "sg-dr": _robust("SubGaussianDoublyRobust"),
    "switch-dr": _robust("SwitchDoublyRobust"),
    "dr-os": _robust("DoublyRobustWithShrinkage"),
}

MEMBERS = [
    member
    for each in ESTIMATORS
    for member in (each.members if isinstance(each, Family) else (each,))
    if member.name in OBP
]


def _id(member: Estimator) -> str:
    return member.name if member.parameter is None else f"{member.name}-{member.parameter:g}"


def test_every_estimator_of_obp_is_offered() -> None:
    assert {member.name for member in MEMBERS} == set(OBP)


@pytest.mark.parametrize("member", MEMBERS, ids=_id)
@given(
    n=st.integers(2, 60),
    k=st.integers(2, 5),
    seed=st.integers(0, 10_000),
    deterministic=st.booleans(),
)
@settings(max_examples=12)
def test_an_estimate_equals_that_of_obp(
    member: Estimator, n: int, k: int, seed: int, deterministic: bool
) -> None:
    drawn = draw(n, k, seed, deterministic=deterministic)
    weights = drawn["evaluation"][np.arange(n), drawn["chosen"]]
    if member.name in ("snips", "sndr"):
        # Without overlap there is no estimate; obp divides by zero.
        assume(weights.any())
    if member.name == "dr-os" and member.parameter == 0.0:
        # As in obp, where this is 0 / 0 at a weight of 0.
        assume(weights.all())
    assert ours(drawn, member) == pytest.approx(
        OBP[member.name](drawn, member.parameter), abs=CLOSE
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_an_evaluation_reports_equals_obp(seed: int) -> None:
    drawn = draw(20_000, 4, seed)
    arrays = {name: drawn[name] for name in ("logging", "chosen", "reward", "q")}
    result = evaluate_arrays(**arrays, evaluation={"new": drawn["evaluation"]}, bootstrap=0)
    estimates = {each.estimator: each for each in result.policy("new").estimates}
    compared = set(OBP) & set(estimates)
    assert {"ips", "snips", "dm", "dr"} <= compared
    for name in compared:
        parameter = estimates[name].parameter
        assert estimates[name].value == pytest.approx(OBP[name](drawn, parameter), abs=CLOSE)
