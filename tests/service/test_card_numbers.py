"""A card number is refused wherever it stands, and leaves no trace."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authopt.card_numbers import passes_luhn
from service.log_output import formatter
from service.openapi.operation import Operation
from service.openapi.operations import OPERATIONS
from tests.service.in_process import (
    ask,
    problem,
    recorder_of,
    request_body,
    running,
    settings_in,
    tell,
)

PAN = "4111111111111111"
FORMS = [
    PAN,
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    f"card {PAN}!",
    "４１１１１１１１１１１１１１１１",
    f"2026-03-01 {PAN}",
    f"7-{PAN} 12",
]


def leaves_no_trace(app: Flask, text: str, logged: str, *pans: str) -> None:
    recorder_of(app).close()
    folder = Path(str(recorder_of(app).store.engine.url.database)).parent
    places = [text, logged, *(file.read_bytes().decode("latin-1") for file in folder.iterdir())]
    for place in places:
        digits = "".join(filter(str.isdigit, place.replace(" ", "").replace("-", "")))
        for pan in (PAN, "5500000000000004", *pans):
            assert pan not in digits


PLACES = [
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
]


@pytest.mark.parametrize(
    ("pan", "place", "field"),
    [(PAN, *each) for each in PLACES] + [(form, *PLACES[0]) for form in FORMS[1:]],
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


def card_number(network: str, length: int, seed: int) -> str:
    """A number that no bank gave out, but could have."""
    digits = network + str(seed * 7919)[: length - 1 - len(network)].ljust(
        length - 1 - len(network), "7"
    )
    return next(f"{digits}{check}" for check in range(10) if passes_luhn(f"{digits}{check}"))


GENERATED = [
    card_number(network, length, seed)
    for seed, (network, length) in enumerate(
        [("4", 16), ("4", 13), ("51", 16), ("2221", 16), ("34", 15), ("36", 14), ("6011", 16),
         ("3528", 16), ("62", 19), ("5018", 18)],
        start=100_003,
    )
]  # fmt: skip


def places(operation: Operation, pan: str) -> Iterator[dict[str, Any]]:
    """Requests that hold a card number in every place that a caller can write to."""
    kept = re.sub(r"{\w+}", "d1", operation.path)
    body = operation.example if operation.request is not None else None
    told: dict[str, Any] = {"method": operation.method, "path": kept, "json": body}
    yield told | {"path": f"{kept}?note={pan}"}
    yield told | {"path": f"{kept}?{pan}"}
    yield told | {"path": f"{kept}/{pan}"}
    yield told | {"headers": {"X-Note": f"card {pan}"}}
    yield told | {"headers": {"Idempotency-Key": pan}}
    yield told | {"headers": {"Authorization": f"Bearer {pan}"}}
    yield told | {"headers": {"User-Agent": pan, "Cookie": f"a={pan}"}}
    for variable in re.findall(r"{\w+}", operation.path):
        yield told | {"path": operation.path.replace(variable, f"{pan[:4]}-{pan[4:]}")}
    if operation.request is None:
        return
    yield told | {"json": {pan: 1}}
    yield told | {"json": [[pan]]}
    yield told | {"json": int(pan)}
    yield told | {"json": {**(body or {}), "reason": f"see {pan}"}}
    for name in body or {}:
        yield told | {"json": {**(body or {}), name: pan}}


def test_a_card_number_anywhere_at_any_endpoint_is_refused_and_leaves_no_trace(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = ""
    for number, operation in enumerate(OPERATIONS):
        for place in places(operation, GENERATED[number % len(GENERATED)]):
            answer = client.open(place.pop("path"), **place)
            # Without its signature, a webhook's body is not even read.
            unread = "webhooks" in operation.path and answer.status_code in (401, 404)
            assert answer.status_code == 422 or unread, (operation.name, place)
            said += answer.get_data(as_text=True) + str(answer.headers)
    leaves_no_trace(app, said, caplog.text, *GENERATED)


def test_a_card_number_in_a_failure_is_not_logged(tmp_path: Path) -> None:
    def failing() -> None:
        raise RuntimeError(f"the provider said {PAN}")

    told = io.StringIO()
    handler = logging.StreamHandler(told)
    handler.setFormatter(formatter("json"))
    logger = logging.getLogger("service")
    logger.addHandler(handler)
    try:
        with running(settings_in(tmp_path)) as app:
            app.add_url_rule("/failing", view_func=failing)
            answer = problem(app.test_client().get("/failing"), 500)
    finally:
        logger.removeHandler(handler)
    assert "RuntimeError" in told.getvalue()
    assert PAN not in told.getvalue()
    assert PAN not in str(answer)


def test_uuids_scores_and_timestamps_are_no_card_numbers(client: FlaskClient) -> None:
    context = {"x_score": 4.111111111111111, "x_ms": 1770000000000, "bin": "411111"}
    body = request_body("4f9c01fa-b0ca-4046-864e-232160010199", context=context)
    assert ask(client, body).status_code == 200
