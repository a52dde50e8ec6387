"""``POST /v1/webhooks/{source}``: outcomes as the merchant's providers tell them.

A signature stands in for a key. Providers send again what is not answered with 2xx, so an event
that tells no outcome is answered as well, with the reason; only what could not be recorded, or is
not signed, is refused. An event that comes twice is the same outcome, and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Request, Response, request

from service.api.problems import FieldError, Problem
from service.metrics.counts import count_outcomes
from service.settings import MAX_BATCH_BYTES
from service.store.group_commit import GroupCommit
from service.store.records import outcome_record
from service.webhooks.reading import Ignored, events_of, read_event
from service.webhooks.signatures import adyen, hex_of_body, timestamped
from service.webhooks.source import WebhookSource

JSON = "application/json"
_UNKNOWN = "there is no such source of webhooks"
_UNSIGNED = "the signature is missing, wrong or too old"


class IgnoredEvent(msgspec.Struct, frozen=True):
    """An event that told no outcome; ``event`` counts from 0."""

    event: int
    reason: str


class WebhookAnswer(msgspec.Struct, frozen=True):
    """How many outcomes were recorded, and which events told none."""

    recorded: int
    ignored: list[IgnoredEvent]


def webhooks_blueprint(sources: Mapping[str, WebhookSource], recorder: GroupCommit) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("webhooks", __name__)

    @blueprint.post("/v1/webhooks/<source>")
    def receive(source: str) -> Response:
        known = sources.get(source)
        if known is None:
            raise Problem(HTTPStatus.NOT_FOUND, _UNKNOWN)
        request.max_content_length = MAX_BATCH_BYTES
        events = _signed_events(request, known)
        outcomes, ignored = [], []
        for at, event in enumerate(events):
            told = read_event(event, known.shape, at)
            if isinstance(told, Ignored):
                ignored.append(IgnoredEvent(told.at, told.reason))
            else:
                outcomes.append(outcome_record(told, known.tenant))
        if outcomes and not all(each.durable for each in recorder.keep_all(outcomes)):
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "the outcomes could not be recorded; send again"
            )
        count_outcomes(known.tenant, len(outcomes))
        if known.shape.answer is not None:
            return Response(known.shape.answer, content_type="text/plain; charset=utf-8")
        answer = WebhookAnswer(len(outcomes), ignored)
        return Response(msgspec.json.encode(answer), content_type=JSON)

    return blueprint


def _signed_events(asked: Request, source: WebhookSource) -> list[Mapping[str, Any]]:
    """The events of a body whose signature holds.

    Raises
    ------
    Problem
        401 if it does not, 400 if the body is no JSON.
    """
    body = asked.get_data(cache=False)
    signature = source.shape.signature
    if signature.header is not None:
        header = asked.headers.get(signature.header, "")
        if signature.scheme == "timestamped":
            sound = timestamped(header, body, source.secrets, time.time())
        else:
            sound = hex_of_body(header, body, source.secrets)
        if not sound:
            raise Problem(HTTPStatus.UNAUTHORIZED, _UNSIGNED)
    try:
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        why = "expected JSON"
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body: {why}", FieldError("body", why)) from None
    events = list(events_of(plain, source.shape))
    if signature.scheme == "adyen" and not (
        events and all(adyen(each, source.secrets) for each in events)
    ):
        raise Problem(HTTPStatus.UNAUTHORIZED, _UNSIGNED)
    return events
