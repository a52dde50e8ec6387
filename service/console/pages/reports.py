"""The archive of reports.

A report is a page that somebody made elsewhere, with a script of its own. It is shown in a frame
without the rights of the console: its origin is none, so that its script reads no cookie and no
page, and its policy lets it load and send nothing.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from service.api.operating import refusals
from service.console.backing import Backing
from service.console.frame import HTML, page
from service.console.tables import Column, Row, Table
from service.reports.archive import VERDICT, Report, find_report, list_reports, page_of
from service.security.caller import caller

SHOWN = 50

_SANDBOX = {
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
    # The frame is on a page of the console, which says DENY otherwise.
    "X-Frame-Options": "SAMEORIGIN",
}
_CSP = "Content-Security-Policy"


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    @blueprint.get("/reports", endpoint="reports")
    def every() -> Response:
        tenant, after = caller().tenant, request.args.get("after")
        with refusals("query after"), backing.engine.connect() as connection:
            before = None if after is None else find_report(connection, tenant, after)
            found = list_reports(connection, tenant, SHOWN + 1, before)
        return page(
            "reports.html",
            title="Reports",
            here="reports",
            tables=(_table(found[:SHOWN]),),
            after=after,
            last=found[SHOWN - 1].sha256[:12] if len(found) > SHOWN else None,
        )

    @blueprint.get("/reports/<sha>", endpoint="report")
    def one(sha: str) -> Response:
        with refusals("path"), backing.engine.connect() as connection:
            report = find_report(connection, caller().tenant, sha)
        answer = page("report.html", title=report.title, here="reports", report=report)
        # A frame may go nowhere but to this service, whatever the report in it wants.
        answer.headers[_CSP] += "; frame-src 'self'"
        return answer

    @blueprint.get("/reports/<sha>/page", endpoint="report_page")
    def whole(sha: str) -> Response:
        tenant = caller().tenant
        with refusals("path"), backing.engine.connect() as connection:
            report = find_report(connection, tenant, sha)
            data = page_of(connection, tenant, report.sha256)
        answer = Response(data, content_type=HTML, headers=_SANDBOX)
        if "save" in request.args:
            name = f"report-{report.sha256[:12]}.html"
            answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


def _table(found: list[Report]) -> Table:
    rows = [
        {
            "title": each.title,
            "kind": each.kind,
            "verdict": each.summary.get(VERDICT),
            "added_at": each.added_at,
            "added_by": each.added_by,
            "size": each.size,
            "sha256": each.sha256,
        }
        for each in found
    ]

    def link(row: Row) -> str:
        return url_for("console.report", sha=row["sha256"][:12])

    return Table(
        "reports",
        "The archive, newest first",
        (
            Column("title", "report", "text", link),
            Column("kind", "of", "tag"),
            Column("verdict", "says"),
            Column("added_at", "added (UTC)", "moment"),
            Column("added_by", "by"),
            Column("size", "bytes", "count"),
            Column("sha256", "sha256", "sha"),
        ),
        rows,
        "None. Add one with: authopt reports add report.html",
    )
