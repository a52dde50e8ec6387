"""``authopt scenario``: run a scenario, say what came out, and draw its picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import ACCENT, console, json_option, new_file, notes, print_json, tracked

if TYPE_CHECKING:
    from rich.table import Table

    from simulator.scenarios.scenario import Answer, Scenario, Unit


@click.command()
@click.argument("name", required=False)
@click.option("--list", "as_list", is_flag=True, help="List the scenarios, a sentence each.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the picture, NAME.png.",
)
@click.option(
    "--format", "suffix", type=click.Choice(["png", "svg", "pdf"]), default="png", show_default=True
)
@click.option("--dark", is_flag=True, help="Draw on a dark page; the default prints.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is drawn.")
@click.option(
    "--payments", type=click.IntRange(1), help="How many; by default the scenario's own number."
)
@click.option(
    "--policy",
    "policies",
    metavar="SPEC",
    multiple=True,
    help="Compare this policy, such as success-rate or vw:model.vw, in place of the scenario's "
    "own; repeatable.",
)
@click.option("--log", type=new_file, help="Write the first policy's attempt log there, too.")
@json_option
def scenario(
    name: str | None,
    as_list: bool,
    out: Path | None,
    suffix: str,
    dark: bool,
    seed: int,
    payments: int | None,
    policies: tuple[str, ...],
    log: Path | None,
    as_json: bool,
) -> None:
    """Run a scenario: something happens to a merchant's payments, and a picture shows what.

    Without a NAME, or with --list, the scenarios are listed.

    \b
    Examples:
      authopt scenario
      authopt scenario outage --out pictures
      authopt scenario steady --out pictures --policy success-rate --policy vw:model.vw
    """
    from simulator.scenarios.catalogue import SCENARIOS

    if name is None or as_list:
        _list(list(SCENARIOS.values()), as_json)
        return
    if name not in SCENARIOS:
        raise UserError(f"scenario {name!r} is not known; expected one of {', '.join(SCENARIOS)}")
    if out is None:
        raise UserError(
            f"say where to put the picture: authopt scenario {name} --out DIR (it becomes "
            f"DIR/{name}.{suffix})"
        )
    from authopt.look.static_charts import need_matplotlib
    from simulator.scenarios.run import log_of, run_scenario, write_picture

    need_matplotlib()
    chosen = SCENARIOS[name]
    run = run_scenario(chosen, seed, payments=payments, policies=policies)
    picture = out / f"{name}.{suffix}"
    out.mkdir(parents=True, exist_ok=True)
    write_picture(run, picture, dark=dark)
    if log is not None:
        from authopt.logs.files import write_log

        batches = log_of(chosen, seed, payments=payments, policies=policies)
        write_log(log, tracked(batches, "writing the log", None, len))
    if as_json:
        print_json({**run.as_json(), "picture": picture, "log": log})
        return
    answer = console()
    answer.print(run.findings.finding, markup=False, style="bold")
    answer.print(run.findings.explanation, markup=False)
    answer.print()
    answer.print(_table(run.findings.answer))
    for path in (picture, log):
        if path is not None:
            notes().print(f"written: {path}", markup=False, soft_wrap=True)


def _list(scenarios: list[Scenario], as_json: bool) -> None:
    if as_json:
        print_json([{"name": each.name, "sentence": each.sentence} for each in scenarios])
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("scenario", style=ACCENT, no_wrap=True)
    table.add_column("what happens")
    for each in scenarios:
        table.add_row(each.name, each.sentence)
    console().print(table)
    console().print("\nRun one: authopt scenario NAME --out DIR", markup=False)


def _table(answer: Answer) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for place, (heading, _) in enumerate(answer.columns):
        if place:
            # A heading may break between words, not within one.
            longest = max(len(word) for word in heading.split())
            table.add_column(heading, justify="right", min_width=longest)
        else:
            table.add_column(heading, style=ACCENT)
    units = [unit for _, unit in answer.columns]
    for row in answer.rows:
        table.add_row(*(shown(value, unit) for value, unit in zip(row, units, strict=True)))
    return table


def shown(value: Any, unit: Unit) -> str:
    """A value of a table as text; a dash where there is none."""
    from simulator.scenarios.scenario import Unit

    if value is None:
        return "-"
    forms = {
        Unit.COUNT: "{:,.0f}",
        Unit.SHARE: "{:.1%}",
        Unit.NUMBER: "{:,.1f}",
        Unit.SECONDS: "{:,.0f} s",
    }
    return forms.get(unit, "{}").format(value)
