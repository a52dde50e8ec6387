"""The fixed schedule: subscriptions wait, checkouts do not, and nobody gives up early."""

from __future__ import annotations

import numpy as np

from authopt.batch import Categorical, concat
from simulator.calibration.schedule import WAITS_S, RetrySchedule
from simulator.logging_policy import DEFAULT_ORDER
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic

LOG = concat(list(simulate(small_world(), Traffic(2_000), RetrySchedule(DEFAULT_ORDER))))


def test_a_checkout_is_tried_again_at_once_and_a_subscription_after_the_nearest_wait() -> None:
    initiator = LOG.context["initiator"]
    assert isinstance(initiator, Categorical)
    mit = initiator.recode(("mit",)) == 0
    assert (mit & (LOG.attempt > 2)).any()
    delay = LOG.action_delay_s[LOG.chosen_action]
    for row in range(LOG.n):
        wanted = 0
        if mit[row] and LOG.attempt[row] > 1:
            wanted = WAITS_S[min(LOG.attempt[row] - 2, len(WAITS_S) - 1)]
        offered = {action.delay_s for action in LOG.actions(row) if action.route != "stop"}
        assert abs(delay[row] - wanted) == min(abs(each - wanted) for each in offered)


def test_it_never_gives_up_where_it_may_go_on() -> None:
    assert not LOG.is_stop[LOG.chosen_action].any()


def test_its_probabilities_sum_to_1() -> None:
    given = RetrySchedule(DEFAULT_ORDER).probabilities(LOG.decisions())
    assert np.allclose(LOG.sum_by_decision(given), 1.0)
