"""``authopt world``: who takes part in the simulated world, and whether it looks like real ones."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from authopt.terminal import ACCENT, console, json_option, print_json, tracked

if TYPE_CHECKING:
    from rich.table import Table

    from simulator.calibration.published import Published
    from simulator.worlds import NamedWorld

PAYMENTS = 200_000


@dataclass(frozen=True, slots=True)
class Row:
    """A published figure and the simulated one."""

    published: Published
    simulated: float

    @property
    def inside(self) -> bool:
        """Whether the simulated figure lies in the published range."""
        return self.published.holds(self.simulated)


@click.group()
def world() -> None:
    """Look at the simulated world: who takes part, and what is published about the real one."""


@world.command()
@click.option("--payments", type=click.IntRange(1), default=PAYMENTS, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is drawn.")
@click.option(
    "--world",
    "name",
    type=click.Choice(["cards", "small"]),
    default="cards",
    show_default=True,
    help="Which world.",
)
@click.option("--markdown", is_flag=True, help="The table as simulator/README.md has it.")
@json_option
def calibrate(payments: int, seed: int, name: str, markdown: bool, as_json: bool) -> None:
    """Hold a simulated log against published figures; exit 1 where one lies outside its range.

    The log is that of a merchant with a fixed retry schedule, over 60 days. Published figures are
    those of vendors, named in the table; where there is one figure alone, its range is a quarter
    of it to either side.

    \b
    Examples:
      authopt world calibrate
      authopt world calibrate --payments 200000 --seed 2 --json
    """
    from simulator.worlds import named_world

    rows = calibrated(named_world(name), payments, seed)
    outside = [row.published.key for row in rows if not row.inside]
    if as_json:
        figures = [
            {**asdict(row.published), "simulated": row.simulated, "inside": row.inside}
            for row in rows
        ]
        print_json({"payments": payments, "seed": seed, "figures": figures, "outside": outside})
    elif markdown:
        click.echo("\n".join(markdown_table(rows)))
    else:
        console().print(_table(rows))
        text = f"outside: {', '.join(outside)}" if outside else "all inside"
        console().print(f"{payments:,} payments, seed {seed}: {text}", soft_wrap=True)
    if outside:
        sys.exit(1)


def calibrated(named: NamedWorld, payments: int, seed: int) -> list[Row]:
    """Every published figure with the one that a log of this world shows."""
    from authopt.batch import concat
    from simulator.calibration.measure import measured
    from simulator.calibration.published import PUBLISHED
    from simulator.calibration.schedule import RetrySchedule
    from simulator.simulate import simulate
    from simulator.traffic import Traffic

    log = simulate(named.world, Traffic(payments, seed=seed), RetrySchedule(named.order))
    found = measured(concat(list(tracked(log, "simulating", None, len))))
    return [Row(each, found[each.key]) for each in PUBLISHED]


@world.command()
@click.option("--merchants", type=click.IntRange(0), default=10, show_default=True)
@click.option("--issuers", type=click.IntRange(0), default=10, show_default=True)
@click.option(
    "--world",
    "name",
    type=click.Choice(["cards", "small"]),
    default="cards",
    show_default=True,
    help="Which world.",
)
@click.option(
    "--payments",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="Of a log that the shares are read from.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is drawn.")
@json_option
def show(merchants: int, issuers: int, name: str, payments: int, seed: int, as_json: bool) -> None:
    """Show who takes part: routes, merchants and issuers, the largest first, as payments meet them.

    \b
    Examples:
      authopt world show
      authopt world show --merchants 40 --issuers 300
    """
    from simulator.calibration.cast import cast_of
    from simulator.worlds import named_world

    cast = cast_of(named_world(name), payments, seed)
    if as_json:
        print_json(cast)
        return
    answer = console()
    for title, members, limit in (
        ("route", cast.routes, None),
        ("merchant", cast.merchants, merchants),
        ("issuer", cast.issuers, issuers),
    ):
        if limit == 0:
            continue
        table = _columns(title, "payments", "approved at first", "what")
        for member in members[:limit]:
            table.add_row(member.name, f"{member.share:.1%}", f"{member.approved:.1%}", member.what)
        answer.print(table)
        left = len(members) - len(members[:limit])
        answer.print(f"and {left} more\n" if left else "")


def _table(rows: list[Row]) -> Table:
    table = _columns("figure", "simulated", "published range", "source", "inside")
    for row in rows:
        table.add_row(
            row.published.what,
            shown(row.simulated, row.published.unit),
            shown_range(row.published),
            f"{row.published.said} ({row.published.sources})",
            "yes" if row.inside else "[bold red]no[/]",
        )
    return table


def shown(value: float, unit: str) -> str:
    """A figure as the tables show it."""
    return f"{value:.1%}" if unit == "%" else f"{value:.4g}x"


def shown_range(published: Published) -> str:
    """A published range as the tables show it."""
    low, high = (
        "" if end is None else shown(end, published.unit) for end in (published.low, published.high)
    )
    if not high:
        return f"{low} or more"
    return f"{low} to {high}"


def markdown_table(rows: list[Row]) -> list[str]:
    """The table in Markdown, a line per figure."""
    lines = ["| figure | simulated | published range | what is said | source |"]
    lines.append("| --- | ---: | --- | --- | --- |")
    for row in rows:
        published = row.published
        simulated = shown(row.simulated, published.unit)
        cells = (
            published.what,
            simulated if row.inside else f"{simulated} (outside)",
            shown_range(published),
            published.said,
            published.sources,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _columns(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column(first, style=ACCENT)
    for heading in others:
        words = heading in ("source", "what")
        table.add_column(heading, justify="left" if words else "right")
    return table
