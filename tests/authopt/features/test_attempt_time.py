from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch
from authopt.features.attempt_time import (
    ATTEMPT_DATE,
    ATTEMPT_DAY,
    ATTEMPT_HOUR,
    CLOCK,
    SINCE_FIRST,
    SINCE_LAST,
    attempt_times,
    attempt_times_of_one,
)
from tests.authopt.policies.batches import Decision, batch_of

DAY = 86_400
ZONES = ("UTC", "America/Sao_Paulo", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago")


def decision(
    at: datetime, delays: tuple[int, ...], context: dict[str, float], stop: bool = False
) -> DecisionBatch:
    """One decision at an instant, with the local time in its context."""
    actions = tuple(("adyen", delay) for delay in delays) + ((("stop", 0),) if stop else ())
    batch = batch_of([Decision(2, actions, "visa", 1.0, "adyen", (0.0,) * len(actions))])
    columns = {name: np.array([value]) for name, value in context.items()}
    moment = np.array([at.replace(tzinfo=None)], "M8[us]")
    return replace(batch, decided_at=moment, context={**batch.context, **columns})


@given(
    at=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    delays=st.lists(st.integers(0, 60 * DAY), min_size=1, max_size=4, unique=True),
    zone=st.sampled_from(ZONES),
)
@settings(deadline=None)
def test_it_is_what_a_clock_there_shows_when_the_attempt_is_sent(
    at: datetime, delays: list[int], zone: str
) -> None:
    # The shift at the decision holds: what summer time changes until the attempt is not known.
    there = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    context = {"local_hour": float(there.hour), "local_day": float(there.isoweekday())}
    found = attempt_times(decision(at, tuple(delays), context))
    expected = [there.replace(tzinfo=None) + timedelta(seconds=delay) for delay in delays]
    assert found[ATTEMPT_HOUR].tolist() == [each.hour for each in expected]
    assert found[ATTEMPT_DAY].tolist() == [each.isoweekday() for each in expected]
    assert found[ATTEMPT_DATE].tolist() == [each.day for each in expected]


@given(
    at=st.datetimes(datetime(1980, 1, 1), datetime(2030, 1, 1)),
    delays=st.lists(st.integers(0, 60 * DAY), min_size=1, max_size=4, unique=True),
    hour=st.one_of(st.floats(-1, 25), st.sampled_from([np.nan, np.inf, 1e300])),
    day=st.one_of(st.floats(0, 9), st.sampled_from([np.nan, -np.inf])),
    since=st.one_of(st.just(np.nan), st.floats(0, 1e7)),
)
@settings(deadline=None)
def test_one_decision_gets_the_same_without_arrays(
    at: datetime, delays: list[int], hour: float, day: float, since: float
) -> None:
    context = {"local_hour": hour, "local_day": day, "seconds_since_last_attempt": since}
    batch = decision(at, tuple(delays), context)
    one = attempt_times_of_one(batch, delays)
    for name, values in attempt_times(batch).items():
        assert np.array_equal(values, one.get(name, [np.nan] * batch.m), equal_nan=True)


def test_waits_run_from_the_attempts_before_to_this_one() -> None:
    context = {"seconds_since_last_attempt": 60.0, "seconds_since_first_attempt": 7200.0}
    found = attempt_times(decision(datetime(2026, 1, 31, 23), (0, DAY), context))
    assert found[SINCE_LAST].tolist() == [60.0, DAY + 60.0]
    assert found[SINCE_FIRST].tolist() == [7200.0, DAY + 7200.0]


def test_stop_sends_nothing_and_an_unknown_hour_leaves_the_clock_unknown() -> None:
    at = datetime(2026, 1, 31, 23)
    context = {"local_hour": 23.0, "seconds_since_last_attempt": 60.0}
    stopped = attempt_times(decision(at, (0, DAY), context, stop=True))
    assert all(np.isnan(values[-1]) for values in stopped.values())
    assert stopped[ATTEMPT_DATE][:2].tolist() == [31.0, 1.0]
    unknown = attempt_times(decision(at, (0,), {"local_hour": 99.0}))
    assert all(np.isnan(unknown[name]).all() for name in CLOCK)


@pytest.mark.parametrize("hour", [0.0, 23.0])
def test_the_day_is_the_nearest_one_where_the_context_does_not_say(hour: float) -> None:
    found = attempt_times(decision(datetime(2026, 1, 1, 12), (0,), {"local_hour": hour}))
    assert found[ATTEMPT_DATE].tolist() == [1.0]
