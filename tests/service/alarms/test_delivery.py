"""Alarms on their way out: at least once, in order, and never in each other's way."""

from __future__ import annotations

import email
import json
import logging
import time
from collections.abc import Iterator
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from service.alarms.delivery import SECOND_US, deliver_alarms, wait_s
from service.alarms.message import trial_message
from service.alarms.sending import SIGNATURE, NotSent, send
from service.alarms.settings import Channel, Mailbox, Webhook
from service.store.changes import changing, record_change
from service.store.store import Store
from service.store.tables import deliveries
from service.webhooks.signatures import timestamped
from tests.service.alarms.receivers import Inbox, mail_server, web_server

SECRET = "a secret of many letters"
NOW_US = 1_772_323_200_000_000


@pytest.fixture
def web() -> Iterator[Inbox]:
    with web_server() as inbox:
        yield inbox


@pytest.fixture
def mail() -> Iterator[Inbox]:
    with mail_server() as inbox:
        yield inbox


def hook(inbox: Inbox, name: str = "ops", **more: Any) -> Webhook:
    return Webhook(name, f"http://127.0.0.1:{inbox.port}/alarms?team=pay", SECRET, **more)


def box(inbox: Inbox, **more: Any) -> Mailbox:
    return Mailbox(
        "people", "127.0.0.1", inbox.port, "authopt@example.org", ("ops@example.org",), **more
    )


def alarm(engine: Engine, subject: str, *channels: str) -> int:
    value = {
        "state": "firing",
        "since_us": NOW_US,
        "what": "90.0% of the attempts by the route adyen fail technically.",
        "figures": {"share": 0.9},
        "links": {},
    }
    with changing(engine) as connection:
        number = record_change(connection, "default", "watch", "alarm", subject, value, "")
        for channel in channels:
            row = {"tenant": "default", "channel": channel, "change": number, "tries": 0}
            connection.execute(insert(deliveries), {**row, "next_try_us": NOW_US})
    return number


def rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(deliveries).order_by(deliveries.c.number)))


def deliver(engine: Engine, *channels: Channel, after_s: float = 0.0) -> bool:
    return deliver_alarms(engine, "default", NOW_US + round(after_s * SECOND_US), channels)


def test_a_webhook_gets_signed_json_once(store: Store, web: Inbox) -> None:
    number = alarm(store.engine, "route-down:adyen", "ops")

    deliver(store.engine, hook(web))
    deliver(store.engine, hook(web))

    ((headers, body),) = web.taken
    assert json.loads(body)["alarm"] == "route-down:adyen"
    assert json.loads(body)["id"] == headers["Idempotency-Key"] == f"default-{number}"
    assert timestamped(headers[SIGNATURE], body, [SECRET], time.time())
    assert not timestamped(headers[SIGNATURE], body + b" ", [SECRET], time.time())
    assert rows(store.engine)[0].delivered_at_us == NOW_US


def test_a_mailbox_gets_the_sentence_and_the_same_message_id_at_every_try(
    quick_store: Store, mail: Inbox
) -> None:
    number = alarm(quick_store.engine, "rate:issuer:Banco de São Paulo", "people")

    deliver(quick_store.engine, box(mail, starttls=False))

    message = email.message_from_bytes(mail.taken[0][1], policy=default)
    assert message["Subject"] == "[default] firing: rate:issuer:Banco de São Paulo"
    assert message["Message-ID"] == f"<default-{number}@example.org>"
    assert "fail technically" in message.get_content()


def test_nothing_is_said_to_a_mail_server_that_does_not_encrypt(mail: Inbox) -> None:
    with pytest.raises(NotSent):
        send(box(mail), trial_message("default", NOW_US), 1)
    assert mail.taken == []


def test_a_failure_is_tried_again_ever_less_often_until_it_is_taken(
    quick_store: Store, web: Inbox
) -> None:
    engine = quick_store.engine
    alarm(engine, "rate", "ops")
    web.status = 503

    deliver(engine, hook(web))
    deliver(engine, hook(web), after_s=14)
    assert len(web.taken) == 1
    assert rows(engine)[0].fault == "answered 503"
    deliver(engine, hook(web), after_s=15)
    deliver(engine, hook(web), after_s=44)
    assert len(web.taken) == 2
    web.status = 204
    deliver(engine, hook(web), after_s=45)

    assert len({body for _, body in web.taken}) == 1
    assert (rows(engine)[0].tries, rows(engine)[0].fault) == (3, None)


def test_waits_double_up_to_an_hour() -> None:
    assert [wait_s(tries) for tries in (1, 2, 3, 8, 9, 10_000)] == [15, 30, 60, 1_920, 3_600, 3_600]


def test_an_alarm_is_not_told_before_the_one_before_it(quick_store: Store, web: Inbox) -> None:
    engine = quick_store.engine
    alarm(engine, "rate", "ops")
    web.status = 500
    deliver(engine, hook(web))
    alarm(engine, "fallback", "ops")
    web.status = 200

    deliver(engine, hook(web), after_s=1)
    deliver(engine, hook(web), after_s=20)

    assert [json.loads(body)["alarm"] for _, body in web.taken] == ["rate", "rate", "fallback"]


def test_a_channel_that_hangs_is_left_after_its_time_and_does_not_hold_up_the_others(
    quick_store: Store, web: Inbox
) -> None:
    engine = quick_store.engine
    alarm(engine, "rate", "slow", "ops")
    alarm(engine, "fallback", "slow", "ops")
    with web_server() as slow:
        slow.hangs = True
        began = time.monotonic()
        deliver(engine, hook(slow, "slow", timeout_s=0.3), hook(web))

    assert time.monotonic() - began < 3.0
    assert len(slow.taken) == 1
    assert len(web.taken) == 2
    assert rows(engine)[0].fault == "no answer within 0.3 s"


def test_redirects_are_not_followed(web: Inbox) -> None:
    web.status = 302
    with pytest.raises(NotSent, match="redirects are not followed"):
        send(hook(web), trial_message("default", NOW_US), 1)
    assert len(web.taken) == 1


def test_what_fails_is_logged_without_secrets(
    quick_store: Store, web: Inbox, mail: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    alarm(quick_store.engine, "rate", "ops", "people")
    web.status, mail.status = 500, 550
    channels = (hook(web), box(mail, starttls=False, user="me", password="a pass word"))
    with caplog.at_level(logging.DEBUG):
        deliver(quick_store.engine, *channels)

    told = caplog.text + repr(channels) + "".join(str(each) for each in rows(quick_store.engine))
    assert "ops: answered 500" in caplog.text
    assert SECRET not in told
    assert "a pass word" not in told
    assert "team=pay" not in told


def test_what_waits_for_a_channel_that_is_no_more_stays(quick_store: Store, web: Inbox) -> None:
    alarm(quick_store.engine, "rate", "gone")

    assert not deliver(quick_store.engine, hook(web))

    assert rows(quick_store.engine)[0].delivered_at_us is None
