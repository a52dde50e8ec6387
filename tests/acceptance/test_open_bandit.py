"""Real data with a known answer, by the commands that a user has.

The log of a uniform random policy judges Bernoulli Thompson sampling (BTS), whose own log shows
what it earned. The expected figures are those that obp prints in its quick start
(``examples/quickstart/obd.ipynb`` and the README of st-tech/zr-obp), and those that numpy alone
gives of the same weights.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder

from authopt.batch import Categorical, FloatArray, concat
from authopt.evaluation.arrays import evaluate_arrays
from authopt.logs.files import open_log
from authopt.policies.spec import load_policy
from tests import obp_oracle
from tests.acceptance.in_process import authopt
from tests.open_bandit import (
    BTS_LOG,
    DATA,
    ITEMS,
    MAPPING,
    MISSING,
    POSITIONS,
    RANDOM_LOG,
    bts_probabilities,
    write_bts,
)

RANDOM_VALUE, BTS_VALUE = 0.0038, 0.0042
"""Clicks by recommendation of both policies on their own logs."""

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not RANDOM_LOG.is_file(), reason=MISSING),
]


def said(*words: object) -> str:
    done = authopt(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("open-bandit")
    write_bts(folder / "bts.csv")
    for source, name in ((RANDOM_LOG, "random"), (BTS_LOG, "bts")):
        mapping = folder / f"{name}.toml"
        text = MAPPING.read_text(encoding="utf-8")
        # BTS did not draw its items alike; of its other probabilities its log says nothing.
        mapping.write_text(text if name == "random" else text.replace('shares = "equal"\n', ""))
        told = said(
            "log", "import", source, "--mapping", mapping, "--out", folder / f"{name}.parquet"
        )
        assert "10,000 read = 10,000 written + 0 rejected" in told
    return folder


@pytest.fixture(scope="module")
def evaluation(folder: Path) -> dict[str, Any]:
    spec = f"table:{folder / 'bts.csv'}"
    told = said("evaluate", folder / "random.parquet", "--policy", spec, "--json")
    answer: dict[str, Any] = json.loads(told)
    return answer


@pytest.fixture(scope="module")
def terms(folder: Path) -> tuple[FloatArray, FloatArray]:
    """Weights and rewards of the rows of the random log, in their order."""
    batch = concat(list(open_log(folder / "random.parquet").batches()))
    policy = load_policy(f"table:{folder / 'bts.csv'}").probabilities(batch)
    return policy[batch.chosen_action] / batch.propensity, batch.reward


def bts(evaluation: dict[str, Any]) -> dict[str, Any]:
    policy: dict[str, Any] = evaluation["policies"][1]
    return policy


def value(evaluation: dict[str, Any], estimator: str) -> float:
    by_name = {each["estimator"]: each["value"] for each in bts(evaluation)["estimates"]}
    return float(by_name[estimator])


def relative_error(estimate: float) -> float:
    """obp's relative estimation error."""
    return abs(estimate - BTS_VALUE) / BTS_VALUE


def test_the_mean_rewards_are_the_published_ones(folder: Path, evaluation: dict[str, Any]) -> None:
    on_policy = evaluation["policies"][0]["estimates"][0]
    assert (on_policy["estimator"], round(on_policy["value"], 10)) == ("on-policy", RANDOM_VALUE)
    own = json.loads(said("evaluate", folder / "bts.parquet", "--no-reward-model", "--json"))
    assert round(own["policies"][0]["estimates"][0]["value"], 10) == BTS_VALUE


def test_ips_is_what_obp_prints(evaluation: dict[str, Any]) -> None:
    ips = value(evaluation, "ips")
    assert f"{ips:.6f}" == "0.004553"
    assert f"{ips:.8f}" == "0.00455288"
    assert f"{ips / RANDOM_VALUE:.6f}" == "1.198126"
    assert ips / RANDOM_VALUE == pytest.approx(1.1981263157894735, abs=1e-12)
    assert f"{relative_error(ips):.6f}" == "0.084019"
    assert relative_error(ips) == pytest.approx(0.08401904761904759, abs=1e-12)


def test_snips_is_the_ratio_of_the_same_sums(evaluation: dict[str, Any]) -> None:
    assert f"{value(evaluation, 'snips'):.8f}" == "0.00477583"


def test_the_gain_is_the_difference_to_the_logging_policy(evaluation: dict[str, Any]) -> None:
    gains = {gain["estimator"]: gain["value"] for gain in bts(evaluation)["gains"]}
    assert gains["ips"] == pytest.approx(value(evaluation, "ips") - RANDOM_VALUE, abs=1e-12)


