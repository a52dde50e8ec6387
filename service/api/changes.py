"""``GET /v1/changes``: the audit log of the caller's merchant."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Request, Response, request
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from service.api.problems import FieldError, Problem
from service.security.caller import caller
from service.store.records import moment
from service.store.tables import changes

JSON = "application/json"
MOST = 1000
_USUAL = 100
_LARGEST = 2**53
_KIND = re.compile(r"[a-z-]{1,32}")


class ChangeRow(msgspec.Struct, frozen=True):
    """One change: who set what to which value, when and why."""

    number: int
    tenant: str
    changed_at: datetime
    actor: str
    kind: str
    subject: str
    value: dict[str, Any]
    reason: str


class ChangesPage(msgspec.Struct, frozen=True):
    """Some changes, oldest first; ``next`` is what to ask for ``after``, null at the end."""

    changes: list[ChangeRow]
    next: int | None


def changes_blueprint(engine: Engine) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("changes", __name__)

    @blueprint.get("/v1/changes")
    def audit() -> Response:
        after = _whole(request, "after", 0, 0, _LARGEST)
        limit = _whole(request, "limit", _USUAL, 1, MOST)
        kind = request.args.get("kind")
        if kind is not None and not _KIND.fullmatch(kind):
            raise _refused("kind", "expected small letters and hyphens, at most 32")
        try:
            with engine.connect() as connection:
                page = read_changes(connection, caller().tenant, after, limit, kind)
        except SQLAlchemyError:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "the store could not be read; ask again"
            ) from None
        return Response(msgspec.json.encode(page), content_type=JSON)

    return blueprint


def read_changes(
    connection: Connection, tenant: str | None, after: int, limit: int, kind: str | None = None
) -> ChangesPage:
    """A page of the changes of a merchant, or of all."""
    query = select(changes).where(changes.c.number > after).order_by(changes.c.number)
    if tenant is not None:
        query = query.where(changes.c.tenant == tenant)
    if kind is not None:
        query = query.where(changes.c.kind == kind)
    rows = [
        ChangeRow(
            row.number,
            row.tenant,
            moment(row.changed_at_us),
            row.actor,
            row.kind,
            row.subject,
            msgspec.json.decode(row.value),
            row.reason,
        )
        for row in connection.execute(query.limit(limit + 1))
    ]
    more = len(rows) > limit
    return ChangesPage(rows[:limit], rows[limit - 1].number if more else None)


def _whole(asked: Request, name: str, usual: int, least: int, most: int) -> int:
    text = asked.args.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise _refused(name, f"expected a whole number from {least} to {most}")
    value = int(text)
    if not least <= value <= most:
        raise _refused(name, f"expected a whole number from {least} to {most}")
    return value


def _refused(name: str, message: str) -> Problem:
    field = f"query {name}"
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {message}", FieldError(field, message)
    )
