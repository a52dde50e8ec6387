"""``authopt simulate``: make an attempt log whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.terminal import ACCENT, console, json_option, new_file, notes, print_json, tracked

if TYPE_CHECKING:
    from rich.table import Table

    from authopt.batch import LoggedBatch
    from simulator.summary import Summary
    from simulator.truth import TrueValue


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy is truly worth: on its own decisions, and on those of the log just made."""

    own: TrueValue
    on_log: float


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
    "who prefers some routes and explores. It does not learn while the log is made.",
)
@click.option(
    "--true-value",
    "judged",
    multiple=True,
    metavar="SPEC",
    help="Say what this policy is truly worth: at the decisions of this log, and on as many "
    "payments of its own; repeatable.",
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
    from simulator.truth import value_of_own_log, value_on
    from simulator.world import default_world

    policies = [load_policy(text) for text in judged]
    policy = MerchantRouter(DEFAULT_ORDER) if spec is None else load_policy(spec)
    world = default_world()
    traffic = Traffic(payments, np.datetime64(start.date()), days, seed)
    summary = Summary()
    on_log = [0.0] * len(policies)

    def counted() -> Iterator[LoggedBatch]:
        for batch in tracked(run(world, traffic, policy), "simulating", None, len):
            summary.add(batch)
            for place, each in enumerate(policies):
                on_log[place] += float(value_on(world, batch.decisions(), each).sum())
            yield batch

    write_log(out, counted())
    values = [
        value_of_own_log(
            world,
            each,
            tracked(run(world, traffic, each), f"true value of {each.name}", None, len),
        )
        for each in policies
    ]
    judgements = [
        Judgement(value, total / summary.decisions)
        for value, total in zip(values, on_log, strict=True)
    ]
    if as_json:
        true_values = [{**asdict(each.own), "on_this_log": each.on_log} for each in judgements]
        print_json(
            {
                "out": out,
                "policy": policy.name,
                "summary": summary.as_json(),
                "true_values": true_values,
            }
        )
        return
    _print(summary, policy.name, judgements)
    notes().print(f"written: {out}", markup=False, soft_wrap=True)


def _print(summary: Summary, policy: str, judgements: list[Judgement]) -> None:
    answer = console()
    answer.print(
        f"{summary.payments:,} payments, {summary.decisions:,} decisions by {policy}; "
        f"{summary.paid:.1%} of the payments paid in the end"
    )
    attempts = _table("attempt", "made", "approved", "given up before")
    for row in summary.attempts():
        attempts.add_row(
            str(row.attempt), f"{row.made:,}", f"{row.approved:.1%}", f"{row.stopped:,}"
        )
    answer.print(attempts)
    for heading, groups in (("network", summary.networks()), ("route", summary.routes())):
        table = _table(heading, "attempts", "approved", "first attempts", "approved at first")
        for group in groups:
            table.add_row(
                group.name,
                f"{group.made:,}",
                f"{group.approved:.1%}",
                f"{group.first_made:,}",
                f"{group.first_approved:.1%}",
            )
        answer.print()
        answer.print(table)
    if judgements:
        headings = ("on this log", "per decision", "paid in the end", "attempts per payment")
        table = _table("true value", *headings)
        for each in judgements:
            own = each.own
            table.add_row(
                own.policy,
                f"{each.on_log:.2%}",
                f"{own.per_decision:.2%} ± {own.per_decision_se:.2%}",
                f"{own.per_payment:.2%} ± {own.per_payment_se:.2%}",
                f"{own.attempts_per_payment:.3f}",
            )
        answer.print()
        answer.print(table)
        answer.print(
            "on this log: at its decisions, exactly; what `authopt evaluate` estimates. "
            "The others: at the decisions that the policy meets itself, ± one standard error",
        )


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column(first, style=ACCENT)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
