"""Reports put into the archive, found in it and taken out again, byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, insert, select

from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from service.models.refusals import NotThere
from service.reports.told import told_by
from service.store.changes import record_change
from service.store.records import microseconds, moment
from service.store.tables import reports

KIND = "report"
"""Of the changes that are recorded here."""

KINDS = ("evaluation", "gate", "experiment", "behaviour")
MAX_BYTES = 16 * 2**20
MAX_TITLE = 256
SHORTEST_PREFIX = 6
VERDICT = "verdict"
"""Name of what the report says, in its summary."""

_BEGINNINGS = ("<!doctype html", "<html")


@dataclass(frozen=True, slots=True)
class Report:
    """A report without its page.

    Attributes
    ----------
    sha256
        of the page.
    kind
        one of ``KINDS``.
    title
        a line.
    added_at
        UTC.
    added_by
        a person, a key or a command.
    summary
        what it says, in short.
    size
        of the page, bytes.
    """

    sha256: str
    kind: str
    title: str
    added_at: datetime
    added_by: str
    summary: dict[str, Any]
    size: int


def add_report(
    connection: Connection,
    tenant: str,
    actor: str,
    page: bytes,
    kind: str,
    title: str | None,
    reason: str = "",
) -> tuple[Report, bool]:
    """Put a report into the archive.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant, actor, reason
        whose report, who adds it, and why.
    page
        HTML in UTF-8 that needs nothing beside it.
    kind
        one of ``KINDS``.
    title
        a line; None: that of the page.

    Returns
    -------
    tuple
        the report, and whether it is new: one that was there stays as it is.

    Raises
    ------
    UserError
        If it is too large, no page, or without a title.
    """
    if kind not in KINDS:
        raise UserError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    text = _checked(page)
    told = told_by(text)
    named = (told.title if title is None else " ".join(title.split())) or ""
    if not named or len(named) > MAX_TITLE or contains_card_number(named):
        raise UserError(
            f"the report's title: expected 1 to {MAX_TITLE} characters, and nothing that looks "
            "like a card number; give one with --title"
        )
    sha256 = hashlib.sha256(page).hexdigest()
    there = _found(connection, tenant, sha256)
    if there:
        return there[0], False
    connection.execute(
        insert(reports),
        {
            "tenant": tenant,
            "sha256": sha256,
            "kind": kind,
            "title": named,
            "added_at_us": microseconds(datetime.now(UTC)),
            "added_by": actor,
            "summary": msgspec.json.encode(
                {VERDICT: told.verdict} if told.verdict else {}
            ).decode(),
            "page": page,
        },
    )
    value = {"state": "added", "kind": kind, "title": named}
    record_change(connection, tenant, actor, KIND, sha256, value, reason)
    return _found(connection, tenant, sha256)[0], True


def list_reports(
    connection: Connection, tenant: str, limit: int = 100, before: Report | None = None
) -> list[Report]:
    """The newest reports of a merchant, newest first; those after ``before`` in that order."""
    query = _told(tenant).order_by(reports.c.added_at_us.desc(), reports.c.sha256)
    if before is not None:
        at_us = microseconds(before.added_at)
        query = query.where(
            (reports.c.added_at_us < at_us)
            | ((reports.c.added_at_us == at_us) & (reports.c.sha256 > before.sha256))
        )
    return [_report(row) for row in connection.execute(query.limit(limit))]


def find_report(connection: Connection, tenant: str, sha256: str) -> Report:
    """A report by its sha256, or by as much of its beginning as no other one shares.

    Raises
    ------
    NotThere
        If there is none, or there are several.
    """
    if len(sha256) >= SHORTEST_PREFIX and sha256.isascii() and sha256.isalnum():
        found = _found(connection, tenant, sha256)
        if len(found) == 1:
            return found[0]
        if found:
            raise NotThere(f"report {sha256[:64]}: is the beginning of several; give more of it")
    raise NotThere(
        f"report {sha256[:64]!r}: there is none. Expected a sha256, or its first "
        f"{SHORTEST_PREFIX} characters or more"
    )


def page_of(connection: Connection, tenant: str, sha256: str) -> bytes:
    """The page of a report that was found, as it was added.

    Raises
    ------
    UserError
        If its bytes are damaged.
    """
    page = connection.execute(
        select(reports.c.page).where(reports.c.tenant == tenant, reports.c.sha256 == sha256)
    ).scalar_one()
    found = bytes(page)
    if hashlib.sha256(found).hexdigest() != sha256:
        raise UserError(f"report {sha256[:12]}: its bytes in the archive are damaged")
    return found


def _checked(page: bytes) -> str:
    if len(page) > MAX_BYTES:
        raise UserError(
            f"a report of {len(page):,} bytes is too large; at most {MAX_BYTES:,} are kept"
        )
    try:
        text = page.decode()
    except UnicodeDecodeError:
        raise UserError("the report is not in UTF-8") from None
    if not text.lstrip("\ufeff \r\n\t").lower().startswith(_BEGINNINGS):
        raise UserError("the report is no page of HTML: it should begin with <!doctype html>")
    return text


def _told(tenant: str) -> Select[Any]:
    return select(
        reports.c.sha256,
        reports.c.kind,
        reports.c.title,
        reports.c.added_at_us,
        reports.c.added_by,
        reports.c.summary,
        func.length(reports.c.page).label("size"),
    ).where(reports.c.tenant == tenant)


def _found(connection: Connection, tenant: str, beginning: str) -> list[Report]:
    """At most two."""
    query = _told(tenant).where(reports.c.sha256.startswith(beginning)).limit(2)
    return [_report(row) for row in connection.execute(query)]


def _report(row: Row[Any]) -> Report:
    return Report(
        row.sha256,
        row.kind,
        row.title,
        moment(row.added_at_us),
        row.added_by,
        msgspec.json.decode(row.summary),
        row.size,
    )
