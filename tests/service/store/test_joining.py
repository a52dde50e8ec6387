"""How several outcomes of a decision become one, and what none means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.errors import UserError
from service.api.forms import OutcomeRequest
from service.store.joining import Join, Joined, JoinRules, Missing, Told, joined

HOUR_US = 3_600_000_000


def told(at_h: float, **fields: Any) -> Told:
    return Told(round(at_h * HOUR_US), OutcomeRequest("d1", **fields))


def of(*all_told: Told, now_h: float = 1_000.0, **rules: Any) -> Joined:
    return joined("d1", 0, all_told, JoinRules(**rules), round(now_h * HOUR_US))


APPROVED = told(0.1, approved=True, fee_minor=12)
REFUND = told(48.0, refunded_minor=300)
SECOND_REFUND = told(50.0, refunded_minor=200, fee_minor=5)
HISTORY = (APPROVED, REFUND, SECOND_REFUND)


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        (Join.MERGED, OutcomeRequest("d1", approved=True, fee_minor=5, refunded_minor=200)),
        (Join.SUM, OutcomeRequest("d1", approved=True, fee_minor=17, refunded_minor=500)),
        (Join.EARLIEST, APPROVED.outcome),
        (Join.LAST, SECOND_REFUND.outcome),
    ],
)
def test_several_outcomes_become_one_by_the_rule(join: Join, expected: OutcomeRequest) -> None:
    assert of(*HISTORY, join=join) == Joined(expected)


def test_rewards_of_the_callers_own_add_up() -> None:
    found = of(told(0, reward=0.5), told(1, reward=-0.2), told(2, approved=True), join=Join.SUM)
    assert found.outcome is not None
    assert found.outcome.reward == pytest.approx(0.3)


def test_what_comes_after_the_wait_does_not_count_and_is_counted() -> None:
    assert of(*HISTORY, wait_s=24 * 3600) == Joined(APPROVED.outcome, late=2)
    assert of(REFUND, wait_s=24 * 3600) == Joined(None, late=1)


def test_an_outcome_from_before_its_decision_counts() -> None:
    early = told(-0.5, approved=True)
    assert of(early, wait_s=3600) == Joined(early.outcome)


def test_nothing_means_declined_only_once_the_wait_is_over() -> None:
    rules = {"wait_s": 3600, "missing": Missing.DECLINED}
    assert of(now_h=0.9, **rules) == Joined(None)
    assert of(now_h=1.1, **rules) == Joined(OutcomeRequest("d1", approved=False), assumed=True)
    assert of(now_h=1.1, wait_s=3600) == Joined(None)


def test_declined_by_silence_needs_a_wait() -> None:
    with pytest.raises(UserError, match="--wait 2d"):
        JoinRules(missing=Missing.DECLINED)
    with pytest.raises(UserError, match="expected 0 or more"):
        JoinRules(wait_s=-1)


@given(
    st.lists(
        st.builds(
            told,
            st.floats(-10, 100),
            approved=st.none() | st.booleans(),
            fee_minor=st.none() | st.integers(-50, 50),
        ),
        max_size=6,
    ),
    st.sampled_from([Join.MERGED, Join.EARLIEST, Join.LAST]),
    st.none() | st.integers(0, 400_000),
)
def test_every_value_was_said_and_in_time(
    history: list[Told], join: Join, wait_s: int | None
) -> None:
    found = of(*history, join=join, wait_s=wait_s)
    in_time = [
        each.outcome
        for each in history
        if wait_s is None or each.received_at_us <= wait_s * 1_000_000
    ]
    assert found.late == len(history) - len(in_time)
    assert (found.outcome is None) == (not in_time)
    if found.outcome is not None:
        assert found.outcome.fee_minor in [each.fee_minor for each in in_time]
        assert found.outcome.approved in [each.approved for each in in_time]
