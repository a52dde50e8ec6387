"""``authopt reports``: the archive of reports that the console shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import ACCENT, console, existing_file, json_option, new_file, print_json
from service.store.at_the_prompt import changing_at, database_option, reading_at, reason_option
from service.tenants import DEFAULT_TENANT, check_tenant

if TYPE_CHECKING:
    from service.reports.archive import Report


def _checked_tenant(_: click.Context, __: click.Parameter, name: str) -> str:
    check_tenant(name)
    return name


def _tenant_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--tenant",
        default=DEFAULT_TENANT,
        show_default=True,
        callback=_checked_tenant,
        help="The merchant.",
    )(function)


@click.group()
def reports() -> None:
    """Reports in the archive, which the console shows at /console/reports."""


@reports.command("add")
@click.argument("page", metavar="FILE.html", type=existing_file)
@click.option("--title", help="A line. By default the title of the page.")
@click.option(
    "--kind",
    type=click.Choice(["evaluation", "gate", "experiment", "behaviour"]),
    default="evaluation",
    show_default=True,
    help="What it reports of.",
)
@reason_option
@_tenant_option
@database_option
@json_option
def add(
    page: Path,
    title: str | None,
    kind: str,
    reason: str,
    tenant: str,
    database: str,
    as_json: bool,
) -> None:
    """Put the report FILE.html into the archive, whole.

    \b
    Examples:
      authopt reports add report.html
      authopt reports add report.html --title "May, three routes" --reason "for the board"
    """
    from service.models.opened import actor
    from service.reports.archive import add_report

    data = page.read_bytes()
    with changing_at(database) as connection:
        report, is_new = add_report(connection, tenant, actor("reports"), data, kind, title, reason)
    if as_json:
        print_json({**_plain(report), "new": is_new})
        return
    console().print(report.sha256, "" if is_new else "(was there already)")


@reports.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@_tenant_option
@database_option
@json_option
def list_command(limit: int, tenant: str, database: str, as_json: bool) -> None:
    """List the newest reports."""
    from rich.table import Table

    from service.reports.archive import list_reports

    with reading_at(database) as connection:
        found = list_reports(connection, tenant, limit)
    if as_json:
        print_json([_plain(each) for each in found])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("report", "kind", "title", "added", "by"):
        table.add_column(heading, style=ACCENT if heading == "report" else None, overflow="fold")
    for each in found:
        added = f"{each.added_at:%Y-%m-%d %H:%M}"
        table.add_row(each.sha256[:12], each.kind, each.title, added, each.added_by)
    console().print(table if found else "no reports")


@reports.command("export")
@click.argument("sha256")
@click.option("--out", type=new_file, required=True, help="Where the page goes.")
@_tenant_option
@database_option
@json_option
def export(sha256: str, out: Path, tenant: str, database: str, as_json: bool) -> None:
    """Write the report SHA256 (or its first characters) to a file, as it was added."""
    from authopt.whole_file import write_whole
    from service.reports.archive import find_report, page_of

    with reading_at(database) as connection:
        report = find_report(connection, tenant, sha256)
        page = page_of(connection, tenant, report.sha256)
    try:
        write_whole(out, page)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from None
    if as_json:
        print_json(_plain(report))
        return
    console().print(f"{report.title}: {out}", markup=False)


def _plain(report: Report) -> dict[str, Any]:
    return {
        "sha256": report.sha256,
        "kind": report.kind,
        "title": report.title,
        "added_at": report.added_at.isoformat(),
        "added_by": report.added_by,
        "summary": report.summary,
        "bytes": report.size,
    }
