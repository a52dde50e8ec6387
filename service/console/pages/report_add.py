"""Adding a report to the archive, from the browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for

from service.api.operating import refusals
from service.api.problems import Problem
from service.console.asking import asking
from service.console.backing import Backing
from service.console.form_values import one_of, refused
from service.console.frame import done
from service.console.reasons import given_reason
from service.people.uploads import takes_file
from service.reports.archive import KINDS, MAX_BYTES, MAX_TITLE, add_report
from service.security.caller import caller
from service.store.changes import changing

_FILE = "file"


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the form."""

    @blueprint.get("/reports/add", endpoint="report_add")
    def asked(why_not: str | None = None) -> Response:
        fields: list[dict[str, Any]] = [
            {
                "name": _FILE,
                "label": "Report",
                "kind": "file",
                "accept": ".html,.htm,text/html",
                "required": True,
                "hint": f"One page of HTML, at most {MAX_BYTES // 2**20} MiB, that needs nothing "
                "beside it.",
            },
            {
                "name": "kind",
                "label": "What it reports of",
                "kind": "select",
                "options": [(kind, kind) for kind in KINDS],
            },
            {
                "name": "title",
                "label": "Title",
                "maxlength": MAX_TITLE,
                "hint": "Left empty: that of the page.",
            },
        ]
        return asking(
            "Add a report",
            here="reports",
            what="It goes into the archive as it is, for all who see this console. It is shown "
            "without any rights of theirs.",
            button="Add it",
            back=url_for("console.reports"),
            fields=fields,
            refused=why_not,
        )

    @blueprint.post("/reports/add", endpoint="report_add_sent")
    @takes_file(MAX_BYTES)
    def sent() -> Response:
        who, form = caller(), request.form
        try:
            reason, kind = given_reason(), one_of(form, "kind", KINDS)
            page = request.files[_FILE].read() if _FILE in request.files else b""
            if not page:
                raise refused(_FILE, "choose a report; an empty one is none")
            title = form.get("title", "").strip() or None
            with refusals(_FILE), changing(backing.engine) as connection:
                report, is_new = add_report(
                    connection, who.tenant, who.name, page, kind, title, reason
                )
        except Problem as problem:
            return asked(problem.detail)
        notice = f"{report.title} is in the archive." if is_new else "It was there already."
        return done(notice, url_for("console.report", sha=report.sha256[:12]))
