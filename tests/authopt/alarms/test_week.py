"""What is usual by hour of the day, and by hour of the week once that has shown itself."""

import msgspec
import numpy as np
import pytest

from authopt.alarms.board import Board
from authopt.alarms.counts import ALL, Counts, Minute
from authopt.alarms.kinds import KINDS, AlarmSettings
from authopt.alarms.usual import DAY_US, Usual
from authopt.alarms.week import HOUR_US, HOURS, hour_of_week

MONDAY_US = 4 * DAY_US
SATURDAY_NOON = 5 * 24 + 12


def learnt(share_of, weeks, n=200, seed=1):
    """By the hour, from a Monday on; ``share_of`` takes hours since then."""
    rng, usual = np.random.default_rng(seed), Usual()
    for hour in range(HOURS * weeks):
        bad = float(rng.binomial(n, share_of(hour)))
        usual.see(MONDAY_US + hour * HOUR_US, n, bad)
        usual.learn(MONDAY_US + hour * HOUR_US, n, bad, by_hour=True, half_life_days=7.0)
    return usual


def weekends(hour):
    return 0.2 if hour % HOURS >= 120 else 0.1


def shares(usual, weeks, at=(SATURDAY_NOON, 36)):
    return [usual.share(MONDAY_US + (HOURS * weeks + hour) * HOUR_US) for hour in at]


def test_the_first_hour_of_a_week_is_that_of_a_monday():
    assert hour_of_week(MONDAY_US) == 0
    assert hour_of_week(MONDAY_US - 1) == HOURS - 1


def test_before_a_second_week_the_hour_of_the_day_is_all_there_is():
    usual = learnt(weekends, 1)

    saturday, tuesday = shares(usual, 1)

    assert usual.week.shift == []
    assert saturday == tuesday


def test_weekends_that_differ_have_a_usual_share_of_their_own_after_some_weeks():
    saturday, tuesday = shares(learnt(weekends, 5), 5)

    assert saturday == pytest.approx(0.2, abs=0.03)
    assert tuesday == pytest.approx(0.1, abs=0.02)


def test_weeks_without_a_pattern_leave_the_hour_of_the_day_alone():
    usual = learnt(lambda hour: 0.1 + 0.03 * np.sin(hour * 2.0 * np.pi / 24.0), 5)

    assert max(map(abs, usual.week.shift), default=0.0) < 0.01
    assert shares(usual, 5, at=[30, 42]) == pytest.approx([0.13, 0.07], abs=0.02)


def test_one_odd_weekend_counts_for_little():
    odd = learnt(lambda hour: 0.2 if 456 <= hour < 504 else 0.1, 3)
    again = learnt(weekends, 3)

    assert odd.week.shift[SATURDAY_NOON] < 0.4 * again.week.shift[SATURDAY_NOON]


def test_json_keeps_a_week_exactly_and_short():
    usual = learnt(weekends, 3)
    encoded = msgspec.json.encode(usual)

    assert msgspec.json.decode(encoded, type=Usual) == usual
    assert len(encoded) < 10_000


def test_an_outage_of_hours_does_not_hide_what_comes_back_every_week():
    usual = learnt(lambda hour: 0.9 if 200 <= hour < 203 else weekends(hour), 4)

    saturday, tuesday = shares(usual, 4)

    assert saturday - tuesday > 0.06


def test_a_weekend_that_raises_an_alarm_each_time_no_longer_does_once_it_is_known():
    board, settings = Board(), AlarmSettings(kinds=(KINDS[1],), mixes=())
    raised = []
    for minute in range(0, HOURS * 60 * 5, 10):
        share = weekends(minute // 60)
        counts = Counts(firsts=60.0, answered=60.0, approved=60.0 * (1.0 - share))
        at_us = MONDAY_US + minute * 60_000_000
        said = board.step(Minute(at_us, {ALL: counts}), settings)
        raised += [minute // 60 // HOURS for alarm in said if alarm.firing]

    assert {0, 1} <= set(raised)
    assert max(raised) <= 2
