"""Success rates with windows that start full of successes, as Juspay's decision engine has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.policies.success_rate import SuccessRate
from tests.factories import logged_batch

WINDOW = 50


def engine() -> SuccessRate:
    return SuccessRate(WINDOW, 0.05, (), start="full", hedge="others")


def only(route: str, rewards: list[int]) -> LoggedBatch:
    """Outcomes of one route, in this order."""
    batch = logged_batch(600)
    taken = batch.action_route[batch.chosen_action] == batch.routes.index(route)
    batch = batch.take(np.flatnonzero(taken)[: len(rewards)])
    return replace(batch, reward=np.array(rewards, np.float64))


def rate(policy: SuccessRate, route: str) -> float:
    batch = logged_batch(1)
    return float(policy.rates(batch)[batch.routes.index(route)])


def test_a_route_never_taken_counts_as_always_approved() -> None:
    assert rate(engine(), "adyen") == 1.0


@pytest.mark.parametrize("failures", [0, 1, 7])
def test_a_few_failures_lower_a_rate_by_their_share_of_the_window(failures: int) -> None:
    policy = engine()
    policy.update(only("adyen", [1, 1] + [0] * failures))
    assert rate(policy, "adyen") == pytest.approx(1 - failures / WINDOW)


def test_once_the_window_is_full_the_rate_is_that_of_its_outcomes() -> None:
    policy = engine()
    policy.update(only("adyen", [0] * 30 + [1, 0] * 25))
    assert rate(policy, "adyen") == pytest.approx(0.5)


def test_routes_that_failed_give_way_to_those_not_tried_yet() -> None:
    policy = engine()
    policy.update(only("adyen", [0, 1, 1]))
    batch = logged_batch(1)
    probability = dict(zip(batch.routes, policy.probabilities(batch).tolist(), strict=True))
    assert probability["adyen"] == pytest.approx(0.05)
    assert probability["braintree"] == probability["checkout"] == pytest.approx(0.475)
