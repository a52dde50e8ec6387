"""Quiet hours: by the cardholder's clock, at the time of the attempt."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.rules.merchant import MerchantRules
from authopt.rules.merchant_hours import QuietHours
from tests.authopt.rules.merchant_reasons_of import at, kept, reasons_of
from tests.authopt.rules.one_decision import decision

HOUR = 3_600
NIGHT = QuietHours(22, 7)
NOW = (("adyen", 0), ("stop", 0))


def at_hour(hour: int | None, *, delay: int = 0, **context: object) -> object:
    known = {"initiator": "mit", "local_hour": hour} | context
    return decision(2, (("adyen", delay), ("stop", 0)), **known)


@pytest.mark.parametrize(
    ("hour", "allowed"), [(21, True), (22, False), (0, False), (6, False), (7, True), (12, True)]
)
def test_the_night_spans_midnight(hour: int, allowed: bool) -> None:
    assert kept(at_hour(hour), NIGHT) == [allowed, True]


@pytest.mark.parametrize(("hour", "allowed"), [(11, True), (12, False), (13, False), (14, True)])
def test_hours_of_the_day_begin_with_the_first_and_end_before_the_last(
    hour: int, allowed: bool
) -> None:
    assert kept(at_hour(hour), QuietHours(12, 14)) == [allowed, True]


def test_from_0_until_24_is_the_whole_day() -> None:
    assert not any(kept(at_hour(hour), QuietHours(0, 24))[0] for hour in range(24))


def test_an_attempt_may_wait_until_the_morning() -> None:
    assert kept(at_hour(23, delay=7 * HOUR), NIGHT) == [False, True]
    assert kept(at_hour(23, delay=8 * HOUR), NIGHT) == [True, True]
    assert kept(at_hour(12, delay=34 * HOUR), NIGHT) == [False, True]


def test_the_minute_of_the_decision_counts() -> None:
    late = at(at_hour(21, delay=30 * 60), "2026-01-05T20:45")
    early = at(at_hour(21, delay=30 * 60), "2026-01-05T20:15")
    assert kept(late, NIGHT) == [False, True]
    assert kept(early, NIGHT) == [True, True]


def test_only_payments_that_the_merchant_starts_are_concerned_by_default() -> None:
    assert kept(at_hour(23, initiator="cit"), NIGHT) == [True, True]
    everyone = QuietHours(22, 7, initiators=("cit", "mit"))
    assert kept(at_hour(23, initiator="cit"), everyone) == [False, True]


def test_they_may_hold_on_some_days_only_by_the_day_of_the_attempt() -> None:
    sundays = QuietHours(0, 24, days=(7,))
    assert kept(at_hour(12, local_day=6), sundays) == [True, True]
    assert kept(at_hour(12, local_day=7), sundays) == [False, True]
    assert kept(at_hour(12, delay=12 * HOUR, local_day=6), sundays) == [False, True]
    assert kept(at_hour(12, delay=36 * HOUR, local_day=6), sundays) == [True, True]
    assert kept(at_hour(12, delay=24 * HOUR, local_day=7), sundays) == [True, True]


UNKNOWN = [
    {"local_hour": None, "initiator": "mit"},
    {"local_hour": 23, "initiator": None},
    {"local_hour": None, "initiator": None},
]


@pytest.mark.parametrize("context", UNKNOWN)
def test_what_is_not_known_may_be_night(context: dict[str, object]) -> None:
    batch = decision(2, NOW, **context)
    assert kept(batch, NIGHT) == [False, True]
    assert kept(batch, QuietHours(22, 7, keep_unknown=True)) == [True, True]
    assert reasons_of(batch, MerchantRules(rules=(NIGHT,)))[0] == (
        "merchant's quiet hours: from 22:00 to 07:00 where the cardholder is; "
        "the payment's hour, day or initiator is not known"
    )


def test_what_cannot_be_night_whatever_is_not_known_is_allowed() -> None:
    assert kept(decision(2, NOW, local_hour=12), NIGHT) == [True, True]
    assert kept(decision(2, NOW, initiator="cit"), NIGHT) == [True, True]
    sundays = QuietHours(22, 7, days=(7,))
    assert kept(at_hour(None, local_day=1), NIGHT) == [False, True]
    assert kept(at_hour(12), sundays) == [True, True]
    assert kept(at_hour(23), sundays) == [False, True]


@given(
    now=st.datetimes(datetime(2026, 4, 1), datetime(2026, 9, 1)),
    delay=st.integers(0, 40 * 24 * HOUR),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
    start=st.integers(0, 23),
    length=st.integers(1, 23),
    day=st.integers(1, 7),
)
def test_they_are_those_of_the_cardholders_own_clock(
    now: datetime, delay: int, zone: str, start: int, length: int, day: int
) -> None:
    end = (start + length) % 24 or 24
    local = now.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone))
    then = (now + timedelta(seconds=delay)).replace(tzinfo=ZoneInfo("UTC"))
    then_local = then.astimezone(ZoneInfo(zone))
    batch = at_hour(local.hour, delay=delay, local_day=local.isoweekday())
    in_hours = (then_local.hour - start) % 24 < length
    quiet = in_hours and then_local.isoweekday() == day
    rule = QuietHours(start, end, days=(day,))
    assert kept(at(batch, now.isoformat()), rule) == [not quiet, True]
