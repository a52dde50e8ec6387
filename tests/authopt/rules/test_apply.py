"""The rules take away what the networks and the merchant forbid, say why, and take nothing else."""

from __future__ import annotations

import csv
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.payments import Network
from authopt.rules import DEFAULT_RULES, apply_rules, load_rules
from authopt.rules.tables import ADVICE_CODES, RESPONSE_CODES
from tests.authopt.rules.one_decision import ROUTES, decision, decisions

DAY = 86_400
RESPONSE_ROWS = list(csv.DictReader(RESPONSE_CODES.read_text().splitlines()))
ADVICE_ROWS = list(csv.DictReader(ADVICE_CODES.read_text().splitlines()))

# Written out on purpose, apart from the tables: a row that goes missing there fails here.
NEVER = {
    "*": "04 07 14 41 43 46 62",
    "visa": "04 07 12 15 41 43 46 57 R0 R1 R3",
    "mastercard maestro": "03 04 07 12 13 14 15 41 43 57 62 63",
}
OTHER_DATA = {
    "*": "54 55 70 1A 6P N7",
    "visa": "14 54 55 70 82 1A 6P N7",
    "mastercard maestro": "54",
}
ADVICE = {
    "never": "03 05 21 22 42 99",
    "with_new_data": "01",
    "without_token": "04",
    "not_recurring": "40 41",
}
WAITS = {
    "24": 3_600,
    "25": DAY,
    "26": 2 * DAY,
    "27": 4 * DAY,
    "28": 6 * DAY,
    "29": 8 * DAY,
    "30": 10 * DAY,
}


def one_by_one(table: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (network if network != "*" else "amex", code)
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


def test_every_row_of_the_tables_that_forbids_has_a_case_above() -> None:
    forbidding = {
        (row["network"], row["response_code"])
        for row in RESPONSE_ROWS
        if row["category"] in ("never", "data_quality")
    }
    assert forbidding == {
        (network, code)
        for table in (NEVER, OTHER_DATA)
        for network, codes in table.items()
        for code in codes.split()
    }
    advice = {
        (row["advice_code"], row["permission"]): int(row["wait_s"])
        for row in ADVICE_ROWS
        if row["permission"] != "later" or int(row["wait_s"])
    }
    assert advice == {(code, "later"): wait_s for code, wait_s in WAITS.items()} | {
        (code, permission): 0 for permission, codes in ADVICE.items() for code in codes.split()
    }


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
    rules = load_rules(max_attempts=100)
    within = {"network": network, "seconds_since_first_attempt": float(window_s)}
    actions = [("adyen", 0), ("adyen", 1), ("stop", 0)]
    last = decision(attempt=attempts, actions=actions, **within)
    above = decision(attempt=attempts + 1, actions=actions, **within)
    assert apply_rules(last, rules).keep.all()
    allowed = apply_rules(above, rules)
    assert allowed.keep.tolist() == [False, True, True]
    assert allowed.reasons[allowed.reason[0]].startswith(text)


def test_visas_older_limit_holds_before_the_newer_one() -> None:
    batch = decision(attempt=17, network="visa", seconds_since_first_attempt=100.0)
    before = load_rules(max_attempts=100, on=date(2025, 5, 18))
    since = load_rules(max_attempts=100, on=date(2025, 5, 19))
    assert apply_rules(batch, before).keep.tolist() == [False, False, True]
    assert apply_rules(batch, since).keep.all()


def test_the_merchants_own_limit_holds_whatever_the_time() -> None:
    rules = load_rules(max_attempts=3)
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


def test_codes_that_the_tables_do_not_know_are_generic_and_can_be_counted() -> None:
    contexts = [
        {"network": "visa", "previous_response_code": "05"},
        {"network": "visa", "previous_response_code": "card_declined"},
        {"network": "mastercard", "previous_response_code": "05", "previous_advice_code": "77"},
        {"network": "visa", "previous_response_code": ""},
        {"network": None, "previous_response_code": None},
    ]
    batch = decisions(contexts, [2] * 5, [[("adyen", 0)]] * 5)
    allowed = apply_rules(batch)
    assert allowed.keep.all()
    assert allowed.unknown_code.tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("written", ["4", " 04", "04"])
def test_a_code_may_lack_its_zero_or_carry_blanks(written: str) -> None:
    assert not apply_rules(decision(network="visa", previous_response_code=written)).keep[0]


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
    """Slow and plain: whether one action is allowed, from the tables read line by line."""
    route, delay_s = action
    if route == "stop" or attempt == 1:
        return True
    network = context.get("network")

    def meaning(
        table: list[dict[str, str]], code_column: str, code: object
    ) -> dict[str, str] | None:
        rows = [row for row in table if row[code_column] == code]
        own = [row for row in rows if str(network) in row["network"].split()]
        general = [row for row in rows if row["network"] == "*"]
        return (own or general or [None])[0]

    since_first = float(str(context.get("seconds_since_first_attempt") or 0)) + delay_s
    since_last = float(str(context.get("seconds_since_last_attempt") or 0)) + delay_s
    limits = {"visa": [(21, 30)], "mastercard": [(10, 1), (35, 30)], "maestro": [(10, 1), (35, 30)]}
    for most, days in limits.get(str(network), [(15, 30)]):
        if attempt > most and since_first <= days * DAY:
            return False
    if attempt > 15:
        return False
    updated = context.get("x_data_updated") == 1.0
    response = meaning(RESPONSE_ROWS, "response_code", context.get("previous_response_code"))
    if response is not None:
        if response["category"] == "never":
            return False
        if response["category"] == "data_quality" and not updated:
            return False
    advice = meaning(ADVICE_ROWS, "advice_code", context.get("previous_advice_code"))
    if advice is None:
        return True
    return {
        "never": False,
        "later": since_last >= int(advice["wait_s"]),
        "with_new_data": updated,
        "without_token": context.get("token") == 0.0,
        "not_recurring": context.get("initiator") != "mit",
    }[advice["permission"]]


RESPONSES = sorted({row["response_code"] for row in RESPONSE_ROWS})
ADVICES = sorted({row["advice_code"] for row in ADVICE_ROWS})
SECONDS = st.one_of(
    st.none(), st.sampled_from([0.0, 3_600.0, float(DAY)]), st.integers(0, 40 * DAY).map(float)
)
CONTEXTS = st.fixed_dictionaries(
    {
        "network": st.one_of(st.none(), st.sampled_from([str(network) for network in Network])),
        "initiator": st.sampled_from([None, "cit", "mit"]),
        "token": st.sampled_from([None, 0.0, 1.0]),
        "x_data_updated": st.sampled_from([None, 0.0, 1.0]),
        "previous_response_code": st.sampled_from([None, "05", "odd", *RESPONSES]),
        "previous_advice_code": st.sampled_from([None, None, "77", *ADVICES]),
        "seconds_since_first_attempt": SECONDS,
        "seconds_since_last_attempt": SECONDS,
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
