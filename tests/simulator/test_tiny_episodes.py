"""Tiny payments: every one that can happen is listed, and becomes rows of an attempt log."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from authopt.batch import concat
from simulator.tiny_episodes import EPISODES, LOGGING, by_state, episode_log

NEVER: tuple[tuple[F, ...], ...] = ((F(0), F(0), F(1)), (F(0), F(1)))
ALWAYS: tuple[tuple[F, ...], ...] = ((F(1), F(0), F(0)), (F(1), F(0)))


@pytest.mark.parametrize("policy", [LOGGING, NEVER, ALWAYS])
def test_the_probabilities_of_all_payments_sum_to_1(policy: tuple[tuple[F, ...], ...]) -> None:
    assert sum(payment.probability for payment in EPISODES.payments(policy)) == 1


def test_value_and_attempts_agree_with_what_can_be_worked_out_by_hand() -> None:
    assert EPISODES.value(NEVER) == EPISODES.attempts(NEVER) == 0
    # 3/5 at once; else 1/2 comes back to the same state and 1/4 to the other one.
    assert EPISODES.value(ALWAYS) == F(3, 5) + F(2, 5) * (F(1, 2) * F(3, 5) + F(1, 4) * F(1, 4))
    assert EPISODES.attempts(ALWAYS) == 1 + F(2, 5) * F(3, 4)


def test_all_logs_of_two_payments_are_listed() -> None:
    total, paid = 0.0, 0.0
    for payments, chance in EPISODES.logs(LOGGING, 2):
        total += chance
        paid += chance * sum(payment.steps[-1].approved for payment in payments) / 2
    assert total == pytest.approx(1.0, abs=1e-12)
    assert paid == pytest.approx(float(EPISODES.value(LOGGING)), abs=1e-12)


def test_a_payment_becomes_its_attempts_in_order() -> None:
    payments = tuple(EPISODES.payments(LOGGING))
    log = episode_log(payments)
    assert log.n == sum(len(payment.steps) for payment in payments)
    assert np.array_equal(log.attempt, [n for p in payments for n in range(1, len(p.steps) + 1)])
    assert np.array_equal(by_state(log, LOGGING), log.probability)
    made = ~log.is_stop[log.chosen_action]
    assert made.sum() == sum(EPISODES.is_attempt(step) for p in payments for step in p.steps)
    assert concat([log, log]).n == 2 * log.n
