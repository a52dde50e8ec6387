"""How much a payment can earn, where only approvals earn and attempts cost."""

from __future__ import annotations

from dataclasses import replace

from authopt.evaluation.payments.summary import payment_result
from authopt.evaluation.payments.support import range_of
from authopt.evaluation.payments.survey import survey
from authopt.evaluation.scores import Range
from authopt.evaluation.settings import Settings
from simulator.tiny_episodes import by_state
from tests.authopt.evaluation.payments.tiny_payments import (
    FAST,
    POLICY,
    added,
    every_payment,
)

MONEY = replace(FAST, reward_low=-2.0, reward_high=10.0)
BY_APPROVAL = replace(MONEY, reward_by_approval=True)


def known(settings: Settings) -> Range:
    sums = added([every_payment()], lambda batch: by_state(batch, POLICY))
    return range_of(
        survey(sums).facts,
        sums,
        settings,
        is_logging_policy=False,
        clusters=None,
        payment_bounds=None,
    )


def test_costs_add_up_over_the_longest_payment_and_an_approval_comes_once() -> None:
    assert (known(BY_APPROVAL).reward_low, known(BY_APPROVAL).reward_high) == (-4.0, 10.0)


def test_where_it_is_not_known_what_earns_every_attempt_may() -> None:
    assert (known(MONEY).reward_low, known(MONEY).reward_high) == (-4.0, 20.0)


def test_the_interval_of_a_payments_value_gains_by_it() -> None:
    def width(settings: Settings) -> float:
        sums = added([every_payment()], lambda batch: by_state(batch, POLICY))
        return payment_result(sums, settings).value.estimate.interval.width

    assert width(BY_APPROVAL) < width(MONEY)
