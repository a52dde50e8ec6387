"""Alarms are raised from what is on record, each once."""

from __future__ import annotations

import json

import msgspec
import pytest
from sqlalchemy import Engine, select

from service.alarms.duty import raise_alarms
from service.alarms.settings import AlarmsConfig, Webhook
from service.alarms.standing import alarm_history, firing_alarms, subject_of
from service.store.records import Record
from service.store.store import Store
from service.store.tables import deliveries
from service.summaries.duty import add_up
from tests.service.summaries.recorded import START_US, decision, outcome

MINUTE_US = 60_000_000
CONFIG = AlarmsConfig(channels=(Webhook("ops", "http://127.0.0.1:9/"),))


def minutes(first: int, last: int, per_minute: int, *, failing: bool = False) -> list[Record]:
    """Payments by one route, a decline in ten; or all of them fail."""
    found: list[Record] = []
    for minute in range(first, last):
        for place in range(per_minute):
            name = f"{minute}-{place}"
            at_us = START_US + minute * MINUTE_US + place
            found.append(decision(name, name, at_us=at_us, network="visa"))
            sound = place % 10 > 0 and not failing
            code = "96" if failing else "00" if sound else "05"
            found.append(outcome(name, approved=sound, response_code=code))
    return found


def watch(engine: Engine, minute: int) -> None:
    now_us = START_US + minute * MINUTE_US
    while add_up(engine, "default", now_us):
        pass
    while raise_alarms(engine, "default", now_us, CONFIG):
        pass


def said(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        found = alarm_history(connection, "default")
    return [(each.subject, each.value["state"]) for each in reversed(found)]


@pytest.fixture
def outage(store: Store) -> Engine:
    store.keep(minutes(0, 60, 20))
    store.keep(minutes(60, 68, 20, failing=True))
    watch(store.engine, 70)
    return store.engine


def test_an_outage_raises_alarms_that_name_the_route_and_queue_a_message_for_each(
    outage: Engine,
) -> None:
    assert said(outage) == [("route-down:adyen", "firing"), ("rate", "firing")]
    with outage.connect() as connection:
        first = firing_alarms(connection, "default")[-1]
        queued = connection.execute(select(deliveries.c.channel, deliveries.c.change)).all()
    assert first.actor == "watch"
    assert first.value["since_us"] == START_US + 60 * MINUTE_US
    assert "by the route adyen fail technically" in first.value["what"]
    assert [tuple(each) for each in queued] == [("ops", first.number), ("ops", first.number + 1)]


def test_looking_again_says_nothing_twice(outage: Engine) -> None:
    before = said(outage)

    watch(outage, 70)
    watch(outage, 71)

    assert said(outage) == before


def test_an_alarm_is_resolved_once_the_route_is_well(store: Store, outage: Engine) -> None:
    store.keep(minutes(68, 90, 20))

    watch(outage, 92)

    assert said(outage)[2:] == [("route-down:adyen", "resolved"), ("rate", "resolved")]
    with outage.connect() as connection:
        assert firing_alarms(connection, "default") == []


def test_of_two_that_judge_the_same_minutes_one_speaks(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_store.keep(minutes(0, 60, 20) + minutes(60, 68, 20, failing=True))
    engine, now_us = quick_store.engine, START_US + 70 * MINUTE_US
    while add_up(engine, "default", now_us):
        pass
    from service.alarms import duty

    read = duty.minutes_between

    def overtaken(*arguments: object) -> object:
        monkeypatch.setattr(duty, "minutes_between", read)
        raise_alarms(engine, "default", now_us, CONFIG)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(duty, "minutes_between", overtaken)

    assert raise_alarms(engine, "default", now_us, CONFIG)

    assert said(engine) == [("route-down:adyen", "firing"), ("rate", "firing")]


def test_a_minute_is_not_judged_before_its_outcomes_can_be_known(quick_store: Store) -> None:
    quick_store.keep(minutes(0, 60, 20))
    quick_store.keep([each for each in minutes(60, 61, 20) if not hasattr(each, "received_at_us")])

    watch(quick_store.engine, 61)

    assert said(quick_store.engine) == []


def test_retries_that_a_network_charges_for_are_counted(quick_store: Store) -> None:
    """Visa's code 14 is never to be tried again."""
    from service.alarms.rule_fees import charged_by_minute

    answer = json.dumps(
        {
            "decision_id": "d",
            "payment_id": "p",
            "attempt": 2,
            "action": {"route": "adyen", "delay_s": 0, "at": "2026-03-01T00:00:00Z"},
            "propensity": 1.0,
            "policy": {"name": "uniform", "sha256": None},
            "fallback": None,
            "actions": [
                {"route": "adyen", "delay_s": 0, "at": "2026-03-01T00:00:00Z", "probability": 1.0}
            ],
            "removed": [],
            "decided_at": "2026-03-01T00:00:00Z",
        }
    )
    for name, code in (("d1", "14"), ("d2", "51")):
        record = decision(
            name,
            name,
            attempt=2,
            network="visa",
            previous_response_code=code,
            merchant_country="US",
            issuer_country="US",
        )
        quick_store.keep([msgspec.structs.replace(record, answer=answer)])

    with quick_store.engine.connect() as connection:
        found = charged_by_minute(connection, "default", START_US, START_US + MINUTE_US)

    assert found == {START_US: (2, 1)}


def test_the_name_of_an_alarm_that_is_too_long_still_tells_it_apart() -> None:
    one, other = (subject_of("rate:issuer:" + "x" * 200 + end) for end in "ab")

    assert len(one) == len(other) == 128
    assert one != other
