"""``authopt simulate``: make an attempt log whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.terminal import ACCENT, console, json_option, new_file, notes, print_json, tracked

if TYPE_CHECKING:
    from authopt.batch import LoggedBatch
    from simulator.summary import Summary
    from simulator.truth import TrueValue


@click.command()
@click.option("--out", type=new_file, required=True, help="Where to write the attempt log.")
@click.option(
    "--payments", type=click.IntRange(1), default=20_000, show_default=True, help="How many."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is drawn.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2026-01-05",
    show_default=True,
    help="First day, UTC.",
)
@click.option(
    "--days", type=click.IntRange(1), default=60, show_default=True, help="They arrive over."
)
@click.option(
    "--policy",
    "spec",
    metavar="SPEC",
    help="The logging policy, such as uniform or vw:model.vw. By default the router of a merchant "
    "who prefers some routes and explores.",
)
@click.option(
    "--true-value",
    "judged",
    multiple=True,
    metavar="SPEC",
    help="Say what this policy is truly worth in the world, on as many payments; repeatable.",
)
@json_option
def simulate(
    out: Path,
    payments: int,
    seed: int,
    start: datetime,
    days: int,
    spec: str | None,
    judged: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a simulated attempt log: payments whose chances are known.

    The world has five routes, twelve issuers of differing taste and five merchants; declines are
    soft and hard, and retries may wait. The log holds exact propensities.

    \b
    Examples:
      authopt simulate --out log.parquet
      authopt simulate --out log.parquet --payments 200000 --policy uniform
      authopt simulate --out log.parquet --true-value uniform --true-value vw:model.vw
    """
    import numpy as np

    from authopt.logs.files import write_log
    from authopt.policies.spec import load_policy
    from simulator.arrivals import Traffic
    from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
    from simulator.simulate import simulate as run
    from simulator.summary import Summary
    from simulator.truth import true_value
    from simulator.world import default_world

    policies = [load_policy(text) for text in judged]
    policy = MerchantRouter(DEFAULT_ORDER) if spec is None else load_policy(spec)
    world = default_world()
    traffic = Traffic(payments, np.datetime64(start.date()), days, seed)
    summary = Summary()

    def counted() -> Iterator[LoggedBatch]:
        for batch in tracked(run(world, traffic, policy), "simulating", None, len):
            summary.add(batch)
            yield batch

    write_log(out, counted())
    values = [true_value(world, each, traffic) for each in policies]
    if as_json:
        print_json(
            {"out": out, "policy": policy.name, "summary": summary.as_json(), "true_values": values}
        )
        return
    _print(summary, policy.name, values)
    notes().print(f"written: {out}", markup=False, soft_wrap=True)


def _print(summary: Summary, policy: str, values: list[TrueValue]) -> None:
    from rich.table import Table

    answer = console()
    answer.print(
        f"{summary.payments:,} payments, {summary.decisions:,} decisions by {policy}; "
        f"{summary.paid:.1%} of the payments paid in the end"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("attempt", style=ACCENT)
    for heading in ("made", "approved", "given up before"):
        table.add_column(heading, justify="right")
    for row in summary.attempts():
        table.add_row(str(row.attempt), f"{row.made:,}", f"{row.approved:.1%}", f"{row.stopped:,}")
    answer.print(table)
    if values:
        answer.print()
        table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
        table.add_column("true value", style=ACCENT)
        for heading in ("per decision", "paid in the end", "attempts per payment"):
            table.add_column(heading, justify="right")
        for value in values:
            table.add_row(
                value.policy,
                f"{value.per_decision:.2%} ± {value.per_decision_se:.2%}",
                f"{value.per_payment:.2%} ± {value.per_payment_se:.2%}",
                f"{value.attempts_per_payment:.3f}",
            )
        answer.print(table)
