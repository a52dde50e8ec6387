"""Firing and clear: no alarm flaps."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.alarms.standing import SECOND_US, Holding, Standing
from authopt.errors import UserError

MINUTE_US = 60 * SECOND_US
HOLDINGS = st.builds(
    Holding,
    least_firing_s=st.integers(0, 900),
    least_clear_s=st.integers(0, 900),
    again_within_s=st.integers(0, 5_000),
    most_firing_s=st.integers(900, 10_000),
)


def _turns(wishes, holding):
    standing, turns = Standing(), []
    for minute, bad in enumerate(wishes):
        now_us = minute * MINUTE_US
        if standing.fire(now_us, holding) if bad else standing.ease(now_us):
            turns.append((now_us // SECOND_US, standing.firing))
    return turns


@settings(max_examples=60)
@given(st.lists(st.booleans(), max_size=300), HOLDINGS)
def test_no_alarm_turns_sooner_than_it_may_whatever_happens(wishes, holding):
    turns = _turns(wishes, holding)

    for (earlier, was_firing), (later, is_firing) in pairwise(turns):
        assert was_firing != is_firing
        least = holding.least_firing_s if was_firing else holding.least_clear_s
        assert later - earlier >= least


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_a_day_of_whatever_pattern_has_few_alarms(pattern):
    day = (pattern * 1_440)[:1_440]

    raised = sum(firing for _, firing in _turns(day, Holding()))

    # 10, 20, 40, 80, 160 minutes and then 240 each, as long as each comes soon after the last.
    assert raised <= 13


def test_an_alarm_that_comes_back_soon_is_held_twice_as_long():
    turns = _turns([minute % 2 == 0 for minute in range(120)], Holding(600, 0))

    ends = [(at - before) // 60 for (before, was), (at, _) in pairwise(turns) if was]
    assert ends == sorted(ends)
    assert ends[1] >= 2 * 10


def test_an_alarm_that_comes_back_late_is_held_as_long_as_the_first():
    standing, holding = Standing(), Holding(600, 300, 7_200)
    standing.fire(0, holding)
    standing.ease(600 * SECOND_US)

    standing.fire(9_000 * SECOND_US, holding)

    assert standing.hold_s == 600


def test_times_that_contradict_each_other_are_refused():
    with pytest.raises(UserError, match="most_firing_s"):
        Holding(least_firing_s=100, most_firing_s=50)
