"""What an attempt is worth in money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from tests.authopt.rewards.money_cases import REWARD, decisions, money_reward

CHARGEBACKS = "\n[chargebacks]\nfee_minor = 1_500\nas_of = 2026-04-01\n"
CHURN = REWARD.replace("[margin]", "churn = true\n\n[margin]") + "churn_minor = 50_000\n"
FROM_LOG = "\n[fees]\nfrom = 'log or prices'\n"


def of(folder: Path, text: str, *rows: dict[str, Any]) -> list[float]:
    return money_reward(folder, text).of(decisions(*rows)).tolist()


def test_an_approval_earns_the_margin_less_its_fees(tmp_path: Path) -> None:
    assert of(tmp_path, REWARD, {}) == [1_000 - (20 + 100)]


def test_a_declined_attempt_costs_its_fees(tmp_path: Path) -> None:
    assert of(tmp_path, REWARD, {"approved": 0.0}) == [-10]


def test_stop_is_worth_nothing_and_costs_nothing(tmp_path: Path) -> None:
    found = of(
        tmp_path, REWARD, {"route": "stop", "approved": 0.0}, {"route": "stop", "approved": None}
    )
    assert found == [0, 0]


def test_an_unknown_outcome_has_no_reward(tmp_path: Path) -> None:
    np.testing.assert_array_equal(of(tmp_path, REWARD, {}, {"approved": None}), [880, np.nan])


def test_the_margin_may_differ_by_merchant_and_category(tmp_path: Path) -> None:
    text = REWARD.replace(
        "[largest]",
        "[[margin.by]]\nmcc = ['5411', '5412']\nshare = 0.02\n\n"
        "[[margin.by]]\nmerchant_id = 'm1'\nshare = 0.5\n\n[largest]",
    )
    rows = ({"mcc": "5411", "merchant_id": "m1"}, {"merchant_id": "m1"}, {"mcc": "5999"})
    assert of(tmp_path, text, *rows) == [200 - 120, 5_000 - 120, 1_000 - 120]


def test_a_refund_takes_back_its_share_of_the_margin_and_no_fee(tmp_path: Path) -> None:
    rows = ({"refunded_minor": 4_000.0}, {"refunded_minor": 10_000.0})
    assert of(tmp_path, REWARD, *rows) == [600 - 120, -120]


def test_a_chargeback_costs_the_amount_and_its_fee(tmp_path: Path) -> None:
    row = {"charged_back": 1.0, "fraud_score": 0.1}
    assert of(tmp_path, REWARD + CHARGEBACKS, row) == [1_000 - 120 - 10_000 - 1_500]


def test_what_was_refunded_cannot_be_charged_back_too(tmp_path: Path) -> None:
    row = {"charged_back": 1.0, "refunded_minor": 4_000.0}
    assert of(tmp_path, REWARD + CHARGEBACKS, row) == [600 - 120 - 6_000 - 1_500]


def test_while_a_chargeback_may_still_come_its_expected_loss_counts(tmp_path: Path) -> None:
    rows = ({"fraud_score": 0.02}, {"fraud_score": 0.02, "charged_back": 0.0})
    assert of(tmp_path, REWARD + CHARGEBACKS, *rows) == [1_000 - 120 - 230, 1_000 - 120]


def test_a_declined_attempt_has_no_chargeback_to_expect(tmp_path: Path) -> None:
    assert of(tmp_path, REWARD + CHARGEBACKS, {"approved": 0.0, "fraud_score": 0.9}) == [-10]


@pytest.mark.parametrize(("day", "loss"), [("2026-06-28", 230), ("2026-06-29", 0)])
def test_after_the_window_no_chargeback_is_expected(tmp_path: Path, day: str, loss: int) -> None:
    text = REWARD + CHARGEBACKS.replace("2026-04-01", f"{day}T00:00:01Z")
    assert of(tmp_path, text, {"fraud_score": 0.02}) == [1_000 - 120 - loss]


def test_the_window_begins_when_the_outcome_is_known(tmp_path: Path) -> None:
    text = REWARD + CHARGEBACKS.replace("2026-04-01", "2026-07-01")
    row = {"fraud_score": 0.02, "outcome_at": np.datetime64("2026-03-15", "us")}
    assert of(tmp_path, text, row) == [1_000 - 120 - 230]


def test_without_a_score_a_declared_one_counts_or_the_row_is_an_error(tmp_path: Path) -> None:
    assert of(tmp_path, REWARD + CHARGEBACKS + "fraud_score = 0.01\n", {}) == [1_000 - 120 - 115]
    with pytest.raises(UserError, match=r"decision 'd0': fraud_score is missing.*set chargebacks"):
        of(tmp_path, REWARD + CHARGEBACKS, {})


def test_a_subscription_counts_when_a_merchants_attempt_is_approved(tmp_path: Path) -> None:
    value = {"churn_value_minor": 30_000.0}
    rows = (
        value | {"initiator": "mit"},
        value | {"initiator": "mit", "approved": 0.0},
        value | {"initiator": "cit"},
        {"initiator": "mit"},
    )
    assert of(tmp_path, CHURN, *rows) == [880 + 30_000, -10, 880, 880]


def test_the_rewards_of_a_payment_add_up_to_what_it_earned(tmp_path: Path) -> None:
    rows = [
        {"payment_id": "p", "attempt": k, "initiator": "mit", "churn_value_minor": 30_000.0, **more}
        for k, more in enumerate([{"approved": 0.0}, {"approved": 0.0}, {}], start=1)
    ]
    assert sum(of(tmp_path, CHURN, *rows)) == 1_000 + 30_000 - 10 - 10 - 120
    given_up = [rows[0], rows[1] | {"route": "stop", "approved": None}]
    assert sum(of(tmp_path, CHURN, *given_up)) == -10


def test_fees_of_the_log_count_where_asked_and_known(tmp_path: Path) -> None:
    rows = ({"fee_minor": 77.0}, {"fee_minor": None})
    assert of(tmp_path, REWARD + FROM_LOG, *rows) == [1_000 - 77, 1_000 - 120]
    assert of(tmp_path, REWARD, rows[0]) == [1_000 - 120]


def test_fees_for_attempts_against_the_networks_rules_are_counted(tmp_path: Path) -> None:
    row = {
        "approved": 0.0,
        "network": "visa",
        "attempt": 2,
        "previous_response_code": "41",
        "issuer_country": "US",
        "merchant_country": "US",
    }
    (charged,) = of(tmp_path, REWARD, row)
    assert charged == -10 - 8  # 10 US cents
    assert of(tmp_path, REWARD + "\n[fees]\nexcess_retries = false\n", row) == [-10]


@pytest.mark.parametrize(
    ("currency", "amount", "margin", "fee"),
    [("USD", 10_000, 800, 20 + 80), ("JPY", 16_667, 1_000, 20 + 100)],
)
def test_other_currencies_are_converted_once_for_each_part(
    tmp_path: Path, currency: str, amount: int, margin: int, fee: int
) -> None:
    row = {"currency": currency, "amount_minor": float(amount)}
    assert of(tmp_path, REWARD, row) == [margin - fee]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"amount_minor": None}, "amount_minor is missing"),
        ({"currency": None}, "currency is missing, which has no rate to EUR on 2026-03-01"),
        ({"currency": "GBP"}, "currency is GBP, which has no rate to EUR on 2026-03-01"),
        ({"route": "other"}, "route 'other' has no price for this attempt"),
        ({"refunded_minor": 10_001.0}, "refunded_minor is 10001: more than the whole amount"),
        ({"amount_minor": 100_001.0}, "amount is 100001 .* largest .* 100000.*set largest.amount"),
    ],
)
def test_what_a_reward_cannot_be_told_of_is_an_error_that_names_the_row(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=f"decision 'd1': {message}"):
        of(tmp_path, REWARD, {}, row)


def test_fees_and_subscriptions_have_a_declared_largest_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'d0': fees is 120 .*set largest.fees_minor"):
        of(tmp_path, REWARD.replace("2_000", "119"), {})
    row = {"initiator": "mit", "churn_value_minor": 50_001.0}
    with pytest.raises(UserError, match=r"'d0': churn is 50001 .*set largest.churn_minor"):
        of(tmp_path, CHURN, row)


known = st.fixed_dictionaries(
    {
        "amount_minor": st.integers(0, 100_000).map(float),
        "approved": st.sampled_from([0.0, 1.0]),
        "currency": st.sampled_from(["EUR", "USD"]),
        "fraud_score": st.floats(0.0, 1.0),
        "charged_back": st.sampled_from([0.0, 1.0, None]),
        "initiator": st.sampled_from(["mit", "cit"]),
        "churn_value_minor": st.integers(0, 50_000).map(float),
        "route": st.sampled_from(["adyen", "stop"]),
    }
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(known, min_size=1, max_size=8), part=st.floats(0.0, 1.0))
def test_every_reward_is_a_whole_number_within_the_bounds_and_the_sum_of_its_parts(
    tmp_path: Path, rows: list[dict[str, Any]], part: float
) -> None:
    reward = money_reward(tmp_path, CHURN + CHARGEBACKS)
    batch = decisions(
        *({**row, "refunded_minor": float(round(part * row["amount_minor"]))} for row in rows)
    )
    found, parts = reward.of(batch), reward.parts(batch)
    low, high = reward.bounds
    assert ((low <= found) & (found <= high)).all()
    assert (found == np.round(found)).all()
    lost = parts.fees + parts.excess_fees + parts.chargebacks
    np.testing.assert_array_equal(found, parts.margin + parts.churn - lost)
    declined = np.asarray(batch.outcome["approved"]) == 0.0
    assert (found[declined] <= 0.0).all()  # by_approval


def test_the_bounds_follow_from_what_is_declared(tmp_path: Path) -> None:
    assert money_reward(tmp_path, REWARD).bounds == (-2_000, 10_000)
    assert money_reward(tmp_path, CHURN).bounds == (-2_000, 60_000)
    low, high = money_reward(tmp_path, REWARD + CHARGEBACKS).bounds
    assert (low, high) == (-2_000 - 90_000 - 1_500 - 1, 10_000)
