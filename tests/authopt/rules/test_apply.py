"""The rules take away what the networks and the merchant forbid, say why, and take nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.payments import Network
from authopt.rules import DEFAULT_RULES, MerchantRules, apply_rules, load_rules
from authopt.rules.rule_set import UNKNOWN_ADVICE
from authopt.rules.tables import ADVICE_CODES
from tests.authopt.rules.expected_codes import ADVICE, DAY, RESPONSES, WAITS
from tests.authopt.rules.one_decision import ROUTES, decision, decisions

PATIENT = MerchantRules(max_attempts=100)

# What the newest tables say; the lists written out by hand hold older lines too.
NEVER = {
    "*": RESPONSES["*", ""]["never"],
    "visa": "04 07 12 14 15 41 43 46 57 R0 R1 R3",
    "mastercard maestro": RESPONSES["mastercard maestro", ""]["never"],
    "amex": RESPONSES["amex", ""]["never"],
}
OTHER_DATA = {
    "*": RESPONSES["*", ""]["data_quality"],
    "visa": "54 55 70 82 1A 6P N7",
    "mastercard maestro": RESPONSES["mastercard maestro", ""]["data_quality"],
    "amex": RESPONSES["amex", ""]["data_quality"],
}


def one_by_one(table: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (network if network != "*" else "jcb", code)
        for networks, codes in table.items()
        for network in networks.split()
        for code in codes.split()
    ]


@pytest.mark.parametrize(("network", "code"), one_by_one(NEVER))
def test_a_card_that_the_issuer_will_never_approve_is_not_tried_again(
    network: str, code: str
) -> None:
    allowed = apply_rules(
        decision(network=network, previous_response_code=code, x_data_updated=1.0)
    )
    assert allowed.keep.tolist() == [False, False, True]
    text = allowed.reasons[allowed.reason[0]]
    assert f"response code {code} " in text
    assert text.endswith("never again")
    assert allowed.reason[2] == -1


@pytest.mark.parametrize(("network", "code"), one_by_one(OTHER_DATA))
def test_a_code_about_bad_data_allows_a_retry_only_with_corrected_data(
    network: str, code: str
) -> None:
    same = apply_rules(decision(network=network, previous_response_code=code))
    corrected = apply_rules(
        decision(network=network, previous_response_code=code, x_data_updated=1.0)
    )
    assert same.keep.tolist() == [False, False, True]
    assert f"response code {code} " in same.reasons[same.reason[0]]
    assert corrected.keep.all()


@pytest.mark.parametrize("network", ["mastercard", "maestro"])
@pytest.mark.parametrize("code", ADVICE["never"].split())
def test_advice_against_another_attempt_forbids_it(network: str, code: str) -> None:
    allowed = apply_rules(decision(network=network, previous_advice_code=code, initiator="cit"))
    assert allowed.keep.tolist() == [False, False, True]
    assert f"advice code {code} " in allowed.reasons[allowed.reason[0]]


@pytest.mark.parametrize("network", ["mastercard", "maestro"])
def test_advice_to_get_new_data_allows_a_retry_with_them(network: str) -> None:
    context = {"network": network, "previous_advice_code": ADVICE["with_new_data"]}
    assert apply_rules(decision(**context)).keep.tolist() == [False, False, True]
    assert apply_rules(decision(**context, x_data_updated=1.0)).keep.all()


@pytest.mark.parametrize("network", ["mastercard", "maestro"])
@pytest.mark.parametrize(("token", "kept"), [(1.0, False), (None, False), (0.0, True)])
def test_advice_against_the_token_allows_the_card_number(
    network: str, token: float | None, kept: bool
) -> None:
    batch = decision(network=network, previous_advice_code=ADVICE["without_token"], token=token)
    assert apply_rules(batch).keep.tolist() == [kept, kept, True]


@pytest.mark.parametrize("network", ["mastercard", "maestro"])
@pytest.mark.parametrize("code", ADVICE["not_recurring"].split())
@pytest.mark.parametrize(("initiator", "kept"), [("mit", False), ("cit", True)])
def test_a_card_of_no_use_for_recurring_payments_is_not_tried_again_by_the_merchant(
    network: str, code: str, initiator: str, kept: bool
) -> None:
    batch = decision(network=network, previous_advice_code=code, initiator=initiator)
    assert apply_rules(batch).keep.tolist() == [kept, kept, True]


@pytest.mark.parametrize("network", ["mastercard", "maestro"])
@pytest.mark.parametrize(("code", "wait_s"), WAITS.items())
def test_advice_to_wait_counts_from_the_last_attempt_to_the_next(
    network: str, code: str, wait_s: int
) -> None:
    actions = [("adyen", wait_s - 1), ("adyen", wait_s), ("adyen", 0)]
    at_once = decision(
        network=network,
        previous_advice_code=code,
        seconds_since_last_attempt=0.0,
        actions=actions,
    )
    waited = decision(
        network=network,
        previous_advice_code=code,
        seconds_since_last_attempt=float(wait_s - 1),
        actions=actions,
    )
    unknown_time = decision(network=network, previous_advice_code=code, actions=actions)
    assert apply_rules(at_once).keep.tolist() == [False, True, False]
    assert apply_rules(waited).keep.tolist() == [True, True, False]
    assert apply_rules(unknown_time).keep.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("network", "attempts", "window_s", "text"),
    [
        ("visa", 21, 30 * DAY, "visa 20 re-attempts in 30 days"),
        ("mastercard", 10, DAY, "mastercard 10 declined attempts in 24 hours"),
        ("maestro", 10, DAY, "mastercard 10 declined attempts in 24 hours"),
        ("mastercard", 35, 30 * DAY, "mastercard 35 attempts in 30 days"),
        ("amex", 15, 30 * DAY, "default limit: 15 attempts in 30 days"),
        (None, 15, 30 * DAY, "default limit: 15 attempts in 30 days"),
    ],
)
def test_a_network_takes_only_so_many_attempts_within_its_window(
    network: str | None, attempts: int, window_s: int, text: str
) -> None:
    rules = load_rules(merchant=PATIENT)
    within = {
        "network": network,
        "seconds_since_first_attempt": float(window_s),
        "seconds_since_last_attempt": float(window_s),
    }
    actions = [("adyen", 0), ("adyen", 1), ("stop", 0)]
    last = decision(attempt=attempts, actions=actions, **within)
    above = decision(attempt=attempts + 1, actions=actions, **within)
    assert apply_rules(last, rules).keep.all()
    allowed = apply_rules(above, rules)
    assert allowed.keep.tolist() == [False, True, True]
    assert allowed.reasons[allowed.reason[0]].startswith(text)


def test_visas_older_limit_holds_before_the_newer_one() -> None:
    batch = decision(attempt=17, network="visa", seconds_since_first_attempt=100.0)
    before = load_rules(merchant=PATIENT, on=date(2025, 5, 18))
    since = load_rules(merchant=PATIENT, on=date(2025, 5, 19))
    assert apply_rules(batch, before).keep.tolist() == [False, False, True]
    assert apply_rules(batch, since).keep.all()


def test_the_merchants_own_limit_holds_whatever_the_time() -> None:
    rules = load_rules(merchant=MerchantRules(max_attempts=3))
    context = {"network": "visa", "seconds_since_first_attempt": 1e9}
    assert apply_rules(decision(attempt=3, **context), rules).keep.all()
    allowed = apply_rules(decision(attempt=4, **context), rules)
    assert allowed.keep.tolist() == [False, False, True]
    assert allowed.reasons[allowed.reason[0]] == "merchant's limit: 3 attempts of one payment"


def test_a_first_attempt_is_free_whatever_came_before() -> None:
    batch = decision(
        attempt=1,
        network="mastercard",
        previous_response_code="41",
        previous_advice_code="03",
        seconds_since_last_attempt=0.0,
    )
    allowed = apply_rules(batch)
    assert allowed.keep.all()
    assert (allowed.reason == -1).all()


def test_advice_codes_of_other_networks_mean_nothing_here() -> None:
    allowed = apply_rules(decision(network="visa", previous_advice_code="03"))
    assert allowed.keep.all()
    assert not allowed.unknown_code.any()


def test_codes_that_the_tables_do_not_know_are_treated_with_care_and_can_be_counted() -> None:
    contexts = [
        {"network": "visa", "previous_response_code": "05"},
        {"network": "visa", "previous_response_code": "card_declined"},
        {"network": "mastercard", "previous_response_code": "05", "previous_advice_code": "77"},
        {"network": "visa", "previous_response_code": ""},
        {"network": None, "previous_response_code": None},
    ]
    batch = decisions(contexts, [2] * 5, [[("adyen", 0)]] * 5)
    allowed = apply_rules(batch)
    assert allowed.keep.tolist() == [True, True, False, True, True]
    assert allowed.unknown_code.tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("written", ["4", " 04", "04"])
def test_a_code_may_lack_its_zero_or_carry_blanks(written: str) -> None:
    assert not apply_rules(decision(network="visa", previous_response_code=written)).keep[0]


def test_advice_that_the_tables_do_not_know_forbids_until_they_do(tmp_path: Path) -> None:
    context = {"network": "mastercard", "previous_advice_code": "77"}
    allowed = apply_rules(decision(**context, x_data_updated=1.0))
    assert allowed.keep.tolist() == [False, False, True]
    assert allowed.reasons[allowed.reason[0]] == UNKNOWN_ADVICE
    table = tmp_path / "advice.csv"
    line = "mastercard maestro,77,odd,later,0,us,,\n"
    table.write_text(ADVICE_CODES.read_text(encoding="utf-8") + line, encoding="utf-8")
    assert apply_rules(decision(**context), load_rules(advice_codes=table)).keep.all()


def test_a_code_of_another_network_is_unknown_here() -> None:
    batch = decision(network="jcb", previous_response_code="189")
    assert apply_rules(batch).keep.all()
    assert apply_rules(batch).unknown_code.all()


@pytest.mark.parametrize("name", ["card_attempts_30d", "card_declines_24h"])
def test_attempts_of_other_payments_with_the_card_count_where_they_are_known(name: str) -> None:
    most = {"card_attempts_30d": 34, "card_declines_24h": 9}[name]
    for attempt in (1, 2):
        last = decision(attempt=attempt, network="mastercard", **{name: float(most)})
        above = decision(attempt=attempt, network="mastercard", **{name: float(most + 1)})
        unknown = decision(attempt=attempt, network="mastercard", **{name: None})
        assert apply_rules(last).keep.all()
        assert apply_rules(above).keep.tolist() == [False, False, True]
        assert apply_rules(unknown).keep.all()


def test_declines_of_a_day_do_not_hinder_an_attempt_after_that_day() -> None:
    actions = [("adyen", DAY), ("adyen", DAY + 1)]
    batch = decision(network="mastercard", card_declines_24h=10.0, actions=actions)
    assert apply_rules(batch).keep.tolist() == [False, True]


def test_a_rolling_window_may_be_full_although_the_first_attempt_has_left_it() -> None:
    times = {"seconds_since_first_attempt": 1.5 * DAY, "seconds_since_last_attempt": 60.0}
    context = {"network": "mastercard", **times}
    # Eleven attempts before, of which ten may lie in the last 24 hours.
    assert not apply_rules(decision(attempt=12, **context)).keep[0]
    assert apply_rules(decision(attempt=11, **context)).keep[0]
    assert apply_rules(decision(attempt=12, **context, card_declines_24h=3.0)).keep[0]
    waited = context | {"seconds_since_last_attempt": float(DAY + 1)}
    assert apply_rules(decision(attempt=12, **waited)).keep[0]


def test_the_larger_of_both_counts_stands() -> None:
    rules = load_rules(merchant=PATIENT)
    few = {"network": "visa", "card_attempts_30d": 3.0, "seconds_since_first_attempt": 100.0}
    assert not apply_rules(decision(attempt=22, **few), rules).keep[0]
    many = few | {"card_attempts_30d": 21.0}
    assert not apply_rules(decision(attempt=2, **many), rules).keep[0]


def test_brazil_has_a_lower_limit_for_mastercard() -> None:
    within = {"network": "mastercard", "seconds_since_first_attempt": 60.0}
    there = decision(attempt=8, merchant_country="BR", **within)
    elsewhere = decision(attempt=8, merchant_country="FR", **within)
    assert apply_rules(there).keep.tolist() == [False, True, True]
    assert apply_rules(elsewhere).keep.all()


def test_the_networks_reasons_come_before_the_merchants() -> None:
    rules = load_rules(merchant=MerchantRules(max_attempts=1))
    allowed = apply_rules(decision(network="visa", previous_response_code="41"), rules)
    assert "response code 41" in allowed.reasons[allowed.reason[0]]
    of_merchant = apply_rules(decision(network="visa"), rules)
    assert of_merchant.reasons[of_merchant.reason[0]].startswith("merchant's limit: 1 ")


def test_a_batch_without_any_context_is_limited_by_attempts_alone() -> None:
    batch = decisions([{}, {}], [15, 16], [[("adyen", 0)]] * 2)
    assert apply_rules(batch).keep.tolist() == [True, False]


def test_the_reasons_say_the_first_rule_that_forbids() -> None:
    batch = decision(
        network="mastercard",
        previous_response_code="41",
        previous_advice_code="24",
        seconds_since_last_attempt=0.0,
    )
    allowed = apply_rules(batch)
    assert "response code 41 (lost card)" in allowed.reasons[allowed.reason[0]]


def reference(context: dict[str, object], attempt: int, action: tuple[str, int]) -> bool:
    """Slow and plain: whether one action is allowed, by the lists written out by hand."""
    route, delay_s = action
    if route == "stop":
        return True
    network = str(context.get("network"))

    def number(name: str) -> float:
        return float(str(context.get(name) or 0))

    since_first = number("seconds_since_first_attempt") + delay_s
    limits = {"visa": [(21, 30)], "mastercard": [(10, 1), (35, 30)], "maestro": [(10, 1), (35, 30)]}
    for most, days in limits.get(network, [(15, 30)]):
        name = "card_declines_24h" if days == 1 else "card_attempts_30d"
        if attempt > most and since_first <= days * DAY:
            return False
        if number(name) + 1 > most and delay_s <= days * DAY:
            return False
        since_last = number("seconds_since_last_attempt") + delay_s
        if context.get(name) is None and attempt - 1 > most and since_last <= days * DAY:
            return False
    if attempt == 1:
        return True
    if attempt > 15:
        return False
    updated = context.get("x_data_updated") == 1.0
    code = str(context.get("previous_response_code"))
    own = next((names for names in NEVER if network in names.split()), "*")

    def is_in(table: dict[str, str]) -> bool:
        if code in table[own].split():
            return True
        has_own_line = any(
            code in codes.split()
            for (names, _), by_category in RESPONSES.items()
            if names == own
            for codes in by_category.values()
        )
        return not has_own_line and code in table["*"].split()

    if is_in(NEVER) or (is_in(OTHER_DATA) and not updated):
        return False
    advice = context.get("previous_advice_code")
    if advice is None or network not in ("mastercard", "maestro"):
        return True
    permission = next((name for name in ADVICE if advice in ADVICE[name].split()), "never")
    wait_s = WAITS.get(str(advice), 0)
    return {
        "never": False,
        "later": number("seconds_since_last_attempt") + delay_s >= wait_s,
        "with_new_data": updated,
        "without_token": context.get("token") == 0.0,
        "not_recurring": context.get("initiator") != "mit",
    }[permission]


ALL_RESPONSES = sorted(
    {
        code
        for by_category in RESPONSES.values()
        for codes in by_category.values()
        for code in codes.split()
    }
)
ALL_ADVICE = sorted({code for codes in ADVICE.values() for code in codes.split()})
SECONDS = st.one_of(
    st.none(), st.sampled_from([0.0, 3_600.0, float(DAY)]), st.integers(0, 40 * DAY).map(float)
)
CONTEXTS = st.fixed_dictionaries(
    {
        "network": st.one_of(st.none(), st.sampled_from([str(network) for network in Network])),
        "initiator": st.sampled_from([None, "cit", "mit"]),
        "token": st.sampled_from([None, 0.0, 1.0]),
        "x_data_updated": st.sampled_from([None, 0.0, 1.0]),
        "previous_response_code": st.sampled_from([None, "05", "odd", *ALL_RESPONSES]),
        "previous_advice_code": st.sampled_from([None, None, "77", *ALL_ADVICE]),
        "seconds_since_first_attempt": SECONDS,
        "seconds_since_last_attempt": SECONDS,
        "card_declines_24h": st.one_of(st.none(), st.integers(0, 12).map(float)),
        "card_attempts_30d": st.one_of(st.none(), st.integers(0, 40).map(float)),
    }
)
ACTION_LISTS = st.lists(
    st.tuples(st.sampled_from(ROUTES[:2]), st.sampled_from([0, 300, 3_600, DAY, 3 * DAY])),
    min_size=1,
    max_size=4,
).map(lambda actions: [*actions, ("stop", 0)])
ATTEMPTS = st.one_of(st.integers(1, 4), st.integers(5, 40))


@given(st.lists(st.tuples(CONTEXTS, ATTEMPTS, ACTION_LISTS), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_is_kept_is_what_a_reading_row_by_row_allows(
    rows: list[tuple[dict[str, object], int, list[tuple[str, int]]]],
) -> None:
    contexts, attempts, actions = map(list, zip(*rows, strict=True))
    batch = decisions(contexts, attempts, actions)
    allowed = apply_rules(batch, DEFAULT_RULES)
    expected = [
        reference(context, attempt, action) for context, attempt, some in rows for action in some
    ]
    assert allowed.keep.tolist() == expected
    assert np.array_equal(allowed.reason < 0, allowed.keep)
