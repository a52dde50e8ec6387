"""POST /v1/webhooks/{source}: what providers tell becomes outcomes, if they have signed it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authopt.batch import Categorical, LoggedBatch, concat
from authopt.errors import UserError
from service.store.export import logged_batches
from service.webhooks.shape import load_shape, shape_names
from service.webhooks.signatures import WINDOW_S
from service.webhooks.source import sources_of
from tests.service.in_process import ask, problem, recorder_of, request_body, running, settings_in

SECRET = "whsec_0123456789abcdef"
EARLIER = "whsec_fedcba9876543210"
ADYEN = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ENVIRON = {"NOW": SECRET, "BEFORE": EARLIER, "ADYEN_KEY": ADYEN}
SECTIONS = {
    "stripe": {"shape": "stripe", "secret_env": "NOW", "previous_secret_env": "BEFORE"},
    "checkout": {"shape": "checkout", "secret_env": "NOW"},
    "adyen": {"shape": "adyen", "secret_env": "ADYEN_KEY"},
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    sources = sources_of(SECTIONS, "default", ENVIRON)
    with running(settings_in(tmp_path, webhooks=sources)) as app:
        yield app


def stripe(client: FlaskClient, event: Any, secret: str = SECRET, age_s: int = 0) -> TestResponse:
    body = json.dumps(event).encode()
    at = str(int(time.time()) - age_s)
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    header = {"Stripe-Signature": f"t={at},v1={signature}"}
    return client.post("/v1/webhooks/stripe", data=body, headers=header)


def charge(kind: str, decision_id: str | None = "d1", **fields: Any) -> dict[str, Any]:
    metadata = {} if decision_id is None else {"authopt_decision_id": decision_id}
    charged = {"object": "charge", "created": 1_767_225_600, "metadata": metadata} | fields
    return {"id": "evt_1", "type": kind, "created": 1_767_312_000, "data": {"object": charged}}


def checkout(client: FlaskClient, event: Any, secret: str = SECRET) -> TestResponse:
    body = json.dumps(event).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return client.post("/v1/webhooks/checkout", data=body, headers={"Cko-Signature": signature})


def adyen(client: FlaskClient, *items: dict[str, Any], key: str = ADYEN) -> TestResponse:
    body = {
        "live": "false",
        "notificationItems": [{"NotificationRequestItem": signed(each, key)} for each in items],
    }
    return client.post("/v1/webhooks/adyen", json=body)


def signed(item: dict[str, Any], key: str) -> dict[str, Any]:
    amount = item["amount"]
    text = ":".join(
        (
            *(item["pspReference"], item.get("originalReference", "")),
            *(item["merchantAccountCode"], item["merchantReference"]),
            *(str(amount["value"]), amount["currency"], item["eventCode"], item["success"]),
        )
    )
    digest = hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).digest()
    more = item["additionalData"] | {"hmacSignature": base64.b64encode(digest).decode()}
    return item | {"additionalData": more}


def notification(event: str, success: str = "true", **more: Any) -> dict[str, Any]:
    return {
        "additionalData": {"metadata.authopt_decision_id": "d1"} | more.pop("additional", {}),
        "amount": {"currency": "EUR", "value": 1999},
        "eventCode": event,
        "eventDate": "2026-01-02T01:00:00+01:00",
        "merchantAccountCode": "Merchant",
        "merchantReference": "order-1",
        # An own reference of 16 digits may well look like a card number; it is not kept.
        "pspReference": "4111111111111111",
        "success": success,
    } | more


def exported(app: Flask) -> LoggedBatch:
    return concat(list(logged_batches(recorder_of(app).store.engine)))


def column(log: LoggedBatch, name: str) -> Any:
    values = log.outcome[name]
    if isinstance(values, Categorical):
        return values.categories[values.codes[0]]
    return np.asarray(values)[0]


def test_a_charge_of_stripe_is_an_outcome(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    event = charge(
        "charge.failed",
        failure_code="card_declined",
        outcome={"network_decline_code": "51", "network_advice_code": "24"},
    )
    answer = stripe(client, event)
    assert (answer.status_code, answer.get_json()) == (200, {"recorded": 1, "ignored": []})
    log = exported(app)
    assert column(log, "approved") == 0.0
    assert (column(log, "response_code"), column(log, "advice_code")) == ("51", "24")
    assert column(log, "outcome_at") == np.datetime64("2026-01-01")


def test_a_refund_corrects_what_the_charge_said(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    stripe(client, charge("charge.succeeded"))
    stripe(client, charge("charge.refunded", amount_refunded=700))
    log = exported(app)
    assert (column(log, "approved"), column(log, "refunded_minor")) == (1.0, 700.0)


def test_a_providers_own_code_becomes_the_networks(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    data = {"metadata": {"authopt_decision_id": "d1"}, "response_code": "20051"}
    event = {"type": "payment_declined", "created_on": "2026-01-01T00:00:00Z", "data": data}
    assert checkout(client, event).get_json()["recorded"] == 1
    assert column(exported(app), "response_code") == "51"


def test_notifications_of_adyen_are_outcomes_and_are_accepted(
    app: Flask, client: FlaskClient
) -> None:
    ask(client, request_body("d1"))
    refused = notification(
        "AUTHORISATION", "false", additional={"refusalReasonRaw": "05 : Do not honor"}
    )
    answer = adyen(client, refused, notification("CHARGEBACK"))
    assert (answer.status_code, answer.get_data()) == (200, b"[accepted]")
    log = exported(app)
    assert (column(log, "approved"), column(log, "response_code")) == (0.0, "05")
    assert column(log, "charged_back") == 1.0


def test_an_event_that_comes_twice_counts_once(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("d1"))
    for _ in range(2):
        assert stripe(client, charge("charge.succeeded")).status_code == 200
    with recorder_of(app).store.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from outcomes").scalar() == 1


def test_what_tells_no_outcome_is_answered_so_that_it_is_not_sent_again(
    client: FlaskClient,
) -> None:
    for event, reason in (
        (charge("invoice.created"), "says nothing of an outcome"),
        (charge("charge.succeeded", None), "holds no decision id"),
        (charge("charge.succeeded", "4111111111111111"), "holds what looks like a card number"),
        ([], "says nothing of an outcome"),
    ):
        answer = stripe(client, event)
        assert answer.status_code == 200
        assert answer.get_json() == {"recorded": 0, "ignored": [{"event": 0, "reason": reason}]}


def test_a_secret_may_be_changed_without_losing_what_the_earlier_one_signed(
    client: FlaskClient,
) -> None:
    assert stripe(client, charge("charge.succeeded"), EARLIER).status_code == 200


@pytest.mark.parametrize("age_s", [-WINDOW_S - 60, WINDOW_S + 60])
def test_a_webhook_from_outside_the_window_is_refused(client: FlaskClient, age_s: int) -> None:
    problem(stripe(client, charge("charge.succeeded"), age_s=age_s), 401)


def test_a_wrong_signature_is_refused(client: FlaskClient) -> None:
    event = charge("charge.succeeded")
    problem(stripe(client, event, "another secret, long enough"), 401)
    problem(checkout(client, event, "another secret, long enough"), 401)
    problem(adyen(client, notification("AUTHORISATION"), key="00" * 32), 401)
    problem(client.post("/v1/webhooks/stripe", json=event), 401)
    for header in ("", "t=1", "t=x,v1=y", "t=1,t=2,v1=a", "v1=a", "t=" + "9" * 400 + ",v1=a"):
        answer = client.post(
            "/v1/webhooks/stripe", json=event, headers={"Stripe-Signature": header}
        )
        problem(answer, 401)


def test_one_unsigned_notification_among_signed_ones_is_refused(
    app: Flask, client: FlaskClient
) -> None:
    sound = signed(notification("AUTHORISATION"), ADYEN)
    changed = sound | {"success": "false"}
    items = [{"NotificationRequestItem": each} for each in (sound, changed)]
    problem(client.post("/v1/webhooks/adyen", json={"notificationItems": items}), 401)
    problem(client.post("/v1/webhooks/adyen", json={"notificationItems": []}), 401)
    with recorder_of(app).store.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from outcomes").scalar() == 0


def test_an_unknown_source_is_not_found(client: FlaskClient) -> None:
    problem(client.post("/v1/webhooks/nobody", json={}), 404)


@pytest.mark.parametrize("name", shape_names())
def test_every_shape_that_is_shipped_is_sound(name: str) -> None:
    assert load_shape(name).rule


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"shape": "stripe", "secret_env": "UNSET"}, "UNSET is not set"),
        ({"shape": "stripe", "secret_env": "SHORT"}, "fewer than 16 characters"),
        ({"shape": "adyen", "secret_env": "NOW"}, "no key of hexadecimal digits"),
        ({"shape": "paypal", "secret_env": "NOW"}, "no shape 'paypal'"),
        ({"shape": "stripe"}, "secret_env"),
    ],
)
def test_an_unsound_section_is_named(section: dict[str, str], expected: str) -> None:
    with pytest.raises(UserError, match=expected) as raised:
        sources_of({"psp": section}, "default", ENVIRON | {"SHORT": "abc"})
    assert SECRET not in str(raised.value)


def test_a_merchants_own_shape_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        'decision_id = ["ref"]\n[signature]\nscheme = "hex"\nheader = "X-Sig"\n'
        '[[rule]]\nwhen = { state = ["paid"] }\nset = { approved = true }\n'
    )
    assert load_shape(str(file)).decision_id == ["ref"]
    file.write_text(file.read_text().replace("approved", "aproved"))
    with pytest.raises(UserError, match="rule 1: 'aproved' is no field of an outcome"):
        load_shape(str(file))


def test_a_source_does_not_show_its_secrets() -> None:
    assert SECRET not in repr(sources_of(SECTIONS, "default", ENVIRON))
