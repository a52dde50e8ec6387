"""What an attempt costs, by the rows of a price list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical, DecisionBatch
from authopt.errors import UserError
from authopt.prices import Prices, load_prices

LIST = """
currency = "EUR"

[routes]
adyen = { country = "DE" }

[[fees]]
route = "adyen"
network = "visa"
initiator = "mit"
approved = { fixed = 1, bps = 10 }

[[fees]]
route = ["adyen", "braintree"]
each = { fixed = 5 }
approved = { fixed = 20, bps = 100 }

[[surcharges]]
name = "cross-border"
cross_border = true
approved = { bps = 50 }

[[surcharges]]
name = "token"
token = true
each = { fixed = -2 }

[[surcharges]]
name = "gateway"
each = { fixed = 3 }
currency = "USD"

[[rates]]
currency = "USD"
from = 2026-01-01
rate = 0.9
"""


def prices(tmp_path: Path, text: str = LIST) -> Prices:
    path = tmp_path / "prices.toml"
    path.write_text(text, "utf-8")
    return load_prices(path)


def decision(routes: tuple[str, ...] = ("adyen",), **context: Any) -> DecisionBatch:
    values = {"amount_minor": 10_000.0, "currency": "EUR", "network": "visa"} | context
    k = len(routes)
    return DecisionBatch(
        decision_id=pa.array(["d1"]),
        payment_id=pa.array(["p1"]),
        attempt=np.ones(1, np.int32),
        decided_at=np.array(["2026-03-01"], "M8[us]"),
        context={
            name: Categorical.from_values([value])
            if isinstance(value, str)
            else np.array([value], np.float64)
            for name, value in values.items()
            if value is not None
        },
        routes=routes,
        action_route=np.arange(k, dtype=np.int32),
        action_delay_s=np.zeros(k, np.int64),
        offsets=np.array([0, k]),
    )


def test_an_attempt_costs_its_fee_and_all_surcharges(tmp_path: Path) -> None:
    found = prices(tmp_path)
    # 5 + 20 + 1% of 100.00, and 3 US cents of gateway (2.7)
    assert found.fees_minor(decision(), True).tolist() == [5 + 20 + 100 + 3]
    assert found.fees_minor(decision(), False).tolist() == [5 + 3]


def test_the_first_row_that_holds_counts(tmp_path: Path) -> None:
    by_merchant = decision(initiator="mit")
    assert prices(tmp_path).fees_minor(by_merchant, True).tolist() == [1 + 10 + 3]
    assert prices(tmp_path).fees_minor(by_merchant, False).tolist() == [0 + 3]


def test_a_token_may_be_cheaper(tmp_path: Path) -> None:
    assert prices(tmp_path).fees_minor(decision(token=1.0), False).tolist() == [5 - 2 + 3]
    assert prices(tmp_path).fees_minor(decision(token=0.0), False).tolist() == [5 + 3]


@pytest.mark.parametrize(
    ("context", "crosses"),
    [
        ({"issuer_country": "DE"}, False),  # the route is in DE
        ({"issuer_country": "AT"}, True),
        ({"issuer_country": "AT", "merchant_country": "AT"}, True),  # the route counts first
        ({}, False),  # not known
    ],
)
def test_a_border_is_crossed_between_issuer_and_route(
    tmp_path: Path, context: dict[str, str], crosses: bool
) -> None:
    found = prices(tmp_path).fees_minor(decision(**context), True)
    assert found.tolist() == [128 + (50 if crosses else 0)]


def test_without_a_country_of_the_route_that_of_the_merchant_counts(tmp_path: Path) -> None:
    found = prices(tmp_path).fees_minor(
        decision(("braintree",), issuer_country="AT", merchant_country="AT"), True
    )
    assert found.tolist() == [128]


def test_stop_costs_nothing_and_a_route_without_a_fee_has_no_price(tmp_path: Path) -> None:
    found = prices(tmp_path).fees_minor(decision(("adyen", "stop", "other")), True)
    np.testing.assert_array_equal(found, [128.0, 0.0, np.nan])


def test_fees_are_in_the_currency_of_the_payment(tmp_path: Path) -> None:
    # 25 euro cents are 27.8 US cents; 1% of 100 dollars is 100; 3 US cents stay.
    assert prices(tmp_path).fees_minor(decision(currency="USD"), True).tolist() == [128 + 3]
    assert np.isnan(prices(tmp_path).fees_minor(decision(currency="GBP"), True)).all()
    assert np.isnan(prices(tmp_path).fees_minor(decision(currency=None), True)).all()


def test_a_share_of_an_unknown_amount_is_unknown_and_a_fixed_fee_is_not(tmp_path: Path) -> None:
    unknown = decision(amount_minor=None)
    assert np.isnan(prices(tmp_path).fees_minor(unknown, True)).all()
    assert prices(tmp_path).fees_minor(unknown, False).tolist() == [8]


def test_only_the_actions_asked_for_are_priced(tmp_path: Path) -> None:
    batch = decision(("other", "adyen"))
    assert prices(tmp_path).fees_minor(batch, False, np.array([1])).tolist() == [8]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('network = "visa"', 'network = "visum"'), r"fees\[0\].network: 'visum' is not one of"),
        (('route = "adyen"', 'route = "stop"'), r"fees\[0\].route: 'stop' is no attempt"),
        (("bps = 10 ", "bsp = 10 "), "unknown field `bsp`"),
        (("fixed = 20", 'fixed = "x"'), "Invalid decimal"),
        (('currency = "EUR"', 'currency = "EURO"'), "key currency: 'EURO' is no ISO 4217"),
        (("2026-01-01", '"soon"'), "Invalid RFC3339|Invalid date"),
        (("[[rates]]", "[[rates"), "not a TOML file"),
    ],
)
def test_an_unsound_file_is_an_error_that_names_the_key(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in LIST
    with pytest.raises(UserError, match=f"prices.toml: .*(?:{message})"):
        prices(tmp_path, LIST.replace(*change, 1))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_prices(tmp_path / "none.toml")
