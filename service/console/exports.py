"""What a page shows, as CSV and JSON: ``?format=csv&table=NAME`` and ``?format=json``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Request, Response

from service.api.problems import FieldError, Problem
from service.console.tables import Table

FORMATS = ("csv", "json")

# A spreadsheet takes a text that begins so for a formula (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def exported(asked: Request, tables: Sequence[Table], name: str) -> Response | None:
    """The tables of a page, if they are asked for in another form than the page.

    Parameters
    ----------
    tables
        of the page; as JSON all of them, as CSV one.
    name
        of the page, for the file.

    Raises
    ------
    Problem
        422, where there is no such form or table.
    """
    form = asked.args.get("format")
    if form is None:
        return None
    if form not in FORMATS or not tables:
        raise _refused("format", f"expected one of {', '.join(FORMATS)}")
    if form == "json":
        body = msgspec.json.encode({table.name: _rows(table) for table in tables})
        return _file(body, "application/json", f"{name}.json")
    names = [table.name for table in tables]
    wanted = asked.args.get("table", names[0])
    if wanted not in names:
        raise _refused("table", f"expected one of {', '.join(names)}")
    table = tables[names.index(wanted)]
    return _file(as_csv(table).encode(), "text/csv; charset=utf-8", f"{name}-{wanted}.csv")


def as_csv(table: Table) -> str:
    """A table as RFC 4180 has it; texts that a spreadsheet would calculate begin with ``'``."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.key for column in table.columns])
    for row in _rows(table):
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue()


def _rows(table: Table) -> list[dict[str, Any]]:
    return [
        {column.key: _plain(row.get(column.key)) for column in table.columns} for row in table.rows
    ]


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return value


def _file(body: bytes, content_type: str, name: str) -> Response:
    answer = Response(body, content_type=content_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _refused(name: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"query {name}: {message}",
        FieldError(f"query {name}", message),
    )
