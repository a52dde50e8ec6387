"""What an attempt may cost, by the price list of the routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.prices import Prices, load_prices
from authopt.rules.merchant import MerchantRules
from authopt.rules.merchant_cost import CostCap, CostOf
from tests.authopt.rules.merchant_reasons_of import kept, reasons_of
from tests.authopt.rules.one_decision import decision

ACTIONS = (("adyen", 0), ("zoop", 0), ("stop", 0))
PRICES = """
currency = "EUR"
[[fees]]
route = "adyen"
each = { fixed = 10 }
approved = { bps = 100 }
"""


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Prices:
    """Adyen: 0.10 EUR an attempt and 1% of what is approved; zoop has no price."""
    path = Path(tmp_path_factory.mktemp("prices")) / "prices.toml"
    path.write_text(PRICES)
    return load_prices(path)


def payment(amount: int | None, currency: str | None = "EUR") -> object:
    return decision(1, ACTIONS, amount_minor=amount, currency=currency)


def test_an_attempt_that_costs_more_than_the_cap_is_not_sent(prices: Prices) -> None:
    keeping = {"keep_unknown": True}
    dear = payment(10_000)
    assert kept(dear, CostCap(prices, {"EUR": 109}, **keeping)) == [False, True, True]
    assert kept(dear, CostCap(prices, {"EUR": 110}, **keeping)) == [True, True, True]


@pytest.mark.parametrize(
    ("cost_of", "allowed"),
    [(CostOf.APPROVED, False), (CostOf.DECLINED, True), (CostOf.DEARER, False)],
)
def test_the_cap_is_of_an_approved_or_a_declined_attempt_or_the_dearer(
    prices: Prices, cost_of: CostOf, allowed: bool
) -> None:
    rule = CostCap(prices, {"EUR": 50}, cost_of=cost_of)
    assert kept(payment(10_000), rule)[0] is allowed


def test_the_cap_may_be_a_share_of_the_amount(prices: Prices) -> None:
    rule = CostCap(prices, most_share=0.05, cost_of=CostOf.DECLINED)
    assert kept(payment(199), rule)[0] is False
    assert kept(payment(200), rule)[0] is True


def test_both_caps_hold_together(prices: Prices) -> None:
    rule = CostCap(prices, {"EUR": 50}, 0.05)
    assert kept(payment(1_000), rule)[0] is True
    assert kept(payment(100), rule)[0] is False
    assert kept(payment(5_000), rule)[0] is False


def test_a_currency_without_a_cap_has_none_whatever_it_costs(prices: Prices) -> None:
    assert kept(payment(10_000, "USD"), CostCap(prices, {"EUR": 1})) == [True, True, True]


@pytest.mark.parametrize(("amount", "currency"), [(None, "EUR"), (1_000, None), (None, None)])
def test_a_price_that_is_not_known_is_over_the_cap(
    prices: Prices, amount: int | None, currency: str | None
) -> None:
    batch = payment(amount, currency)
    assert kept(batch, CostCap(prices, {"EUR": 50}, 0.5)) == [False, False, True]
    assert kept(batch, CostCap(prices, {"EUR": 50}, 0.5, keep_unknown=True)) == [True] * 3


def test_a_route_without_a_price_is_not_used_and_the_reason_says_so(prices: Prices) -> None:
    rules = MerchantRules(rules=(CostCap(prices, {"EUR": 50}),))
    assert reasons_of(payment(1_000), rules) == [
        None,
        "merchant's cost cap: at most 0.50 EUR; the price, currency or amount is not known",
        None,
    ]


def test_what_is_known_to_be_too_dear_is_removed_even_where_something_is_not_known(
    prices: Prices,
) -> None:
    rules = MerchantRules(rules=(CostCap(prices, {"EUR": 5}, 0.5, CostOf.DECLINED),))
    assert reasons_of(payment(None), rules)[0] == (
        "merchant's cost cap: at most 0.05 EUR, at most 50.00% of the amount"
    )
