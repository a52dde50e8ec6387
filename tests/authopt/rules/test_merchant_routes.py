"""Which payments a route takes, and when it is down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from authopt.rules.merchant import MerchantRules
from authopt.rules.merchant_routes import RouteAmounts, RouteDown, RouteValues
from tests.authopt.rules.merchant_reasons_of import at, kept, reasons_of
from tests.authopt.rules.one_decision import decision

HOUR = 3_600
BOTH = (("adyen", 0), ("zoop", 0), ("stop", 0))
ON_ADYEN = (("adyen", 0), ("adyen", HOUR), ("adyen", 2 * HOUR), ("zoop", HOUR), ("stop", 0))
TWO = datetime(2026, 3, 1, 2, tzinfo=UTC)
FOUR = datetime(2026, 3, 1, 4, tzinfo=UTC)


def test_a_route_that_is_down_takes_nothing_and_the_others_go_on() -> None:
    assert kept(decision(1, BOTH), RouteDown("adyen")) == [False, True, True]


def test_a_route_is_down_at_the_time_of_the_attempt_not_of_the_decision() -> None:
    down = RouteDown("adyen", TWO, FOUR)
    assert kept(at(decision(1, ON_ADYEN), "2026-03-01T02:30"), down) == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert kept(at(decision(1, ON_ADYEN), "2026-03-01T00:59:59"), down) == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_the_start_is_down_and_the_end_is_not() -> None:
    now = (("adyen", 0), ("stop", 0))
    down = RouteDown("adyen", TWO, FOUR)
    moments = ["2026-03-01T01:59:59", "2026-03-01T02:00", "2026-03-01T03:59:59", "2026-03-01T04:00"]
    assert [kept(at(decision(1, now), each), down)[0] for each in moments] == [
        True,
        False,
        False,
        True,
    ]


def test_an_open_end_lasts_for_ever() -> None:
    now = (("adyen", 0), ("stop", 0))
    assert not kept(at(decision(1, now), "2040-01-01"), RouteDown("adyen", start=TWO))[0]
    assert kept(at(decision(1, now), "2020-01-01"), RouteDown("adyen", start=TWO))[0]
    assert not kept(at(decision(1, now), "2020-01-01"), RouteDown("adyen", end=TWO))[0]
    assert kept(at(decision(1, now), "2040-01-01"), RouteDown("adyen", end=TWO))[0]


def test_the_reason_says_from_when_to_when_and_why() -> None:
    rules = MerchantRules(rules=(RouteDown("adyen", TWO, FOUR, "maintenance"),))
    assert reasons_of(at(decision(1, BOTH), "2026-03-01T03:00"), rules)[0] == (
        "route adyen is down from 2026-03-01 02:00 UTC until 2026-03-01 04:00 UTC (maintenance)"
    )


@pytest.mark.parametrize(
    ("column", "inside", "outside"),
    [
        ("currency", "EUR", "USD"),
        ("issuer_country", "DE", "FR"),
        ("merchant_country", "DE", "FR"),
        ("network", "visa", "amex"),
        ("funding", "credit", "prepaid"),
        ("mcc", "5732", "7995"),
        ("initiator", "cit", "mit"),
    ],
)
def test_a_route_takes_only_some_payments_or_never_some(
    column: str, inside: str, outside: str
) -> None:
    only = RouteValues("adyen", column, (inside,))
    never = RouteValues("adyen", column, (outside,), only=False)
    for rule in (only, never):
        assert kept(decision(1, BOTH, **{column: inside}), rule) == [True, True, True]
        assert kept(decision(1, BOTH, **{column: outside}), rule) == [False, True, True]


def test_a_route_may_take_several_values() -> None:
    rule = RouteValues("adyen", "currency", ("EUR", "GBP"))
    assert kept(decision(1, BOTH, currency="GBP"), rule)[0]
    assert not kept(decision(1, BOTH, currency="CHF"), rule)[0]


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("context", [{}, {"currency": None}])
def test_a_payment_whose_value_is_not_known_does_not_take_a_route_that_asks_for_it(
    only: bool, context: dict[str, object]
) -> None:
    rule = RouteValues("adyen", "currency", ("EUR",), only)
    batch = decision(1, BOTH, **context)
    assert kept(batch, rule) == [False, True, True]
    reason = reasons_of(batch, MerchantRules(rules=(rule,)))[0]
    assert reason is not None
    assert reason.endswith("currency EUR; the payment's is not known")


@pytest.mark.parametrize("only", [True, False])
def test_it_takes_the_route_where_the_merchant_says_so(only: bool) -> None:
    rule = RouteValues("adyen", "currency", ("EUR",), only, keep_unknown=True)
    assert kept(decision(1, BOTH), rule) == [True, True, True]


def test_the_bounds_of_an_amount_are_included() -> None:
    rule = RouteAmounts("adyen", "EUR", 100, 5_000)
    amounts = [99, 100, 5_000, 5_001]
    batches = [decision(1, BOTH, currency="EUR", amount_minor=amount) for amount in amounts]
    assert [kept(batch, rule)[0] for batch in batches] == [False, True, True, False]
    assert all(kept(batch, rule)[1:] == [True, True] for batch in batches)


def test_each_bound_may_stand_alone() -> None:
    small, large = (decision(1, BOTH, currency="EUR", amount_minor=each) for each in (1, 10**9))
    assert [kept(each, RouteAmounts("adyen", "EUR", least=100))[0] for each in (small, large)] == [
        False,
        True,
    ]
    assert [kept(each, RouteAmounts("adyen", "EUR", most=100))[0] for each in (small, large)] == [
        True,
        False,
    ]


def test_the_bounds_of_one_currency_are_none_of_another() -> None:
    rule = RouteAmounts("adyen", "EUR", 100, 5_000)
    assert kept(decision(1, BOTH, currency="JPY", amount_minor=50_000), rule)[0]


def test_an_amount_or_a_currency_that_is_not_known_is_out_of_bounds() -> None:
    rule = RouteAmounts("adyen", "EUR", 100, 5_000)
    unknown = [
        decision(1, BOTH, currency="EUR"),
        decision(1, BOTH, amount_minor=200),
        decision(1, BOTH),
    ]
    keeping = RouteAmounts("adyen", "EUR", 100, 5_000, keep_unknown=True)
    for batch in unknown:
        assert kept(batch, rule) == [False, True, True]
        assert kept(batch, keeping) == [True, True, True]
    assert kept(decision(1, BOTH, currency="JPY"), rule)[0]
    assert reasons_of(unknown[0], MerchantRules(rules=(rule,)))[0] == (
        "route adyen: only for amounts of at least 1.00 EUR and at most 50.00 EUR; "
        "the payment's amount or currency is not known"
    )


def test_a_rule_of_a_route_that_is_not_offered_does_nothing() -> None:
    batch = decision(1, (("zoop", 0), ("stop", 0)))
    for rule in (
        RouteDown("nowhere"),
        RouteValues("nowhere", "currency", ("EUR",)),
        RouteAmounts("nowhere", "EUR", 1),
    ):
        assert kept(batch, rule) == [True, True]
