"""What is agreed with a route about volume: a cap, or a promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import DecisionBatch
from authopt.rules.merchant import MerchantRules, merchant_reasons
from authopt.rules.merchant_routes import RouteDown
from authopt.rules.merchant_volume import Period, VolumeCap, VolumePromise
from tests.authopt.rules.merchant_reasons_of import at, kept, reasons_of
from tests.authopt.rules.one_decision import decision, decisions

DAY = 86_400
ACTIONS = (("adyen", 0), ("zoop", 0), ("stop", 0))
MONTH, TODAY = Period.MONTH, Period.DAY
HALF_WAY = "2026-04-16T00:00"


def counted(batch: DecisionBatch, **features: Sequence[float]) -> DecisionBatch:
    columns = {name: np.array(values, np.float64) for name, values in features.items()}
    return replace(batch, action_features=columns)


@pytest.mark.parametrize(
    ("per", "name"), [(MONTH, "attempts_this_month"), (TODAY, "attempts_today")]
)
def test_a_route_takes_no_more_attempts_than_its_cap(per: Period, name: str) -> None:
    cap = VolumeCap("adyen", 100, per)
    assert kept(counted(decision(1, ACTIONS), **{name: [99, 500, 0]}), cap) == [True] * 3
    assert kept(counted(decision(1, ACTIONS), **{name: [100, 0, 0]}), cap) == [False, True, True]


@pytest.mark.parametrize(("per", "later"), [(TODAY, DAY), (MONTH, 30 * DAY)])
def test_what_was_sent_in_this_period_does_not_cap_the_next(per: Period, later: int) -> None:
    batch = at(decision(1, (("adyen", 0), ("adyen", later), ("stop", 0))), "2026-04-16T12:00")
    full = counted(batch, **{per.attempts: [100, 100, 0]})
    assert kept(full, VolumeCap("adyen", 100, per)) == [False, True, True]


def test_a_capped_route_whose_count_is_not_known_is_not_used() -> None:
    batch = decision(1, ACTIONS)
    nobody_counted = counted(batch, attempts_this_month=[np.nan, 1, np.nan])
    for each in (batch, nobody_counted):
        assert kept(each, VolumeCap("adyen", 100, MONTH)) == [False, True, True]
        assert kept(each, VolumeCap("adyen", 100, MONTH, keep_unknown=True)) == [True] * 3
    rules = MerchantRules(rules=(VolumeCap("adyen", 100, MONTH),))
    assert reasons_of(batch, rules)[0] == (
        "route adyen: capped at 100 attempts a month; attempts_this_month is not known"
    )


def promised(
    promise: VolumePromise, count: float, n: int = 1, attempt: int = 1, **others: object
) -> tuple[DecisionBatch, MerchantRules]:
    batch = decisions([{}] * n, [attempt] * n, [ACTIONS] * n)
    name = promise.per.share if promise.least_share is not None else promise.per.attempts
    batch = counted(at(batch, HALF_WAY), **{name: [count, 10**6, 0] * n})
    return batch, MerchantRules(promises=(promise,), **others)


ALL = VolumePromise("adyen", MONTH, least=1_000, reserve=1.0)


def test_a_route_behind_its_promise_is_the_only_one_for_the_payments_reserved() -> None:
    reason = "reserved for route adyen: behind its promise of 1,000 attempts a month"
    assert reasons_of(*promised(ALL, 499)) == [None, reason, None]


def test_a_promise_is_behind_when_less_is_sent_than_the_part_of_the_month_that_has_passed() -> None:
    assert reasons_of(*promised(ALL, 500)) == [None, None, None]


def test_a_promise_by_day_goes_by_the_day() -> None:
    daily = replace(ALL, per=TODAY)
    batch, rules = promised(daily, 240)
    assert merchant_reasons(at(batch, "2026-04-16T05:45"), rules)[1] < 0
    assert merchant_reasons(at(batch, "2026-04-16T05:46"), rules)[1] >= 0


def test_a_promised_share_is_compared_with_the_share_so_far() -> None:
    share = VolumePromise("adyen", MONTH, least_share=0.3, reserve=1.0)
    reason = (
        "reserved for route adyen: behind its promise of 30.0% of the first attempts of a month"
    )
    assert reasons_of(*promised(share, 0.299)) == [None, reason, None]
    assert reasons_of(*promised(share, 0.3)) == [None, None, None]


def test_only_the_reserved_share_of_the_payments_is_held_to_it() -> None:
    n = 4_000
    batch, rules = promised(replace(ALL, reserve=0.3), 0, n)
    held = (merchant_reasons(batch, rules) >= 0).reshape(n, 3)
    assert not held[:, [0, 2]].any()
    assert held[:, 1].mean() == pytest.approx(0.3, abs=0.03)


def test_the_same_payment_is_reserved_whatever_it_is_decided_with() -> None:
    batch, rules = promised(replace(ALL, reserve=0.5), 0, 50)
    together = merchant_reasons(batch, rules)
    alone = [merchant_reasons(batch.take(np.array([row])), rules) for row in range(50)]
    assert together.tolist() == np.concatenate(alone).tolist()


def test_retries_are_free_to_go_elsewhere() -> None:
    assert reasons_of(*promised(ALL, 0, attempt=2)) == [None, None, None]


def test_a_promise_whose_count_is_not_known_reserves_nothing() -> None:
    assert reasons_of(*promised(ALL, np.nan)) == [None, None, None]
    assert reasons_of(decision(1, ACTIONS), MerchantRules(promises=(ALL,))) == [None] * 3


def test_a_promise_never_leaves_a_payment_without_an_attempt() -> None:
    batch, rules = promised(ALL, 0, rules=(RouteDown("adyen"),))
    assert reasons_of(batch, rules) == ["route adyen is down", None, None]
    batch, rules = promised(ALL, 0)
    by_network = np.array([False, True, True])
    assert merchant_reasons(batch, rules, left=by_network).tolist() == [-1, -1, -1]


def test_an_attempt_in_the_next_period_does_not_keep_a_promise_of_this_one() -> None:
    batch = at(decision(1, (("adyen", 30 * DAY), ("zoop", 0), ("stop", 0))), HALF_WAY)
    rules = MerchantRules(promises=(ALL,))
    assert reasons_of(counted(batch, attempts_this_month=[0, 0, 0]), rules) == [None, None, None]


def test_of_two_promises_that_are_behind_the_first_is_kept() -> None:
    second = VolumePromise("zoop", MONTH, least=10**9, reserve=1.0)
    batch, _ = promised(ALL, 0)
    assert reasons_of(batch, MerchantRules(promises=(ALL, second)))[:1] == [None]
    assert reasons_of(batch, MerchantRules(promises=(second, ALL)))[1:] == [None, None]
