from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.folds import fold_of, sample_payments
from authopt.learning.best_time import fit_best_time
from authopt.learning.reward_fold_models import fit_trees
from authopt.policies.best_time import BestTime
from authopt.policies.best_time.columns import attempt_columns, decision_columns
from tests.authopt.learning.timed_log import DAY, NIGHT, share_at_night, timed_log, training_log
from tests.authopt.learning.timed_log import at_night as is_at_night


@cache
def model() -> BestTime:
    return fit_best_time([training_log()])


def test_it_finds_the_hour_at_which_attempts_are_approved() -> None:
    later = timed_log(500, seed=2).decisions()
    assert share_at_night(later, model().probabilities(later)) > 0.97


def test_the_chances_that_it_predicts_are_those_of_the_world() -> None:
    later = timed_log(500, seed=2).decisions()
    night = is_at_night(later)
    chance, made = model().approval(later), ~later.is_stop
    assert chance[night & made].mean() == pytest.approx(NIGHT, abs=0.03)
    assert chance[~night & made].mean() == pytest.approx(DAY, abs=0.03)
    assert (chance[later.is_stop] == 0.0).all()


def test_it_predicts_what_scikit_learn_predicts() -> None:
    log, later = training_log(), timed_log(500, seed=2)
    log = log.take(np.flatnonzero(~log.is_stop[log.chosen_action]))
    sample = sample_payments([log], log.n, 0, "best time")
    assert sample is not None
    batch = sample.batch
    parts = (model().decision_features, model().attempt_features)
    categorical = np.concatenate([part.is_categorical for part in parts])
    held_back = fold_of(batch.payment_id, 10, 1) == 0
    every = np.ones(batch.n, np.bool_)
    fitted = fit_trees(matrix(batch), batch.reward, every, held_back, categorical, True, 0)
    ours = model().logits(later)[later.chosen_action]
    theirs = fitted.estimator.decision_function(matrix(later))
    assert np.abs(ours - theirs).max() < 1e-12


def matrix(batch: LoggedBatch) -> FloatArray:
    """Features of the actions taken, as the model's own declaration has them."""
    decision, attempt = model().decision_features, model().attempt_features
    of_attempt = attempt.ordinal(attempt_columns(batch, batch.chosen_action), batch.n)
    return np.hstack([decision.ordinal(decision_columns(batch), batch.n), of_attempt])


def test_it_says_what_it_was_trained_on() -> None:
    log = training_log()
    made = ~log.is_stop[log.chosen_action]
    assert model().rows == made.sum()
    assert model().mean_approval == pytest.approx(log.reward[made].mean())


def test_chunks_and_their_order_do_not_matter() -> None:
    log = training_log()
    chunks = [log.take(slice(start, start + 700)) for start in range(0, log.n, 700)]
    assert fit_best_time(chunks[::-1]).trees == model().trees


def test_stops_and_unknown_outcomes_teach_nothing() -> None:
    log = training_log()
    extra = timed_log(300, seed=3)
    unknown = replace(extra, reward=np.full(extra.n, np.nan))
    stopped = replace(extra, chosen=extra.counts - 1, reward=np.zeros(extra.n))
    assert fit_best_time([log, unknown, stopped]).trees == model().trees


def test_a_large_log_is_sampled_by_payment() -> None:
    assert 900 < fit_best_time([training_log()], max_rows=1_000).rows <= 1_000


def test_rewards_other_than_approvals_are_refused() -> None:
    log = training_log()
    money = replace(log, reward=log.reward * 120.0)
    with pytest.raises(UserError, match=r"reward 120; best-time learns approvals"):
        fit_best_time([money])


@pytest.mark.parametrize("rows", [0, 150])
def test_too_few_outcomes_are_refused(rows: int) -> None:
    with pytest.raises(UserError, match="too few outcomes"):
        fit_best_time([training_log().take(slice(0, rows))])


def test_attempts_that_are_all_alike_are_refused() -> None:
    log = training_log()
    one = np.flatnonzero(~log.is_stop[log.chosen_action])[:1]
    alike = replace(
        log.take(np.repeat(one, 400)), reward=(np.arange(400) % 2).astype(np.float64), context={}
    )
    with pytest.raises(UserError, match="all attempts are alike"):
        fit_best_time([alike])
