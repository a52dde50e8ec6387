from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import FloatArray, LoggedBatch
from authopt.learning.later_value import fit_later_value, made_at, patience, share_open
from authopt.learning.reward_to_go import Retries, own_rewards
from tests.factories import START, logged_batch

DAY = np.timedelta64(86_400, "s")


def two_attempts(n: int = 1200, gap: np.timedelta64 = DAY) -> LoggedBatch:
    """Payments of two attempts, the second a day after the first if that is declined."""
    rng = np.random.default_rng(2)
    log = logged_batch(2 * n, seed=3)
    first = log.attempt == 1
    began = START + np.arange(n) * np.timedelta64(600, "s")
    approved = (rng.random(2 * n) < np.where(first, 0.3, 0.6)).astype(np.float64)
    log = replace(
        log,
        decided_at=np.where(first, np.repeat(began, 2), np.repeat(began + gap, 2)),
        reward=approved,
        outcome={"approved": approved},
    )
    paid = np.zeros(2 * n, np.bool_)
    paid[1::2] = approved[::2] == 1.0
    order = np.argsort(log.decided_at[~paid], kind="stable")
    return log.take(np.flatnonzero(~paid)[order])


def to_go(log: LoggedBatch, retries: Retries | None = None) -> FloatArray:
    retries = Retries() if retries is None else retries
    retries.add(log)
    return retries.to_go(log, 1.0)


def cut_at(log: LoggedBatch, day: int) -> tuple[LoggedBatch, FloatArray]:
    """The log up to a day, and what the rewards-to-go of its rows are in truth."""
    rows = np.flatnonzero(log.decided_at < START + day * DAY)
    return log.take(rows), to_go(log)[rows]


def end_of(log: LoggedBatch) -> np.datetime64:
    return np.datetime64(log.decided_at.max())


def test_patience_is_the_time_to_the_next_decision() -> None:
    assert patience(two_attempts()) == DAY
    assert patience(logged_batch(10, attempts_per_payment=1)) == np.timedelta64(0)


def test_a_log_that_ends_before_the_next_attempts_leaves_its_last_stretch_open() -> None:
    log, _ = cut_at(two_attempts(), 5)
    assert 0.02 < share_open(log, end_of(log)) < 0.3
    assert share_open(log, end_of(log) + 2 * DAY) == 0.0


def test_what_the_log_ends_before_is_completed_rather_than_counted_as_nothing() -> None:
    log, truth = cut_at(two_attempts(), 5)
    model = fit_later_value(log, end_of(log), 1.0, bootstrap=False)
    assert model is not None
    open_ = (log.attempt == 1) & (made_at(log) >= end_of(log) - DAY)
    bias = to_go(log)[open_].mean() - truth[open_].mean()
    completed = to_go(log, Retries(model))
    assert bias < -0.3
    assert abs(completed[open_].mean() - truth[open_].mean()) < 0.08
    settled = made_at(log) < end_of(log) - 2 * DAY
    assert np.array_equal(completed[settled], truth[settled])


def test_a_later_attempt_without_an_outcome_is_completed_too() -> None:
    log = two_attempts()
    pending = log.decided_at > end_of(log) - DAY
    unknown = replace(log, reward=np.where(pending, np.nan, log.reward), outcome={})
    assert np.isnan(to_go(unknown)[~pending]).any()
    model = fit_later_value(unknown, end_of(log), 1.0, bootstrap=False)
    assert model is not None
    completed = to_go(unknown, Retries(model))
    assert not np.isnan(completed[~pending]).any()
    filled = np.isnan(to_go(unknown)) & ~pending
    assert abs(completed[filled].mean() - to_go(log)[filled].mean()) < 0.08


def test_fitted_returns_lie_between_what_was_observed_and_what_the_best_would_bring() -> None:
    log = two_attempts(400)
    model = fit_later_value(log, end_of(log), 1.0, bootstrap=True)
    assert model is not None
    fitted = to_go(log, Retries(model))
    follows = (
        (log.attempt == 1) & (own_rewards(log) == 0.0) & (made_at(log) < end_of(log) - 2 * DAY)
    )
    payments = log.payment_id.to_pylist()
    later = np.flatnonzero(log.attempt == 2)
    best = dict(
        zip(log.payment_id.take(later).to_pylist(), model.best(log.take(later)), strict=True)
    )
    observed = to_go(log)
    expected = [(observed[row] + best[payments[row]]) / 2 for row in np.flatnonzero(follows)]
    assert np.allclose(fitted[follows], expected)
    seconds = (log.attempt == 2) & (made_at(log) < end_of(log) - DAY)
    assert np.array_equal(fitted[seconds], own_rewards(log)[seconds])


def test_without_any_known_outcome_there_is_no_model() -> None:
    log = two_attempts(50)
    unknown = replace(log, reward=np.full(log.n, np.nan), outcome={})
    assert fit_later_value(unknown, end_of(log), 1.0, bootstrap=True) is None


@pytest.mark.parametrize("bootstrap", [False, True])
def test_the_same_seed_gives_the_same_returns(bootstrap: bool) -> None:
    log, _ = cut_at(two_attempts(300), 1)
    made = []
    for _ in range(2):
        model = fit_later_value(log, end_of(log), 1.0, bootstrap=bootstrap)
        assert model is not None
        made.append(to_go(log, Retries(model)))
    assert np.array_equal(made[0], made[1], equal_nan=True)
