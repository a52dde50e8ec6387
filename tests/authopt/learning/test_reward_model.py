"""Expected rewards of actions, from models that never saw the payment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import Categorical, LoggedBatch
from authopt.errors import UserError
from authopt.features.folds import fold_of
from authopt.learning.reward_fold_models import MIN_ROWS
from authopt.learning.reward_model import RewardModel, fit_reward_model
from tests.factories import logged_batch

LOG = logged_batch(n=12_000, with_stop=True)


def true_means(log: LoggedBatch) -> np.ndarray:
    """Expected reward of every action in a log of tests.factories."""
    k = len(log.routes)
    success = 0.3 + 0.5 * np.random.default_rng(7).random((2, k))
    if "stop" in log.routes:
        success[:, -1] = 0.0
    network = log.context["network"]
    assert isinstance(network, Categorical)
    return success[network.codes[log.decision_of_action], log.action_route]


@pytest.fixture(scope="module")
def model() -> RewardModel:
    return fit_reward_model([LOG])


def test_predictions_come_close_to_the_true_means(model: RewardModel) -> None:
    error = model.predict(LOG) - true_means(LOG)
    assert np.sqrt((error**2).mean()) < 0.04
    assert abs(error.mean()) < 0.01


def test_quality_says_how_much_better_than_the_mean(model: RewardModel) -> None:
    quality = model.quality
    assert quality is not None
    assert quality.loss_name == "log loss"
    assert quality.decisions == (~LOG.is_stop[LOG.chosen_action]).sum()
    assert 0.02 < quality.skill < 0.2
    assert abs(quality.mean_predicted - quality.mean_reward) < 4 * quality.mean_difference_se
    assert "gradient-boosted trees, 3-fold cross-fitted by payment" in model.description


def test_giving_up_is_worth_nothing(model: RewardModel) -> None:
    values = model.predict(LOG)
    assert (values[LOG.is_stop] == 0).all()
    assert (values[~LOG.is_stop] > 0).all()


def test_the_value_of_the_action_taken_is_among_those_of_all(model: RewardModel) -> None:
    assert (model.predict_chosen(LOG) == model.predict(LOG)[LOG.chosen_action]).all()


def test_a_prediction_does_not_depend_on_the_rest_of_the_batch(model: RewardModel) -> None:
    rows = np.random.default_rng(0).permutation(LOG.n)[:100]
    some = LOG.take(rows)
    whole = model.predict(LOG).reshape(LOG.n, -1)
    assert (model.predict(some).reshape(100, -1) == whole[rows]).all()


def leaky(payments: int = 60, attempts: int = 25) -> LoggedBatch:
    """All attempts of a payment share one random fate; a column names the payment."""
    n = payments * attempts
    batch = logged_batch(n=n, attempts_per_payment=attempts)
    payment = np.arange(n) // attempts
    fate = np.random.default_rng(3).integers(0, 2, payments).astype(np.float64)
    names = Categorical(payment.astype(np.int32), tuple(f"payment {i}" for i in range(payments)))
    return replace(batch, context={"x_payment": names}, reward=fate[payment])


def test_the_reward_of_a_payment_is_predicted_by_a_model_that_never_saw_it() -> None:
    log = leaky()
    quality = fit_reward_model([log]).quality
    assert quality is not None
    assert quality.skill < 0.05
    # The leak is there to be exploited: cross-fitted by decision, the same model finds it.
    split = fit_reward_model([replace(log, payment_id=log.decision_id)]).quality
    assert split is not None
    assert split.skill > 0.5


def test_changing_a_payments_rewards_does_not_change_its_own_predictions() -> None:
    log = logged_batch(n=3_000)
    payment = fold_of(log.payment_id, 3) == 0
    flipped = replace(log, reward=np.where(payment, 1 - log.reward, log.reward))
    before, after = fit_reward_model([log]).predict(log), fit_reward_model([flipped]).predict(log)
    own = np.repeat(payment, log.counts)
    assert (before[own] == after[own]).all()
    assert (before[~own] != after[~own]).any()


def test_unknown_outcomes_do_not_train() -> None:
    log = logged_batch(n=3_000)
    missing = np.arange(log.n) % 3 == 0
    holey = replace(log, reward=np.where(missing, np.nan, log.reward))
    model = fit_reward_model([holey])
    known = fit_reward_model([log.take(np.flatnonzero(~missing))])
    assert (model.predict(log) == known.predict(log)).all()


def test_the_order_of_rows_and_the_chunks_do_not_matter() -> None:
    log = logged_batch(n=3_000)
    mixed = log.take(np.random.default_rng(0).permutation(log.n))
    chunks = [mixed.take(slice(start, start + 700)) for start in range(0, log.n, 700)]
    assert (fit_reward_model(chunks).predict(log) == fit_reward_model([log]).predict(log)).all()


def test_the_same_seed_gives_the_same_model_and_another_seed_another() -> None:
    log = logged_batch(n=3_000)
    first, again, other = (fit_reward_model([log], seed=seed).predict(log) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_above_the_row_limit_whole_payments_are_sampled() -> None:
    log = logged_batch(n=3_000)
    model = fit_reward_model([log], max_rows=1_000)
    assert "on 1,000 decisions out of 3,000 with an outcome" in model.description
    assert len(model.predict(log)) == log.m


def test_rewards_other_than_0_and_1_are_regressed_within_their_bounds() -> None:
    log = logged_batch(n=6_000)
    money = replace(log, reward=log.reward * 12.0 - 2.0)
    model = fit_reward_model([money], bounds=(-2.0, 10.0))
    assert model.quality is not None
    assert model.quality.loss_name == "squared error"
    values = model.predict(money)
    assert values.min() >= -2
    assert values.max() <= 10
    truth = true_means(log) * 12 - 2
    assert np.sqrt(((values - truth) ** 2).mean()) < truth.std() / 2
    assert abs((values - truth).mean()) < 0.2


def test_columns_per_action_are_used() -> None:
    log = logged_batch(n=6_000)
    rate = np.random.default_rng(5).random(log.m)
    approved = (np.random.default_rng(6).random(log.n) < rate[log.chosen_action]).astype(float)
    log = replace(log, action_features={"x_rate": rate}, reward=approved)
    assert np.corrcoef(fit_reward_model([log]).predict(log), rate)[0, 1] > 0.9


def test_few_outcomes_give_shrunken_means_and_say_so() -> None:
    log = logged_batch(n=MIN_ROWS)
    model = fit_reward_model([log])
    assert "mean per route, shrunken (too few outcomes)" in model.description
    values = model.predict(log)
    assert len(np.unique(values)) <= 3 * len(log.routes)
    assert (abs(values - 0.5) < 0.4).all()


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_outcomes_that_are_all_the_same_are_shrunken_too(reward: float) -> None:
    log = logged_batch(n=2_000)
    values = fit_reward_model([replace(log, reward=np.full(log.n, reward))]).predict(log)
    assert (abs(values - reward) < 0.02).all()
    assert (values != reward).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_log_of_almost_nothing_still_gives_a_model(n: int) -> None:
    log = logged_batch(n=5)
    model = fit_reward_model([log.take(slice(0, n))])
    assert ((model.predict(log) > 0.2) & (model.predict(log) < 0.8)).all()


def test_without_any_outcome_the_middle_is_predicted_and_said() -> None:
    log = logged_batch(n=10, with_stop=True)
    model = fit_reward_model([replace(log, reward=np.full(10, np.nan))])
    assert model.quality is None
    assert "no outcome is known" in model.description
    assert (model.predict(log) == np.where(log.is_stop, 0.0, 0.5)).all()


def test_a_route_and_a_column_that_training_never_saw_are_no_obstacle(model: RewardModel) -> None:
    other = logged_batch(n=20, routes=("adyen", "newcomer"))
    other = replace(other, context={"x_new": np.ones(20)})
    values = model.predict(other)
    assert ((values > 0) & (values < 1)).all()


@pytest.mark.parametrize("options", [{"folds": 1}, {"max_rows": 0}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UserError, match="expected"):
        fit_reward_model([LOG], **options)  # type: ignore[arg-type]
