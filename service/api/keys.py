"""``/v1/keys``: a merchant's administrator makes, lists, rotates and revokes its keys.

The first key of all is made at the machine (``authopt keys create``): a service that is open would
otherwise let anybody lock the others out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta
from sqlalchemy import Engine

from service.api.bodies import read_body
from service.api.forms import Name
from service.api.operating import Reason, refusals
from service.api.problems import FieldError, Problem
from service.security.api_keys import (
    MAX_PER_SECOND,
    ApiKey,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from service.security.caller import ANYBODY, Scope, caller
from service.security.key_text import KeyText
from service.store.changes import changing

JSON = "application/json"
_LONGEST_S = 100 * 366 * 86_400
_FIRST = "the first key is made at the machine: authopt keys create"


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/keys``."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(Scope))]
    per_second: Annotated[float, Meta(gt=0.0, le=MAX_PER_SECOND)] | None = None
    expires_in_s: Annotated[int, Meta(ge=1, le=_LONGEST_S)] | None = None
    reason: Reason = ""


class RotateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/keys/{key_id}/rotate``: the old key is good for ``overlap_s`` seconds more."""

    overlap_s: Annotated[int, Meta(ge=0, le=_LONGEST_S)] = 86_400
    reason: Reason = ""


class RevokeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/keys/{key_id}/revoke``."""

    reason: Reason = ""


class NewKey(msgspec.Struct, frozen=True):
    """A key, shown this once."""

    key_id: str
    key: str


class KeyRow(msgspec.Struct, frozen=True):
    """A key without its secret; ``good`` says whether it may still be used."""

    key_id: str
    name: str
    scopes: list[Scope]
    per_second: float | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    good: bool


class KeysAnswer(msgspec.Struct, frozen=True):
    """The merchant's keys, oldest first."""

    keys: list[KeyRow]


def keys_blueprint(engine: Engine) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("keys", __name__)

    @blueprint.get("/v1/keys")
    def listed() -> Response:
        with refusals("keys"), engine.connect() as connection:
            found = list_keys(connection, caller().tenant)
        return _answer(KeysAnswer([_row(key) for key in found]))

    @blueprint.post("/v1/keys")
    def create() -> Response:
        asked = read_body(request, KeyRequest)
        if caller() is ANYBODY:
            raise Problem(HTTPStatus.CONFLICT, _FIRST, FieldError("header Authorization", _FIRST))
        with refusals("body"), changing(engine) as connection:
            key = create_key(
                connection,
                caller().tenant,
                asked.name,
                asked.scopes,
                actor=caller().name,
                reason=asked.reason,
                per_second=asked.per_second,
                expires_in=None
                if asked.expires_in_s is None
                else timedelta(seconds=asked.expires_in_s),
            )
        return _shown(key)

    @blueprint.post("/v1/keys/<key_id>/rotate")
    def rotate(key_id: str) -> Response:
        asked = read_body(request, RotateRequest)
        with refusals("path key_id"), changing(engine) as connection:
            key = rotate_key(
                connection,
                key_id,
                timedelta(seconds=asked.overlap_s),
                actor=caller().name,
                reason=asked.reason,
                tenant=caller().tenant,
            )
        return _shown(key)

    @blueprint.post("/v1/keys/<key_id>/revoke")
    def revoke(key_id: str) -> Response:
        asked = read_body(request, RevokeRequest)
        with refusals("path key_id"), changing(engine) as connection:
            ended = revoke_key(
                connection,
                key_id,
                actor=caller().name,
                reason=asked.reason,
                tenant=caller().tenant,
            )
        return _answer(_row(ended))

    return blueprint


def _row(key: ApiKey) -> KeyRow:
    return KeyRow(
        key.key_id,
        key.name,
        sorted(key.scopes),
        key.per_second,
        key.created_at,
        key.expires_at,
        key.revoked_at,
        not key.ended(datetime.now(UTC)),
    )


def _shown(key: KeyText) -> Response:
    return _answer(NewKey(key.key_id, str(key)))


def _answer(value: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(value), content_type=JSON)
