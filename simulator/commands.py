"""``authopt simulate``: make an attempt log whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.terminal import (
    ACCENT,
    console,
    existing_file,
    json_option,
    new_file,
    notes,
    print_json,
    tracked,
)

if TYPE_CHECKING:
    from rich.table import Table

    from authopt.batch import LoggedBatch
    from simulator.oracle import OracleValue
    from simulator.summary import GroupRow, Summary
    from simulator.truth import TrueValue


ORACLE_PAYMENTS = 5_000
MOST_CODES = 12
"""Decline codes that the table shows."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy is truly worth: on its own decisions, and on those of the log just made."""

    own: TrueValue
    on_log: float


@click.command()
@click.option("--out", type=new_file, required=True, help="Where to write the attempt log.")
@click.option(
    "--world",
    "name",
    type=click.Choice(["cards", "small"]),
    default="cards",
    show_default=True,
    help="cards: hundreds of issuers, balances, drift, all hidden; small: nothing is hidden.",
)
@click.option(
    "--payments", type=click.IntRange(1), default=20_000, show_default=True, help="How many."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is drawn.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    default="2026-01-05",
    show_default=True,
    help="When the first may arrive, UTC.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    default=60,
    show_default=True,
    help="They arrive over; less than 1 is a part of a day.",
)
@click.option(
    "--policy",
    "spec",
    metavar="SPEC",
    help="The logging policy, such as uniform or vw:model.vw. By default the router of a merchant "
    "who prefers some routes and explores. It does not learn while the log is made.",
)
@click.option(
    "--rules",
    "rules_file",
    type=existing_file,
    help="The merchant's own rules (TOML), beside the networks'.",
)
@click.option(
    "--true-value",
    "judged",
    multiple=True,
    metavar="SPEC",
    help="Say what this policy is truly worth: at the decisions of this log, and on as many "
    "payments of its own; repeatable.",
)
@click.option(
    "--oracle",
    is_flag=True,
    help="Say what the best plans could bring, hidden states being known: to as many payments, "
    f"{ORACLE_PAYMENTS:,} at most.",
)
@json_option
def simulate(
    out: Path,
    name: str,
    payments: int,
    seed: int,
    start: datetime,
    days: float,
    spec: str | None,
    rules_file: Path | None,
    judged: tuple[str, ...],
    oracle: bool,
    as_json: bool,
) -> None:
    """Write a simulated attempt log: payments whose chances are known.

    The log holds exact propensities. `authopt world show` shows who takes part.

    \b
    Examples:
      authopt simulate --out log.parquet
      authopt simulate --out log.parquet --payments 200000 --policy uniform
      authopt simulate --out log.parquet --true-value uniform --true-value vw:model.vw
      authopt simulate --out log.parquet --world small --oracle
    """
    import numpy as np

    from authopt.logs.files import write_log
    from authopt.policies.spec import load_policy
    from authopt.rules import DEFAULT_RULES, load_rules
    from authopt.rules.merchant_file import check_routes, load_merchant_rules
    from simulator.logging_policy import MerchantRouter
    from simulator.oracle import oracle_value
    from simulator.simulate import simulate as run
    from simulator.summary import Summary
    from simulator.traffic import Traffic
    from simulator.truth import value_of_own_log, value_on
    from simulator.worlds import named_world

    policies = [load_policy(text) for text in judged]
    given = None if spec is None else load_policy(spec)
    named = named_world(name)
    world = named.world
    rules = DEFAULT_RULES
    if rules_file is not None:
        merchant = load_merchant_rules(rules_file)
        check_routes(merchant, world.route_names, str(rules_file))
        rules = load_rules(merchant=merchant)
    policy = MerchantRouter(named.order) if given is None else given
    traffic = Traffic(payments, np.datetime64(start), days, seed)
    summary = Summary()
    on_log = [0.0] * len(policies)

    def counted() -> Iterator[LoggedBatch]:
        log = run(world, traffic, policy, rules=rules)
        for batch in tracked(log, "simulating", None, len):
            summary.add(batch)
            for place, each in enumerate(policies):
                on_log[place] += float(value_on(world, batch.decisions(), each).sum())
            yield batch

    write_log(out, counted())
    values = [
        value_of_own_log(
            world,
            each,
            tracked(
                run(world, traffic, each, rules=rules), f"true value of {each.name}", None, len
            ),
        )
        for each in policies
    ]
    judgements = [
        Judgement(value, total / summary.decisions)
        for value, total in zip(values, on_log, strict=True)
    ]
    best = None
    if oracle:
        few = replace(traffic, payments=min(payments, ORACLE_PAYMENTS))
        best = oracle_value(world, few, rules=rules)
    if as_json:
        print_json(
            {
                "out": out,
                "world": name,
                "policy": policy.name,
                "summary": summary.as_json(),
                "true_values": [
                    {
                        **asdict(each.own),
                        "per_decision_interval": each.own.per_decision_interval,
                        "per_payment_interval": each.own.per_payment_interval,
                        "on_this_log": each.on_log,
                    }
                    for each in judgements
                ],
                "oracle": None if best is None else asdict(best),
            }
        )
        return
    _print(summary, policy.name, judgements, best)
    notes().print(f"written: {out}", markup=False, soft_wrap=True)


def _print(
    summary: Summary, policy: str, judgements: list[Judgement], oracle: OracleValue | None
) -> None:
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
    for heading, groups in summary.groups().items():
        answer.print()
        answer.print(_group_table(heading, groups))
    declines = _table("decline code", "attempts", "of declines", "of declines at first")
    for each in summary.decline_codes()[:MOST_CODES]:
        declines.add_row(
            each.code, f"{each.declines:,}", f"{each.share:.1%}", f"{each.first_share:.1%}"
        )
    answer.print()
    answer.print(declines)
    if judgements:
        headings = ("on this log", "per decision", "paid in the end", "attempts per payment")
        table = _table("true value", *headings)
        for judgement in judgements:
            own = judgement.own
            table.add_row(
                own.policy,
                f"{judgement.on_log:.2%}",
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
    if oracle is not None:
        answer.print()
        answer.print(_oracle_table(oracle))
        answer.print(
            f"to {oracle.foresight.payments:,} payments. The oracles know what is hidden but no "
            "luck; with foresight, the luck too: no policy gets more paid than the bound says"
        )


def _group_table(heading: str, groups: list[GroupRow]) -> Table:
    table = _table(heading, "attempts", "approved", "first attempts", "approved at first")
    for group in groups:
        table.add_row(
            group.name,
            f"{group.made:,}",
            f"{group.approved:.1%}",
            f"{group.first_made:,}",
            f"{group.first_approved:.1%}",
        )
    return table


def _oracle_table(oracle: OracleValue) -> Table:
    table = _table("what could be had", "paid in the end", "attempts per payment")
    for what, value in (
        ("the best action at each decision", oracle.greedy),
        ("planning ahead", oracle.planning),
    ):
        paid = f"{value.per_payment:.2%} ± {value.per_payment_se:.2%}"
        table.add_row(what, paid, f"{value.attempts_per_payment:.3f}")
    seen = oracle.foresight
    table.add_row("a plan found with foresight", f"{seen.paid:.2%}", "")
    table.add_row("bound on every policy", f"{seen.bound:.2%} ± {seen.bound_se:.2%}", "")
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column(first, style=ACCENT)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
