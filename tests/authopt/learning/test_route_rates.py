from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.learning.route_rates import fit_best_route, replay_success_rate, route_rates
from authopt.policies.success_rate import SuccessRate
from tests.factories import logged_batch


def test_rates_are_the_means_of_what_was_taken_slightly_shrunken_and_best_first() -> None:
    batch = logged_batch(20_000, with_stop=True)
    rates = route_rates([batch])
    taken = batch.action_route[batch.chosen_action]
    plain = {
        route: batch.reward[taken == code].mean()
        for code, route in enumerate(batch.routes)
        if route != "stop"
    }
    assert rates == pytest.approx(plain, abs=0.001)
    assert list(rates) == sorted(plain, key=lambda route: -plain[route])


def test_chunks_make_no_difference() -> None:
    batch = logged_batch(500)
    parts = [batch.take(slice(start, start + 60)) for start in range(0, 500, 60)]
    assert fit_best_route(parts) == fit_best_route([batch])


def test_unknown_outcomes_do_not_count() -> None:
    batch = logged_batch(100)
    reward = batch.reward.copy()
    reward[:40] = np.nan
    fitted = fit_best_route([replace(batch, reward=reward)])
    assert sum(record.attempts for record in fitted.records.values()) == 60


def test_an_empty_log_has_no_rates() -> None:
    assert route_rates([]) == {}


def test_success_rate_follows_the_log_and_says_what_it_left_out() -> None:
    batch = logged_batch(300, with_stop=True)
    reward = batch.reward.copy()
    stopped = batch.is_stop[batch.chosen_action]
    unknown = np.flatnonzero(~stopped)[:5]
    reward[unknown] = np.nan
    policy, whole = SuccessRate(), SuccessRate()
    log = replace(batch, reward=reward)
    said = replay_success_rate(policy, [log.take(slice(0, 100)), log.take(slice(100, 300))])
    whole.update(log)
    assert np.array_equal(policy.probabilities(batch), whole.probabilities(batch))
    assert said.rows == 300 - 5 - stopped.sum()
    assert {each.reason: each.rows for each in said.left_out} == {
        "the outcome is not known": 5,
        "the payment was given up (stop)": stopped.sum(),
    }


def test_success_rate_needs_the_order_of_time_and_something_to_learn() -> None:
    batch = logged_batch(50)
    with pytest.raises(UserError, match=r"'d0-0'.*Sort the log"):
        replay_success_rate(SuccessRate(), [batch.take(slice(25, 50)), batch.take(slice(0, 25))])
    with pytest.raises(UserError, match="no attempt with a known outcome"):
        replay_success_rate(SuccessRate(), [replace(batch, reward=np.full(50, np.nan))])
