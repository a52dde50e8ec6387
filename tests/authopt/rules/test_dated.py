"""Each attempt is judged by the rules of its own day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch
from authopt.rules import MerchantRules, Rules, apply_rules, load_rules
from authopt.rules.dated import dated
from tests.authopt.rules.one_decision import decision, decisions

DAY = 86_400
PATIENT = MerchantRules(max_attempts=100)
RULES = load_rules(merchant=PATIENT)
# Days just before and on which a rule of Visa or Mastercard changes.
MOMENTS = [
    np.datetime64(text, "us")
    for text in (
        "2018-01-01T00:00:00",
        "2021-04-16T23:59:59",
        "2021-04-17T00:00:00",
        "2022-10-01T00:00:00",
        "2025-05-18T12:00:00",
        "2025-05-18T23:59:59.999999",
        "2025-05-19T00:00:00",
        "2026-05-01T00:00:00",
    )
]


def at(moments: list[np.datetime64], **context: object) -> DecisionBatch:
    actions = [[("adyen", 0), ("adyen", 1), ("zoop", DAY), ("stop", 0)]] * len(moments)
    batch = decisions([context] * len(moments), [18] * len(moments), actions)
    return replace(batch, decided_at=np.array(moments, "M8[us]"))


def test_an_attempt_that_waits_into_a_new_rule_is_judged_by_it() -> None:
    batch = at([np.datetime64("2025-05-18T23:59:59", "us")], network="visa")
    assert apply_rules(batch, RULES).keep.tolist() == [False, True, True, True]


def test_rules_of_one_day_hold_for_every_attempt_where_a_day_is_given() -> None:
    batch = at([MOMENTS[0], MOMENTS[-1]], network="visa")
    before = load_rules(merchant=PATIENT, on=date(2025, 5, 18))
    since = load_rules(merchant=PATIENT, on=date(2025, 5, 19))
    assert apply_rules(batch, before).keep.tolist() == [False, False, False, True] * 2
    assert apply_rules(batch, since).keep.all()


def test_a_code_that_moved_to_another_category_forbids_only_before() -> None:
    moments = [np.datetime64("2021-04-16T00:00:00", "us"), np.datetime64("2021-04-17", "us")]
    batch = decisions(
        [{"network": "visa", "previous_response_code": "62"}] * 2,
        [2, 2],
        [[("adyen", 0), ("zoop", DAY)]] * 2,
    )
    batch = replace(batch, decided_at=np.array(moments, "M8[us]"))
    assert apply_rules(batch, RULES).keep.tolist() == [False, True, True, True]


def test_a_code_is_known_by_the_newest_tables() -> None:
    batch = replace(
        decision(network="visa", previous_response_code="9G"),
        decided_at=np.array(["2020-01-01"], "M8[us]"),
    )
    assert not apply_rules(batch, RULES).unknown_code.any()


def test_a_rule_of_the_future_waits_for_its_day(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(
        "network,response_code,meaning,category,source,effective_from\n"
        "visa,05,x,generic,us,\nvisa,05,x,never,us,2100-01-01\n",
        encoding="utf-8",
    )
    rules = load_rules(response_codes=path)
    batch = decision(network="visa", previous_response_code="05")
    assert apply_rules(batch, rules).keep.all()
    later = replace(batch, decided_at=np.array(["2100-01-01"], "M8[us]"))
    assert apply_rules(later, rules).keep.tolist() == [False, False, True]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(MOMENTS),
            st.sampled_from(["visa", "mastercard", "amex", None]),
            st.sampled_from(["51", "14", "62", "9G", None]),
            st.sampled_from([1, 2, 12, 17, 21]),
            st.lists(st.sampled_from([0, 1, DAY, 40 * DAY]), min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=100, deadline=None)
def test_a_mixed_batch_is_judged_as_each_of_its_actions_alone(
    rows: list[tuple[np.datetime64, str | None, str | None, int, list[int]]],
) -> None:
    contexts = [
        {
            "network": network,
            "previous_response_code": code,
            "seconds_since_first_attempt": 3_600.0,
        }
        for _, network, code, _, _ in rows
    ]
    batch = decisions(
        contexts,
        [attempt for _, _, _, attempt, _ in rows],
        [[("adyen", delay) for delay in delays] for *_, delays in rows],
    )
    batch = replace(batch, decided_at=np.array([row[0] for row in rows], "M8[us]"))
    together = apply_rules(batch, RULES)
    alone = []
    for context, (moment, _, _, attempt, delays) in zip(contexts, rows, strict=True):
        for delay in delays:
            one = decision(attempt=attempt, actions=[("adyen", delay)], **context)
            day = (moment + np.timedelta64(delay, "s")).astype("M8[D]").item()
            pinned = load_rules_on(day)
            alone.append(int(apply_rules(one, pinned).reason[0]))
    assert together.reason.tolist() == alone


@cache
def load_rules_on(day: date) -> Rules:
    return load_rules(merchant=PATIENT, on=day)


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(1999, 1, 1), "0001-01-01"),
        (date(2020, 1, 1), "2020-01-01"),
        (date(2020, 12, 31), "2020-01-01"),
        (date(2031, 1, 1), "2021-06-01"),
    ],
)
def test_a_period_lasts_until_the_next_one_begins(day: date, value: str) -> None:
    periods = dated([date(2021, 6, 1), date(2020, 1, 1), date(2020, 1, 1)], str)
    assert periods.on(day) == value
    assert periods.newest == "2021-06-01"
    assert periods.pinned(day).values == (value,)


def test_nothing_is_judged_where_there_is_nothing() -> None:
    empty = decision().take(slice(0, 0))
    assert apply_rules(empty, RULES).keep.tolist() == []
