from __future__ import annotations

import numpy as np
import pytest

from authopt.evaluation.betting.betting import Group, Scores, lower_limit
from authopt.evaluation.betting.context_classes import context_class
from authopt.evaluation.betting.mean_bets import MeanBets, mean_limits
from authopt.evaluation.betting.row_bets import RowBets, gain_limits, value_limits


def payments(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of successes and of failures over payments of 1 to 3 attempts, and the attempts."""
    rng = np.random.default_rng(seed)
    attempts = rng.integers(1, 4, n)
    successes = rng.binomial(attempts, rng.choice([0.5, 0.95], n))
    return successes.astype(float), (attempts - successes).astype(float), attempts


def counted(n: int, seed: int) -> MeanBets:
    bets = MeanBets()
    bets.add(*payments(n, seed))
    return bets


def test_whole_sums_are_read_without_loss() -> None:
    successes, failures, attempts = payments(500, 1)
    found = mean_limits(counted(500, 1), 0.95, longest=3)
    lower, upper = (
        lower_limit(
            [Group(np.inf, Scores(s, attempts.astype(float), np.ones(500)))],
            (),
            0.025,
            0.0,
            1.0,
            longest=3,
        )
        for s in (successes, failures)
    )
    assert found == pytest.approx((lower, 1.0 - upper), abs=1e-7)


def test_the_mean_per_row_is_covered_and_more_payments_say_more() -> None:
    truth = (0.5 + 0.95) / 2.0
    few, many = (mean_limits(counted(n, 2), 0.95, longest=3) for n in (200, 5000))
    for lower, upper in (few, many):
        assert lower <= truth <= upper
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])


def test_parts_add_up_to_the_whole() -> None:
    whole = MeanBets()
    successes, failures, attempts = payments(300, 3)
    whole.add(successes, failures, attempts)
    parts = MeanBets()
    for rows in (slice(0, 1), slice(1, 200), slice(200, 300)):
        piece = MeanBets()
        piece.add(successes[rows], failures[rows], attempts[rows])
        parts = MeanBets.from_state((piece + parts).state())
    expected = mean_limits(whole, 0.9, longest=3)
    assert mean_limits(parts, 0.9, longest=3) == pytest.approx(expected, abs=1e-8)


def test_a_cluster_longer_than_was_promised_says_that_nothing_is_known() -> None:
    assert mean_limits(counted(500, 4), 0.95, longest=2) == (0.0, 1.0)


def test_nothing_counted_leaves_everything_possible() -> None:
    assert mean_limits(MeanBets(), 0.95) == (0.0, 1.0)


def test_scores_that_no_mean_explains_leave_everything_possible() -> None:
    bets = MeanBets()
    bets.add(np.full(1000, 2.0), np.full(1000, 2.0))
    assert mean_limits(bets, 0.95) == (0.0, 1.0)


def test_a_row_per_payment_takes_sums_above_one() -> None:
    # Weights of paths up to 6: the mean is 0.7 of the most that a payment can bring.
    rng = np.random.default_rng(5)
    weight = np.where(rng.random(5000) < 1 / 6, 6.0, 0.0)
    share = rng.choice([0.4, 1.0], 5000)
    bets = MeanBets()
    bets.add(weight * share, weight * (1.0 - share))
    lower, upper = mean_limits(bets, 0.95)
    assert lower < 0.7 < upper
    assert upper - lower < 0.2


def retried(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted successes and failures of payments that are tried again once if they fail.

    The judged action has a chance of 1 / 10 in the log; a payment whose first attempt fails is
    unlikely to succeed at all. Also the sums for the gain.
    """
    rng = np.random.default_rng(seed)
    w = 10.0 * (rng.random((n, 2)) < 0.1)
    r = (rng.random((n, 2)) < [0.9, 0.2]).astype(float)
    tried = np.stack([np.ones(n), 1.0 - r[:, 0]])
    value = np.stack([(tried.T * w * each).sum(1) for each in (r, 1.0 - r)])
    gain = np.stack([(tried.T * (1.0 + (w - 1.0) * each)).sum(1) for each in (r, 1.0 - r)])
    return value, gain, tried.sum(0).astype(np.int64)


def of(sums: np.ndarray, attempts: np.ndarray) -> MeanBets:
    bets = MeanBets()
    bets.add(sums[0], sums[1], attempts)
    return bets


def test_control_variates_keep_coverage_of_values_and_gains_over_dependent_rows() -> None:
    truth = (0.9 + 0.1 * 0.2) / 1.1
    missed = np.zeros(2)
    for seed in range(80):
        value, gain, attempts = retried(300, seed)
        for place, (sums, whole, mean) in enumerate(((value, 1.0, truth), (gain, 2.0, 1.0))):
            lower, upper = mean_limits(
                of(sums, attempts), 0.8, whole=whole, longest=2, largest_weight=10.0
            )
            missed[place] += not lower <= mean <= upper
    # At most 16 of 80 expected each; more than 27 with a probability below 0.001.
    assert (missed <= 27).all()


def test_control_variates_make_limits_of_many_rows_closer() -> None:
    value, gain, attempts = retried(100_000, 1)
    for sums, whole in ((value, 1.0), (gain, 2.0)):
        plain, controlled = (
            mean_limits(of(sums, attempts), 0.95, whole=whole, longest=2, largest_weight=largest)
            for largest in (np.inf, 10.0)
        )
        assert controlled[1] - controlled[0] < 0.8 * (plain[1] - plain[0])


def test_sums_of_single_rows_are_read_as_rows_are() -> None:
    rng = np.random.default_rng(6)
    w = 20.0 * (rng.random(5000) < 0.05)
    r = (rng.random(5000) < 0.8).astype(float)
    rows = RowBets(0.0, 1.0)
    rows.add_rows(w, r, context_class(np.full(5000, np.inf)))
    alone = of(np.stack([w * r, w * (1.0 - r)]), np.ones(5000, np.int64))
    expected = value_limits(rows, 0.95, largest_weight=np.inf)
    assert mean_limits(alone, 0.95) == pytest.approx(expected, abs=1e-3)
    gains = of(np.stack([1.0 + (w - 1.0) * r, 1.0 + (w - 1.0) * (1.0 - r)]), np.ones(5000, int))
    expected = gain_limits(rows, 0.95, largest_weight=np.inf)
    found = np.array(mean_limits(gains, 0.95, whole=2.0)) - 1.0
    assert tuple(found) == pytest.approx(expected, abs=1e-3)
