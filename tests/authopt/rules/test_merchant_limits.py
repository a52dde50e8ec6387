"""How often a payment is tried, and until when."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authopt.rules.merchant import MerchantRules
from authopt.rules.merchant_limits import AttemptsInWindow, Deadline, MaxAttempts
from tests.authopt.rules.merchant_reasons_of import kept, reasons_of
from tests.authopt.rules.one_decision import decision

DAY = 86_400
NOW_OR_TOMORROW = (("adyen", 0), ("adyen", DAY), ("stop", 0))


def test_a_payment_is_not_tried_more_often_than_the_merchant_wants() -> None:
    assert kept(decision(attempt=3), MaxAttempts(3)) == [True, True, True]
    assert kept(decision(attempt=4), MaxAttempts(3)) == [False, False, True]


def test_by_default_there_are_fifteen_attempts_and_the_reason_says_so() -> None:
    assert reasons_of(decision(attempt=15), MerchantRules()) == [None, None, None]
    text = "merchant's limit: 15 attempts of one payment"
    assert reasons_of(decision(attempt=16), MerchantRules()) == [text, text, None]


def test_a_window_that_is_full_forbids_until_its_first_attempt_is_out_of_it() -> None:
    rule = AttemptsInWindow(2, 7 * DAY)
    third = decision(
        3,
        NOW_OR_TOMORROW,
        seconds_since_first_attempt=6 * DAY,
        seconds_since_last_attempt=DAY,
    )
    assert kept(third, rule) == [False, True, True]


def test_the_reason_of_a_full_window_names_the_limit() -> None:
    rules = MerchantRules(rules=(AttemptsInWindow(1, DAY),))
    text = "merchant's limit: 1 attempt of one payment in 1d"
    assert reasons_of(decision(2, NOW_OR_TOMORROW), rules) == [text, None, None]


def test_a_window_counts_a_time_that_is_not_known_as_now() -> None:
    assert kept(decision(3, NOW_OR_TOMORROW), AttemptsInWindow(2, 2 * DAY)) == [False, False, True]
    assert kept(decision(3, NOW_OR_TOMORROW), AttemptsInWindow(2, DAY)) == [False, True, True]


def test_a_first_attempt_is_never_too_many_for_a_window() -> None:
    assert kept(decision(1, NOW_OR_TOMORROW), AttemptsInWindow(1, DAY)) == [True, True, True]


def within(times: Sequence[int], at: int, window: int) -> int:
    """Attempts in the window that ends with the one at ``at``, which is among them."""
    return sum(at - window < time <= at for time in times) + 1


@given(
    gaps=st.lists(st.integers(1, 10 * DAY), min_size=0, max_size=6),
    since_last=st.integers(0, 10 * DAY),
    delay=st.integers(0, 10 * DAY),
    most=st.integers(1, 5),
    window=st.integers(1, 12 * DAY),
)
@example(gaps=[6 * DAY, DAY], since_last=0, delay=DAY, most=2, window=7 * DAY)
def test_no_window_ever_holds_more_attempts_than_the_limit(
    gaps: list[int], since_last: int, delay: int, most: int, window: int
) -> None:
    times = [sum(gaps[:number]) for number in range(len(gaps) + 1)]
    now = times[-1] + since_last
    batch = decision(
        len(times) + 1,
        [("adyen", delay), ("stop", 0)],
        seconds_since_first_attempt=now,
        seconds_since_last_attempt=since_last,
    )
    allowed = kept(batch, AttemptsInWindow(most, window))[0]
    true_count = within(times, now + delay, window)
    if allowed:
        assert true_count <= most
    if len(times) <= 2:
        # With no more than a first and a last attempt, the context tells everything.
        assert allowed == (true_count <= most)


def test_no_attempt_is_sent_after_the_deadline() -> None:
    assert kept(decision(1, NOW_OR_TOMORROW, seconds_to_deadline=DAY), Deadline()) == [True] * 3
    assert kept(decision(1, NOW_OR_TOMORROW, seconds_to_deadline=DAY - 1), Deadline()) == [
        True,
        False,
        True,
    ]
    assert kept(decision(1, NOW_OR_TOMORROW, seconds_to_deadline=-1), Deadline()) == [
        False,
        False,
        True,
    ]


def test_a_payment_without_a_deadline_may_wait() -> None:
    assert kept(decision(1, NOW_OR_TOMORROW, seconds_to_deadline=None), Deadline()) == [True] * 3
    assert kept(decision(1, NOW_OR_TOMORROW), Deadline()) == [True] * 3


@pytest.mark.parametrize("deadline", [True, False])
def test_the_deadline_holds_by_default_and_can_be_switched_off(deadline: bool) -> None:
    batch = decision(1, NOW_OR_TOMORROW, seconds_to_deadline=60)
    text = "merchant's deadline: the attempt would come after it" if deadline else None
    rules = MerchantRules() if deadline else MerchantRules(deadline=False)
    assert reasons_of(batch, rules) == [None, text, None]
