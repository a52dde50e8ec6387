"""For one payment: what is allowed, why not, from when on, and what it would cost nonetheless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.actions import MAX_DELAY_S, Action
from authopt.rules import DEFAULT_RULES, MerchantRules, Rules, apply_rules, load_rules
from authopt.rules.explain import ExplainedAction, explain
from authopt.rules.merchant_hours import QuietHours
from authopt.rules.merchant_limits import AttemptsInWindow
from authopt.rules.merchant_routes import RouteDown
from authopt.rules.merchant_volume import Period, VolumePromise
from authopt.rules.one_payment import Value, offered, one_decision

HOUR, DAY = 3_600, 86_400
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def explained(
    rules: Rules = DEFAULT_RULES,
    attempt: int = 2,
    delays: tuple[int, ...] = (0,),
    **context: Value,
) -> list[ExplainedAction]:
    batch = one_decision(context, offered(["adyen"], delays), attempt, NOW)
    return list(explain(batch, rules).actions)


def merchant(*rules: object) -> Rules:
    return load_rules(merchant=MerchantRules(rules=rules))  # type: ignore[arg-type]


def test_an_allowed_action_needs_no_reason() -> None:
    first, stop = explained(attempt=1, network="visa")
    assert (first.allowed, first.reason, first.allowed_after_s) == (True, None, None)
    assert (stop.route, stop.allowed) == ("stop", True)


def test_a_wait_that_the_network_asks_for_ends_to_the_second() -> None:
    first, _ = explained(
        network="mastercard", previous_advice_code="25", seconds_since_last_attempt=1_234
    )
    assert "advice code 25" in str(first.reason)
    assert first.allowed_after_s == DAY - 1_234
    assert first.allowed_at == NOW + timedelta(seconds=DAY - 1_234)


def test_what_is_never_allowed_has_no_time() -> None:
    first, _ = explained(network="visa", previous_response_code="41")
    assert "41" in str(first.reason)
    assert (first.allowed_after_s, first.allowed_at) == (None, None)


def test_what_it_would_cost_nonetheless_is_in_the_currency_of_the_fee() -> None:
    first, stop = explained(network="visa", previous_response_code="41")
    assert first.fee_minor > 0
    assert first.fee_currency == "USD"
    assert first.fee_reason
    assert (stop.fee_minor, stop.fee_currency, stop.fee_reason) == (0.0, None, None)


def test_a_rule_of_the_merchant_costs_nothing_to_break() -> None:
    first, _ = explained(merchant(RouteDown("adyen")), network="visa")
    assert (first.reason, first.fee_minor) == ("route adyen is down", 0.0)


def test_the_end_of_a_time_when_a_route_is_down_is_found() -> None:
    down = RouteDown("adyen", end=NOW + timedelta(days=9, seconds=17))
    first, _ = explained(merchant(down), attempt=1)
    assert first.allowed_after_s == 9 * DAY + 17


def test_the_morning_after_quiet_hours_is_found() -> None:
    first, _ = explained(merchant(QuietHours(22, 7)), initiator="mit", local_hour=23)
    assert first.allowed_after_s == 7 * HOUR + 30 * 60


def test_an_action_that_waits_already_is_searched_from_its_own_delay() -> None:
    now, later, _ = explained(
        merchant(QuietHours(22, 7)), delays=(0, DAY), initiator="mit", local_hour=23
    )
    assert now.allowed_after_s == 7 * HOUR + 30 * 60
    assert later.allowed_after_s == DAY + 7 * HOUR + 30 * 60


def test_beyond_a_deadline_nothing_becomes_allowed() -> None:
    now, later, _ = explained(delays=(0, DAY), seconds_to_deadline=HOUR)
    assert now.allowed
    assert later.allowed_after_s is None


def test_no_time_beyond_the_longest_delay_is_promised() -> None:
    window = AttemptsInWindow(1, 100 * DAY)
    first, _ = explained(merchant(window), seconds_since_last_attempt=0)
    assert first.allowed_after_s is None
    first, _ = explained(
        merchant(window), seconds_since_first_attempt=60 * DAY, seconds_since_last_attempt=60 * DAY
    )
    assert first.allowed_after_s == 40 * DAY


def test_a_payment_that_is_reserved_for_another_route_gains_nothing_by_waiting() -> None:
    promise = VolumePromise("adyen", Period.MONTH, least=1_000, reserve=1.0)
    rules = load_rules(merchant=MerchantRules(promises=(promise,)))
    batch = one_decision({}, offered(["adyen", "zoop"], [0]), 1, NOW)
    counted = replace(batch, action_features={"attempts_this_month": np.zeros(3)})
    adyen, zoop, _ = explain(counted, rules).actions
    assert adyen.allowed
    assert "reserved for route adyen" in str(zoop.reason)
    assert zoop.allowed_after_s is None


def test_nothing_but_stop_means_that_the_payment_is_given_up() -> None:
    down = merchant(RouteDown("adyen"))
    assert explain(one_decision({}, offered(["adyen"], [0]), 1, NOW), down).given_up
    assert explain(one_decision({}, [Action("adyen")], 1, NOW), down).given_up
    assert not explain(one_decision({}, offered(["adyen"], [0]), 1, NOW), DEFAULT_RULES).given_up


def test_a_code_that_the_tables_do_not_know_is_told() -> None:
    context = {"network": "visa", "previous_response_code": "ZZ"}
    assert explain(one_decision(context, offered(["a"], [0]), 2, NOW), DEFAULT_RULES).unknown_code


def test_more_than_one_decision_is_refused() -> None:
    batch = one_decision({}, offered(["adyen"], [0]), 1, NOW)
    with pytest.raises(ValueError, match="0 decisions; expected one"):
        explain(batch.take(slice(0, 0)), DEFAULT_RULES)


@given(
    advice=st.sampled_from(["24", "25", "26", "30", None]),
    since=st.integers(0, 12 * DAY),
    hour=st.integers(0, 23),
    delay=st.integers(0, 20 * DAY),
)
@settings(max_examples=40, deadline=None)
def test_what_is_promised_is_kept_and_a_second_earlier_would_be_too_soon(
    advice: str | None, since: int, hour: int, delay: int
) -> None:
    rules = merchant(QuietHours(22, 7)) if hour % 2 else DEFAULT_RULES
    context: dict[str, Value] = {
        "network": "mastercard",
        "initiator": "mit",
        "local_hour": hour,
        "seconds_since_last_attempt": since,
    }
    if advice is not None:
        context["previous_advice_code"] = advice
    batch = one_decision(context, offered(["adyen"], [delay]), 2, NOW)
    action = explain(batch, rules).actions[0]
    if action.allowed:
        return
    after = action.allowed_after_s
    assert after is not None
    assert delay < after <= MAX_DELAY_S
    around = one_decision(context, offered(["adyen"], [after - 1, after]), 2, NOW)
    assert apply_rules(around, rules).keep.tolist() == [False, True, True]