def test_the_weights_are_the_published_ones(evaluation: dict[str, Any]) -> None:
    diagnostics = bts(evaluation)["diagnostics"]
    assert f"{diagnostics['effective_sample_size']:.2f}" == "1639.50"
    assert f"{diagnostics['largest_weight_seen']:.4f}" == "19.5984"
    assert f"{diagnostics['mean_weight']['value']:.5f}" == "0.95332"
    assert diagnostics["unsupported_mass"] == pytest.approx(0.0, abs=1e-12)


def test_obps_resampling_of_our_terms_gives_the_interval_that_obp_prints(
    terms: tuple[FloatArray, FloatArray],
) -> None:
    weights, rewards = terms
    rounds = weights * rewards
    rng = np.random.RandomState(12345)
    means = [rng.choice(rounds, size=len(rounds)).mean() for _ in range(10_000)]
    lower, upper = np.percentile(means, [2.5, 97.5])
    printed = [f"{each:.6f}" for each in (np.mean(means), lower, upper)]
    assert printed == ["0.004544", "0.001531", "0.009254"]
    assert (np.mean(means), lower, upper) == pytest.approx(
        (0.004543964, 0.00153148, 0.00925421), abs=5e-9
    )


@pytest.mark.slow
def test_with_obps_own_reward_model_dm_and_dr_are_what_obp_prints() -> None:
    try:
        predicted = obp_predictions()
    except obp_oracle.ObpUnavailable as why:
        pytest.skip(str(why))
    table = pd.read_csv(RANDOM_LOG, index_col=0).sort_values("timestamp")
    position = table["position"].to_numpy() - 1
    evaluation = evaluate_arrays(
        chosen=table["item_id"].to_numpy(),
        reward=table["click"].to_numpy(),
        logging=np.full((len(table), ITEMS), 1 / ITEMS),
        evaluation={"bts": bts_probabilities().T[position]},
        q=predicted[np.arange(len(table)), :, position],
        bootstrap=0,
    )
    dm, dr = (evaluation.policy("bts").estimate(name).value for name in ("dm", "dr"))
    assert f"{dm:.6f}" == "0.003545"
    # Another release of scikit-learn fits another last digit than the printed 0.004727.
    assert dr == pytest.approx(0.004727, abs=2e-6)


def obp_predictions() -> FloatArray:
    """float64[n, items, positions]: the quick start's logistic regression, on obp's features."""
    module = obp_oracle.module("regression_model")
    table = pd.read_csv(RANDOM_LOG, index_col=0).sort_values("timestamp")
    items = pd.read_csv(DATA / "item_context.csv", index_col=0)
    users = pd.get_dummies(table.filter(like="user_feature"), drop_first=True)
    names = items.drop(columns=["item_id", "item_feature_0"]).apply(LabelEncoder().fit_transform)
    model = module.RegressionModel(
        n_actions=ITEMS,
        len_list=POSITIONS,
        action_context=pd.concat([names, items["item_feature_0"]], axis=1).to_numpy(),
        base_model=LogisticRegression(max_iter=1000, random_state=12345),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted: FloatArray = model.fit_predict(
            context=users.to_numpy(),
            action=table["item_id"].to_numpy(),
            reward=table["click"].to_numpy(),
            position=table["position"].to_numpy() - 1,
            pscore=table["propensity_score"].to_numpy(),
            n_folds=3,
            random_state=12345,
        )
    return predicted


def test_the_quoted_estimate_is_no_further_off_than_the_best_that_obp_prints(
    evaluation: dict[str, Any],
) -> None:
    policy = evaluation["policies"][1]
    (quoted,) = [
        each["value"] for each in policy["estimates"] if each["estimator"] == policy["headline"]
    ]
    assert abs(quoted - BTS_VALUE) / BTS_VALUE <= 0.084019


def test_every_covering_interval_holds_what_bts_earned(evaluation: dict[str, Any]) -> None:
    intervals = [
        interval
        for estimate in bts(evaluation)["estimates"]
        for interval in estimate["intervals"]
        if interval["guarantee"] in ("covers", "anytime")
    ]
    assert intervals
    assert all(each["lower"] <= BTS_VALUE <= each["upper"] for each in intervals)


def test_the_log_holds_what_the_source_held(folder: Path) -> None:
    batch = concat(list(open_log(folder / "random.parquet").batches()))
    position = batch.context["x_position"]
    assert isinstance(position, Categorical)
    assert sorted(name for name in position.categories) == ["1", "2", "3"]
    assert batch.counts.tolist() == [80] * 10_000
    assert batch.propensity.tolist() == [0.0125] * 10_000
    assert batch.probability is not None
    assert set(batch.probability.tolist()) == {0.0125}
    assert (np.diff(batch.decided_at.astype(np.int64)) >= 0).all()
