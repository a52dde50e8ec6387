from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch
from authopt.errors import UserError
from authopt.policies.family import Options, SpecError
from authopt.policies.timetable import DAILY, SAME_HOUR, Timetable, on_time, timetable_of
from tests.authopt.policies.batches import Decision, batch_of, decisions

HOUR, DAY = 3_600, 86_400
OFFERED = (0, HOUR, 6 * HOUR, DAY, 3 * DAY, 5 * DAY, 7 * DAY)


def retry(
    attempt: int, delays: tuple[int, ...] = OFFERED, since_first: float = 0.0
) -> DecisionBatch:
    actions = (*(("adyen", delay) for delay in delays), ("stop", 0))
    batch = batch_of([Decision(attempt, actions, "visa", 1.0, "adyen", (0.0,) * len(actions))])
    context = {**batch.context, "seconds_since_first_attempt": np.array([since_first])}
    return replace(batch, context=context)


def left(batch: DecisionBatch, timetable: Timetable) -> list[str]:
    keep = on_time(batch, timetable)
    return [str(action) for action, kept in zip(batch.actions(0), keep, strict=True) if kept]


@pytest.mark.parametrize(("attempt", "days"), [(2, 1), (3, 3), (4, 5), (5, 7)])
def test_each_retry_waits_for_its_own_number_of_days(attempt: int, days: int) -> None:
    assert left(retry(attempt), Timetable()) == [f"adyen+{days * DAY}s"]


def test_after_the_last_retry_the_payment_is_given_up() -> None:
    assert left(retry(6), Timetable()) == ["stop"]


def test_a_schedule_that_repeats_goes_on_with_its_last_wait() -> None:
    assert left(retry(9), Timetable(then="repeat")) == [f"adyen+{7 * DAY}s"]
    assert left(retry(9), DAILY) == [f"adyen+{DAY}s"]


def test_where_the_wanted_delay_is_not_offered_the_nearest_is_taken() -> None:
    assert left(retry(2, (0, 120)), Timetable()) == ["adyen+120s"]
    assert left(retry(2, (HOUR, 20 * HOUR, 30 * HOUR)), Timetable()) == [f"adyen+{20 * HOUR}s"]


def test_of_two_equally_near_the_shorter_is_taken() -> None:
    assert left(retry(2, (36 * HOUR, 12 * HOUR)), Timetable()) == [f"adyen+{12 * HOUR}s"]


def test_first_attempts_are_left_as_they_are() -> None:
    assert on_time(retry(1), Timetable()).all()


def test_a_schedule_that_is_over_tries_again_where_it_may_not_stop() -> None:
    batch = retry(9).keep_actions(np.arange(8) < 7)
    assert left(batch, Timetable()) == [f"adyen+{7 * DAY}s"]


def test_waits_may_count_from_the_first_attempt() -> None:
    table = Timetable((1.0, 3.0), since="first")
    assert left(retry(3, (0, DAY, 2 * DAY), since_first=DAY), table) == [f"adyen+{2 * DAY}s"]


def test_the_same_hour_is_a_whole_number_of_days_after_the_first_attempt() -> None:
    hourly = tuple(range(0, 2 * DAY, HOUR))
    # The retry was made 4 hours late, 28 hours after the first attempt: 20 more make two days.
    assert left(retry(3, hourly, 28 * HOUR), SAME_HOUR) == [f"adyen+{20 * HOUR}s"]
    assert left(retry(3, hourly, 28 * HOUR), DAILY) == [f"adyen+{DAY}s"]


@given(
    rows=decisions(),
    days=st.lists(st.floats(0, 30), min_size=1, max_size=4),
    then=st.sampled_from(["stop", "repeat"]),
)
@settings(max_examples=20, deadline=None)
def test_every_decision_keeps_actions_of_one_delay(
    rows: list[Decision], days: list[float], then: str
) -> None:
    batch = batch_of(rows)
    keep = on_time(batch, Timetable(tuple(days), then))  # type: ignore[arg-type]
    kept = batch.keep_actions(keep)
    for row in np.flatnonzero(batch.attempt > 1).tolist():
        actions = kept.actions(row)
        assert len({action.delay_s for action in actions}) == 1
        assert len({action.route == "stop" for action in actions}) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Timetable()),
        ({"days": "2+4", "then": "repeat"}, Timetable((2.0, 4.0), "repeat")),
        ({"days": "daily"}, DAILY),
        ({"days": "same-hour"}, SAME_HOUR),
        ({"days": "30m+36h", "since": "first"}, Timetable((1 / 48, 1.5), since="first")),
    ],
)
def test_a_timetable_can_be_written_in_a_spec(values: dict[str, str], expected: Timetable) -> None:
    assert timetable_of(Options("schedule:...", values)) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"days": "1+x"}, "days is '1\\+x'"),
        ({"days": "1+3x"}, "days is '1\\+3x'"),
        ({"days": "-1"}, "expected numbers from 0 up"),
        ({"days": "nan"}, "expected numbers from 0 up"),
        ({"then": "go"}, "'then' of a schedule is 'go'; expected stop or repeat"),
        ({"since": "now"}, "expected decline or first"),
        ({"since": "first", "then": "repeat"}, "cannot repeat"),
        ({"days": "same-hour", "since": "first"}, "counts days from each decline"),
    ],
)
def test_a_bad_timetable_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        timetable_of(Options("schedule:...", values))


@pytest.mark.parametrize(
    ("timetable", "said"),
    [
        (Timetable(), "1d+3d+5d+7d"),
        (DAILY, "1d+..."),
        (SAME_HOUR, "1d+... at the same hour"),
        (Timetable((1 / 288, 1.5), since="first"), "5m+1d 12h after the first attempt"),
    ],
)
def test_a_timetable_says_when_retries_are_made(timetable: Timetable, said: str) -> None:
    assert str(timetable) == said


def test_a_timetable_without_days_is_refused() -> None:
    with pytest.raises(UserError, match="are nothing"):
        Timetable(())
