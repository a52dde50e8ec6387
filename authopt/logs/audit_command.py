"""``authopt log audit``: can this log be trusted, and what has to be mended."""

from __future__ import annotations

from pathlib import Path

import click

from authopt.errors import CheckFailed
from authopt.terminal import (
    console,
    existing_file,
    json_option,
    new_file,
    notes,
    print_json,
    tracked,
)


@click.command("audit")
@click.argument("log", type=existing_file)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Give success rates by this column too: a category, a flag or a number of few values. "
    "Repeat it for several.",
)
@click.option(
    "--rejects",
    "rejects_file",
    type=new_file,
    metavar="FILE.csv",
    help="Write every row that cannot be used to this file, with column, value and reason.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 where there is a problem, or a row that cannot be used.",
)
@json_option
def audit(
    log: Path, by: tuple[str, ...], rejects_file: Path | None, strict: bool, as_json: bool
) -> None:
    """Say whether LOG can be trusted, and what has to be mended.

    Looks for rows that cannot be used, missing and contradictory values, duplicates, attempts out
    of order and actions against the networks' rules; gives success by route and segment; shows how
    much of every route the log holds; and checks the propensities: the mean of 1/propensity has to
    be the number of eligible actions, overall, by route and by time.

    Findings are 'problem' (figures from this log would be wrong), 'warning' (they hold for part of
    the question), 'note' and 'ok'. The exit status is 0 whatever is found, unless --strict asks for
    a sound log.

    \b
    Examples:
      authopt log audit attempts.parquet
      authopt log audit attempts.parquet --by funding --by x_shop
      authopt log audit attempts.parquet --strict --rejects rejected.csv
      authopt log audit attempts.parquet --json > audit.json
    """
    from authopt.logs.audit.report import Level
    from authopt.logs.audit.run import audit_log
    from authopt.logs.audit.tables import print_audit
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects

    opened = open_log(log)
    for remark in opened.remarks:
        notes().print(remark, markup=False, soft_wrap=True)
    with Rejects(sink=rejects_file) as rejects:
        report = audit_log(
            opened,
            by=by,
            rejects=rejects,
            track=lambda batches: tracked(batches, "auditing", opened.num_rows, len),
        )
    if as_json:
        print_json(report)
    else:
        print_audit(report, console())
    if strict and (report.verdict is Level.PROBLEM or report.rejected):
        problems = sum(finding.level is Level.PROBLEM for finding in report.findings)
        raise CheckFailed(
            f"{log}: {problems} problem(s), {report.rejected:,} row(s) that cannot be used"
        )
