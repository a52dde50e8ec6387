"""A card number is refused wherever it stands, and leaves no trace."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.service.in_process import ask, problem, recorder_of, request_body, tell

PAN = "4111111111111111"
FORMS = [
    PAN,
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    f"card {PAN}!",
    "４１１１１１１１１１１１１１１１",
]


def leaves_no_trace(app: Flask, text: str, logged: str) -> None:
    recorder_of(app).close()
    folder = Path(str(recorder_of(app).store.engine.url.database)).parent
    places = [text, logged, *(file.read_bytes().decode("latin-1") for file in folder.iterdir())]
    for place in places:
        digits = "".join(filter(str.isdigit, place.replace(" ", "").replace("-", "")))
        assert PAN not in digits
        assert "5500000000000004" not in digits


@pytest.mark.parametrize("pan", FORMS)
@pytest.mark.parametrize(
    ("place", "field"),
    [
        ({"payment_id": "{}"}, "payment_id"),
        ({"decision_id": "{}"}, "decision_id"),
        ({"attempt": "{}"}, "attempt"),
        ({"context": {"card_ref": "{}"}}, "context.card_ref"),
        ({"context": {"x_note": "{}"}}, "context.x_note"),
        ({"context": {"bin": "{}"}}, "context.bin"),
        ({"context": {"{}": 1}}, "context.(key)"),
        ({"{}": 1}, "(key)"),
        ({"actions": [{"route": "{}"}]}, "actions[0].route"),
        ({"unknown": {"deep": [["{}"]]}}, "unknown.deep[0][0]"),
    ],
)
def test_a_card_number_in_a_body_is_refused_by_the_fields_name(
    app: Flask,
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    pan: str,
    place: dict[str, Any],
    field: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    put = json.loads(json.dumps(place).replace("{}", pan))
    answer = ask(client, request_body(**put))
    assert problem(answer, 422)["errors"][0]["field"] == field
    leaves_no_trace(app, answer.get_data(as_text=True), caplog.text)


@pytest.mark.parametrize("number", [int(PAN), float(PAN), -int(PAN)])
def test_a_card_number_as_a_number_is_refused(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, number: float
) -> None:
    answer = ask(client, request_body(context={"amount_minor": number}))
    assert problem(answer, 422)["errors"][0]["field"] == "context.amount_minor"
    leaves_no_trace(app, answer.get_data(as_text=True), caplog.text)


def test_a_card_number_in_escapes_is_refused(client: FlaskClient) -> None:
    escaped = "".join(f"\\u00{ord(digit):02x}" for digit in PAN)
    body = f'{{"payment_id": "{escaped}", "attempt": 1}}'
    answer = client.post("/v1/decisions", data=body, content_type="application/json")
    assert problem(answer, 422)["errors"][0]["field"] == "payment_id"


def test_a_card_number_in_an_outcome_is_refused(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = tell(client, {"decision_id": PAN, "approved": True})
    assert problem(answer, 422)["errors"][0]["field"] == "decision_id"
    leaves_no_trace(app, answer.get_data(as_text=True), caplog.text)


@pytest.mark.parametrize(
    ("path", "headers", "field"),
    [
        (f"/readyz?card={PAN}", {}, "query"),
        ("/readyz?card=4111%201111%201111%201111", {}, "query"),
        (f"/v1/cards/{PAN}", {}, "path"),
        ("/readyz", {"X-Card": PAN}, "header X-Card"),
    ],
)
def test_a_card_number_in_the_head_is_refused(
    app: Flask,
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    headers: dict[str, str],
    field: str,
) -> None:
    answer = client.get(path, headers=headers)
    assert problem(answer, 422)["errors"][0]["field"] == field
    leaves_no_trace(app, answer.get_data(as_text=True), caplog.text)


def test_uuids_scores_and_timestamps_are_no_card_numbers(client: FlaskClient) -> None:
    context = {"x_score": 4.111111111111111, "x_ms": 1770000000000, "bin": "411111"}
    body = request_body("4f9c01fa-b0ca-4046-864e-232160010199", context=context)
    assert ask(client, body).status_code == 200
