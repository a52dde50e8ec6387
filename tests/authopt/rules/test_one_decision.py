"""The rules for one decision say what they say for a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.rules import DEFAULT_RULES, MerchantRules, Rules, apply_rules, load_rules
from authopt.rules import one_decision as module
from authopt.rules.merchant_limits import AttemptsInWindow
from authopt.rules.one_decision import reasons_of_one
from tests.authopt.rules.one_decision import decision, decisions
from tests.authopt.rules.test_apply import ACTION_LISTS, ATTEMPTS, CONTEXTS

OWN_RULES = load_rules(merchant=MerchantRules(max_attempts=3, rules=(AttemptsInWindow(1, 3_600),)))
DAYS = ("2018-05-01", "2022-09-30T12", "2025-05-18T23:59:59", "2026-01-01")


@given(
    context=CONTEXTS,
    attempt=ATTEMPTS,
    actions=ACTION_LISTS,
    with_stop=st.booleans(),
    deadline_s=st.sampled_from([None, 0.0, 7_200.0]),
    day=st.sampled_from(DAYS),
    rules=st.sampled_from([DEFAULT_RULES, OWN_RULES]),
)
@settings(max_examples=300, deadline=None)
def test_the_reasons_of_one_decision_are_those_of_a_batch(
    context: dict[str, object],
    attempt: int,
    actions: list[tuple[str, int]],
    with_stop: bool,
    deadline_s: float | None,
    day: str,
    rules: Rules,
) -> None:
    known = {name: value for name, value in context.items() if value is not None}
    if deadline_s is not None:
        known["seconds_to_deadline"] = deadline_s
    batch = decisions([known], [attempt], [actions if with_stop else actions[:-1]])
    batch = replace(batch, decided_at=np.array([day], "M8[us]"))
    assert reasons_of_one(batch, rules) == apply_rules(batch, rules).reason.tolist()


def test_what_is_remembered_of_codes_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)
    rules = load_rules()
    for code in ("05", "14", "41", "43", "51", "54", "odd"):
        batch = decision(network="visa", previous_response_code=code)
        assert reasons_of_one(batch, rules) == apply_rules(batch, rules).reason.tolist()
        assert len(module._networks(rules).by_codes) <= 3
