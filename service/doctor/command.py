"""``authopt doctor``: look at a deployment, and say what to mend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import CheckFailed, UserError
from authopt.terminal import console, existing_file, json_option, print_json

if TYPE_CHECKING:
    from service.doctor.finding import Finding


@click.command()
@click.option(
    "--config",
    type=existing_file,
    metavar="FILE.toml",
    help="Of the service, as authopt serve takes it.",
)
@click.option(
    "--database",
    metavar="URL",
    show_default="the file's, or sqlite:///authopt.db",
    help="Of the service.",
)
@click.option("--url", metavar="URL", help="Of the service that runs: it is asked as well.")
@click.option(
    "--key",
    envvar="AUTHOPT_KEY",
    metavar="KEY",
    help="With --url: an API key with the scope read. Better in the environment, as AUTHOPT_KEY.",
)
@json_option
def doctor(
    config: Path | None, database: str | None, url: str | None, key: str | None, as_json: bool
) -> None:
    """Look at a deployment of the decision service, and say what to mend.

    Run it where the service runs, as the account that it runs as. It looks at the database, its
    disk and clock, the spool, the policies and rules, the keys, the learners, the watch over what
    is recorded and, with --url, the service itself. It changes nothing, but for a row that it
    writes and takes away.

    \b
    Examples:
      authopt doctor
      authopt doctor --config service.toml --url http://127.0.0.1:8000
      authopt doctor --database postgresql+psycopg://db/authopt --json
    """
    from service.doctor.examination import Deployment, examine
    from service.doctor.finding import State

    if url is not None and not url.startswith(("http://", "https://")):
        raise UserError(f"--url is {url[:80]!r}; expected such as http://127.0.0.1:8000")
    findings = list(examine(Deployment(config, database, url, key)))
    failed = sum(each.state is State.FAIL for each in findings)
    if as_json:
        print_json({"failed": failed, "findings": findings})
    else:
        _print(findings)
    if failed:
        raise CheckFailed(f"{failed} of {len(findings)} points fail")


def _print(findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from service.doctor.finding import State

    colours = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for each in findings:
        said = Text(each.found, overflow="fold")
        if each.mend:
            said.append(f"\n{each.mend}", style="bold")
        table.add_row(Text(each.state.upper(), style=colours[each.state]), Text(each.point), said)
    console().print(table)
