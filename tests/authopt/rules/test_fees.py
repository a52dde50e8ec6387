"""A breach of a network's rules costs what the network publishes, in the fee's own currency."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical, LoggedBatch
from authopt.errors import UserError
from authopt.rules import DEFAULT_RULES, Rules, apply_rules, load_rules
from authopt.rules.fee_table import FEES
from authopt.rules.fees import Fees, advice_fees, attempt_fees, logged_fees
from tests.authopt.rules.one_decision import decision, decisions
from tests.authopt.rules.without_a_line import not_missed

DAY = 86_400
HEADER = (
    "network,event,advice_codes,merchant_in,scope,fee_minor,currency,meaning,source,"
    "effective_from\n"
)

CLOSED = {"previous_response_code": "46"}
STOP_RECURRING = {"previous_advice_code": "21"}
DO_NOT = {"previous_advice_code": "03"}
MANY = {"card_declines_24h": 30.0, "card_attempts_30d": 40.0}

# (network, what went before, issuer's country, merchant's country, day): minor units, currency.
COSTS: list[tuple[str, dict[str, object], str, str, str, float, str | None]] = [
    ("visa", CLOSED, "US", "US", "2021-03-31", 0, None),
    ("visa", CLOSED, "US", "US", "2021-04-01", 10, "USD"),
    ("visa", CLOSED, "US", "US", "2026-04-25", 10, "USD"),
    ("visa", MANY, "US", "US", "2026-04-25", 10, "USD"),
    ("visa", CLOSED, "FR", "US", "2021-09-30", 0, None),
    ("visa", CLOSED, "FR", "US", "2021-10-01", 15, "USD"),
    ("visa", MANY, "FR", "US", "2026-04-24", 15, "USD"),
    ("visa", MANY, "FR", "US", "2026-04-25", 25, "USD"),
    ("visa", CLOSED, "US", "JP", "2026-04-25", 25, "USD"),
    ("visa", CLOSED, "US", "CA", "2026-04-25", 25, "USD"),
    ("visa", CLOSED, "US", "AE", "2026-04-25", 25, "USD"),
    ("visa", CLOSED, "FR", "DE", "2026-04-25", 15, "USD"),
    ("visa", CLOSED, "US", "MX", "2026-04-25", 15, "USD"),
    ("visa", CLOSED, "US", "BR", "2021-04-01", 25, "USD"),
    ("visa", CLOSED, "BR", "BR", "2021-04-01", 10, "USD"),
    ("mastercard", MANY, "FR", "AU", "2022-09-30", 0, None),
    ("mastercard", MANY, "FR", "AU", "2022-10-01", 10, "USD"),
    ("mastercard", MANY, "FR", "AU", "2023-11-01", 15, "USD"),
    ("mastercard", MANY, "FR", "AU", "2024-01-01", 30, "USD"),
    ("mastercard", MANY, "FR", "AU", "2025-01-01", 50, "USD"),
    ("maestro", MANY, "FR", "AU", "2025-01-01", 50, "USD"),
    ("mastercard", MANY, "US", "US", "2019-10-14", 10, "USD"),
    ("mastercard", MANY, "US", "US", "2023-11-01", 15, "USD"),
    ("mastercard", MANY, "US", "US", "2024-01-01", 30, "USD"),
    ("mastercard", MANY, "US", "US", "2024-12-31", 30, "USD"),
    ("mastercard", MANY, "US", "US", "2025-01-01", 50, "USD"),
    ("mastercard", MANY, "CA", "CA", "2024-03-31", 30, "USD"),
    ("mastercard", MANY, "CA", "CA", "2024-04-01", 50, "USD"),
    ("mastercard", MANY, "FR", "FR", "2024-07-31", 30, "USD"),
    ("mastercard", MANY, "FR", "FR", "2024-08-01", 55, "EUR"),
    ("mastercard", MANY, "BR", "BR", "2023-02-01", 200, "BRL"),
    ("mastercard", DO_NOT, "FR", "AU", "2022-09-30", 0, None),
    ("mastercard", DO_NOT, "FR", "AU", "2022-10-01", 10, "USD"),
    ("mastercard", STOP_RECURRING, "FR", "AU", "2023-11-01", 15, "USD"),
    ("mastercard", DO_NOT, "FR", "AU", "2024-01-01", 30, "USD"),
    ("maestro", STOP_RECURRING, "FR", "AU", "2025-01-01", 50, "USD"),
    ("mastercard", DO_NOT, "CA", "CA", "2024-04-01", 50, "USD"),
    ("mastercard", DO_NOT, "FR", "FR", "2024-08-01", 55, "EUR"),
    ("mastercard", CLOSED, "FR", "FR", "2026-01-01", 0, None),
    ("mastercard", {"previous_advice_code": "24"}, "US", "US", "2026-01-01", 0, None),
    ("amex", MANY, "US", "US", "2026-01-01", 0, None),
    ("visa", {"previous_response_code": "51"}, "US", "US", "2026-01-01", 0, None),
    ("visa", DO_NOT, "US", "US", "2026-01-01", 0, None),
]

# (merchant's country, day): what advice with the answer costs.
ADVICE_COSTS: list[tuple[str, str, float, str | None]] = [
    ("US", "2023-09-30", 0, None),
    ("US", "2023-10-01", 2, "USD"),
    ("FR", "2023-12-31", 0, None),
    ("FR", "2024-01-01", 0.4, "EUR"),
    ("GB", "2024-01-01", 0.4, "EUR"),
    ("ZA", "2024-01-01", 1, "EUR"),
]


def costs(rules: Rules) -> list[tuple[float, str | None]]:
    """What COSTS says, by the rules."""
    found = []
    for network, before, issuer, merchant, day, *_ in COSTS:
        batch = decision(
            network=network, issuer_country=issuer, merchant_country=merchant, **before
        )
        batch = replace(batch, decided_at=np.array([day], "M8[us]"))
        fees = attempt_fees(batch, rules)
        found.append((fees.minor[0], fees.currency.values()[0]))
    return found


def answered(country: str, day: str, code: str | None = "27", **context: object) -> LoggedBatch:
    """One attempt that came back with an advice code."""
    one = decision(network="mastercard", merchant_country=country, **context)
    batch = one.keep_actions(np.array([True, False, False]))
    return LoggedBatch(
        decision_id=batch.decision_id,
        payment_id=batch.payment_id,
        attempt=batch.attempt,
        decided_at=np.array([day], "M8[us]"),
        context=batch.context,
        routes=batch.routes,
        action_route=batch.action_route,
        action_delay_s=batch.action_delay_s,
        offsets=batch.offsets,
        chosen=np.zeros(1, np.int64),
        propensity=np.ones(1),
        reward=np.zeros(1),
        outcome={"advice_code": Categorical.from_values([code])},
    )


def advice_costs(rules: Rules) -> list[tuple[float, str | None]]:
    found = []
    for country, day, *_ in ADVICE_COSTS:
        fees = advice_fees(answered(country, day, initiator="mit"), rules)
        found.append((fees.minor[0], fees.currency.values()[0]))
    return found


def as_written(rules: Rules) -> bool:
    return costs(rules) == [tuple(row[-2:]) for row in COSTS] and advice_costs(rules) == [
        row[-2:] for row in ADVICE_COSTS
    ]


def test_every_breach_costs_what_is_written_out_by_hand() -> None:
    assert costs(DEFAULT_RULES) == [row[-2:] for row in COSTS]


def test_advice_costs_what_is_written_out_by_hand() -> None:
    assert advice_costs(DEFAULT_RULES) == [row[-2:] for row in ADVICE_COSTS]


def test_no_line_of_the_fees_can_go_missing_unseen(tmp_path: Path) -> None:
    assert not not_missed(FEES, tmp_path, lambda path: as_written(load_rules(fees=path)))


def test_a_breach_is_charged_for_each_action_that_makes_it_and_says_why() -> None:
    batch = decision(
        network="visa", issuer_country="US", merchant_country="US", previous_response_code="41"
    )
    fees = attempt_fees(batch, DEFAULT_RULES)
    assert fees.minor.tolist() == [10.0, 10.0, 0.0]
    assert fees.currency.values() == ["USD", "USD", None]
    assert fees.texts[fees.why[0]].startswith("visa system integrity fee")
    assert fees.why[2] == -1


def test_the_attempts_of_the_payment_itself_count_towards_the_limit() -> None:
    there = {"network": "mastercard", "merchant_country": "US", "issuer_country": "US"}
    actions = [("adyen", 0), ("adyen", DAY)]
    within = decision(attempt=11, seconds_since_first_attempt=10.0, actions=actions, **there)
    assert attempt_fees(within, DEFAULT_RULES).minor.tolist() == [50.0, 0.0]
    assert not attempt_fees(decision(attempt=10, **there), DEFAULT_RULES).minor.any()


def test_an_attempt_that_breaks_several_rules_is_charged_once() -> None:
    batch = decision(network="mastercard", merchant_country="US", **DO_NOT, **MANY)
    assert attempt_fees(batch, DEFAULT_RULES).minor.tolist() == [50.0, 50.0, 0.0]


def test_a_country_that_is_not_known_is_far_away() -> None:
    batch = decision(network="visa", merchant_country="FR", **CLOSED)
    assert attempt_fees(batch, DEFAULT_RULES).minor[0] == 15.0  # decided before April 2026
    later = replace(batch, decided_at=np.array(["2026-05-01"], "M8[us]"))
    assert attempt_fees(later, DEFAULT_RULES).minor[0] == 25.0
    missing = decision(network="visa", issuer_country=None, merchant_country="FR", **CLOSED)
    assert attempt_fees(missing, DEFAULT_RULES).minor[0] == 15.0


def test_an_action_that_waits_into_a_new_fee_pays_the_new_one() -> None:
    batch = decision(network="visa", issuer_country="US", merchant_country="FR", **CLOSED)
    batch = replace(batch, decided_at=np.array(["2026-04-24T12:00:00"], "M8[us]"))
    assert attempt_fees(batch, DEFAULT_RULES).minor.tolist() == [15.0, 25.0, 0.0]
    pinned = load_rules(on=date(2026, 4, 24))
    assert attempt_fees(batch, pinned).minor.tolist() == [15.0, 15.0, 0.0]


def test_a_first_attempt_costs_nothing_but_for_the_cards_own_count() -> None:
    free = decision(attempt=1, network="visa", **CLOSED)
    assert not attempt_fees(free, DEFAULT_RULES).minor.any()
    counted = decision(attempt=1, network="mastercard", merchant_country="US", **MANY)
    assert attempt_fees(counted, DEFAULT_RULES).minor.tolist() == [50.0, 50.0, 0.0]


def test_what_was_logged_costs_as_much_as_the_action_taken() -> None:
    batch = answered("US", "2026-01-01", code=None, **DO_NOT)
    fees = logged_fees(batch, DEFAULT_RULES)
    assert (fees.minor.tolist(), fees.currency.values()) == ([50.0], ["USD"])


@pytest.mark.parametrize(
    ("code", "context", "minor"),
    [
        ("24", {"initiator": "mit"}, 2.0),
        ("30", {}, 2.0),
        ("24", {"initiator": "cit"}, 0.0),
        ("02", {"initiator": "mit"}, 0.0),
        (None, {"initiator": "mit"}, 0.0),
    ],
)
def test_only_advice_when_to_try_again_costs_and_only_recurring_payments(
    code: str | None, context: dict[str, object], minor: float
) -> None:
    fees = advice_fees(answered("US", "2026-01-01", code, **context), DEFAULT_RULES)
    assert fees.minor.tolist() == [minor]


def test_a_log_without_advice_codes_paid_for_none() -> None:
    batch = replace(answered("US", "2026-01-01"), outcome={})
    assert advice_fees(batch, DEFAULT_RULES).why.tolist() == [-1]


CONTEXTS = st.fixed_dictionaries(
    {
        "network": st.sampled_from(["visa", "mastercard", "amex", None]),
        "issuer_country": st.sampled_from(["US", "FR", "BR", None]),
        "merchant_country": st.sampled_from(["US", "FR", "BR", "JP", None]),
        "previous_response_code": st.sampled_from(["41", "51", "odd", None]),
        "previous_advice_code": st.sampled_from(["03", "21", "24", None]),
        "seconds_since_first_attempt": st.sampled_from([0.0, 100.0, 1e7]),
    }
)


@given(st.lists(st.tuples(CONTEXTS, st.sampled_from([1, 2, 12, 22, 40])), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_no_fee_is_charged_for_what_the_rules_allow(
    rows: list[tuple[dict[str, object], int]],
) -> None:
    actions = [("adyen", 0), ("zoop", 40 * DAY), ("stop", 0)]
    batch = decisions([row[0] for row in rows], [row[1] for row in rows], [actions] * len(rows))
    fees, allowed = attempt_fees(batch, DEFAULT_RULES), apply_rules(batch)
    assert not fees.minor[allowed.keep].any()
    assert np.array_equal(fees.minor > 0, fees.why >= 0)
    assert np.array_equal(fees.minor > 0, fees.currency.codes >= 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("visa,late,,,any,1,USD,x,us,\n", "column event: 'late'; expected some of: after_never"),
        ("visa,,,,any,1,USD,x,us,\n", "column event: ''; expected a value"),
        ("visa,above_limit,,,far,1,USD,x,us,\n", "column scope: 'far'; expected one of: any"),
        ("visa,above_limit,,,any,-1,USD,x,us,\n", "column fee_minor: '-1'; expected a number"),
        ("visa,above_limit,,,any,nan,USD,x,us,\n", "column fee_minor: 'nan'"),
        ("visa,above_limit,,,any,1,dollar,x,us,\n", "column currency: 'dollar'; expected an ISO"),
        (
            "visa,above_limit,03,,any,1,USD,x,us,\n",
            "column advice_codes: '03'; expected codes",
        ),
        ("visa,after_advice,,,any,1,USD,x,us,\n", "column advice_codes: ''; expected codes with"),
        ("visa,above_limit,,nowhere,any,1,USD,x,us,\n", "column merchant_in: 'nowhere'"),
        ("*,above_limit,,,any,1,USD,x,us,\n", "column network: '.'; expected some of"),
    ],
)
def test_a_bad_fee_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "fees.csv"
    path.write_text(HEADER + line, encoding="utf-8")
    with pytest.raises(UserError, match=f"fees.csv, line 2, {message}"):
        load_rules(fees=path)


def test_a_merchants_own_fees_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "fees.csv"
    path.write_text(HEADER + "visa,after_never,,,any,7.5,EUR,ours,us,\n", encoding="utf-8")
    fees: Fees = attempt_fees(decision(network="visa", **CLOSED), load_rules(fees=path))
    assert (fees.minor[0], fees.currency.values()[0]) == (7.5, "EUR")
