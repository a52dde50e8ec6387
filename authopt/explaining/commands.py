"""``authopt explain``: why one decision was made, and what a policy does."""

from __future__ import annotations

from pathlib import Path

import click

from authopt.errors import UserError
from authopt.sampling import DEFAULT_SALT
from authopt.terminal import (
    console,
    existing_file,
    json_option,
    new_file,
    notes,
    print_json,
    tracked,
)

CHUNK_ROWS = 8_192
"""Decisions asked about at once: few, so that progress is seen where a model is slow."""


@click.group()
def explain() -> None:
    """Say why a decision was made, and what a policy does by segment."""


@explain.command("decision")
@click.argument("log", type=existing_file)
@click.argument("decision", required=False, metavar="[ID]")
@click.option("--policy", "spec", required=True, metavar="SPEC", help="Who decides.")
@click.option("--payment", metavar="ID", help="Instead of the decision's id: its payment's,")
@click.option("--attempt", type=click.IntRange(1), help="and which attempt of it.")
@click.option("--rules", "file", type=existing_file, metavar="FILE.toml", help="Your own rules.")
@click.option(
    "--routes",
    metavar="A,B,C",
    help="Routes that could be asked for, to name what rules removed. By default those of the "
    "log's other decisions.",
)
@click.option(
    "--delays",
    metavar="T,T",
    help="Delays that could be asked for, such as 0,1d. By default those of the log's other "
    "decisions.",
)
@click.option("--salt", default=DEFAULT_SALT, show_default=True, help="Of the hash that draws.")
@click.option(
    "--top",
    type=click.IntRange(2),
    default=3,
    show_default=True,
    help="How many of the best actions to compare.",
)
@json_option
def decision_command(
    log: Path,
    decision: str | None,
    spec: str,
    payment: str | None,
    attempt: int | None,
    file: Path | None,
    routes: str | None,
    delays: str | None,
    salt: str,
    top: int,
    as_json: bool,
) -> None:
    """Explain one decision of LOG as a policy would make it.

    For every eligible action: what the policy thinks of it, its probability, what of that is the
    policy's choice and what is exploration of which kind, and where the draw fell. For the best
    actions: what every feature adds to the difference of their scores; with models of Vowpal Wabbit
    the parts sum to it. And which actions the rules removed.

    \b
    Examples:
      authopt explain decision log.parquet d17 --policy vw:model.vw
      authopt explain decision log.parquet --payment p17 --attempt 2 --policy recommended:live.json
      authopt explain decision log.parquet d17 --policy logged --rules merchant.toml --json
    """
    from authopt.explaining.decision import explain_decision
    from authopt.explaining.decision_table import print_decision
    from authopt.explaining.found_decision import Wanted, find_decision
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects
    from authopt.policies.spec import load_policy
    from authopt.rules.merchant import MerchantRules
    from authopt.rules.merchant_file import load_merchant_rules
    from authopt.rules.one_payment import offered
    from authopt.rules.rule_set import load_rules

    if (decision is None) == (payment is None):
        raise UserError("say which decision: its ID, or --payment ID and --attempt N")
    if decision is not None and attempt is not None:
        raise UserError("--attempt goes with --payment; a decision's ID is enough by itself")
    merchant = MerchantRules() if file is None else load_merchant_rules(file)
    policy = load_policy(spec)
    opened = open_log(log)
    with Rejects() as rejects:
        batches = tracked(
            opened.batches(rejects=rejects), "looking for the decision", opened.num_rows, len
        )
        found = find_decision(batches, Wanted(decision, payment, attempt), log)
    actions = offered(
        _names(routes) or (*found.routes, *merchant.routes),
        _seconds(delays) if delays else found.delays_s,
    )
    explained = explain_decision(
        found.one,
        policy,
        salt=salt,
        top=top,
        offered=actions,
        rules=load_rules(merchant=merchant),
    )
    if as_json:
        print_json(explained)
    else:
        print_decision(explained, found.one, console())


@explain.command("policy")
@click.argument("spec")
@click.option("--log", type=existing_file, required=True, help="Whose payments to decide.")
@click.option(
    "--live",
    "live_spec",
    default="logged",
    show_default=True,
    metavar="SPEC",
    help="What to compare with: another policy, or what the log did.",
)
@click.option(
    "--by",
    metavar="COL,COL",
    help="Segments: context columns, attempt or amount_band; crossed by +, as in "
    "network+attempt.  [default: issuer or network, and attempt]",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Segments that are shown, the largest first.",
)
@click.option(
    "--out",
    type=new_file,
    metavar="FILE",
    help="Write a page too (.html), or a picture (.png, .svg, .pdf) of the first column.",
)
@click.option("--dark", is_flag=True, help="The picture for a dark page.")
@json_option
def policy_command(
    spec: str,
    log: Path,
    live_spec: str,
    by: str | None,
    top: int,
    out: Path | None,
    dark: bool,
    as_json: bool,
) -> None:
    """Show what a policy does with the payments of a log, segment by segment.

    Which routes it takes how often, what it expects of that by its own model, and where it departs
    from the live policy. What that would bring is another question: ask authopt evaluate.

    \b
    Examples:
      authopt explain policy vw:model.vw --log log.parquet
      authopt explain policy vw:new.vw --log log.parquet --live vw:old.vw --by network+attempt
      authopt explain policy recommended:live.json --log log.parquet --out what-it-does.html
    """
    from authopt.explaining.behaviour_page import SUFFIX as PAGE
    from authopt.explaining.behaviour_page import write_page
    from authopt.explaining.behaviour_picture import check_picture, draw
    from authopt.explaining.behaviour_table import print_behaviour
    from authopt.explaining.observing import default_segments, observe
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects
    from authopt.policies.spec import load_policy

    if out is not None and out.suffix.lower() != PAGE:
        check_picture(out)
    policy, live = load_policy(spec), load_policy(live_spec)
    opened = open_log(log)
    columns = _names(by) or default_segments(opened.columns)
    with Rejects() as rejects:
        batches = opened.batches(rejects=rejects, chunk_rows=CHUNK_ROWS)
        said = observe(
            tracked(batches, "asking the policies", opened.num_rows, len),
            policy,
            live,
            columns,
            (spec, live_spec),
        )
        lost = rejects.count
    if not said.decisions:
        raise UserError(f"{log}: the log has no decisions")
    if lost:
        notes().print(f"{lost:,} rows of the log cannot be used and were left out.", style="yellow")
    if out is not None:
        if out.suffix.lower() == PAGE:
            write_page(said, log.name, out, top)
        else:
            draw(said, out, dark=dark, most=top)
        notes().print(f"written: {out}", style="dim")
    if as_json:
        print_json(said)
    else:
        print_behaviour(said, console(), top)


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _seconds(text: str) -> list[int]:
    from authopt.rules.durations import EXPECTED, seconds_of

    found = []
    for piece in text.split(","):
        seconds = seconds_of(piece)
        if seconds is None:
            raise UserError(f"--delays: {piece.strip()!r} is no length of time; {EXPECTED}")
        found.append(seconds)
    return found
