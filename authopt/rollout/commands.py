"""``authopt apprentice``: imitate a router, and see what acting by a better policy would gain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.learning.log_options import (
    check_model_out,
    log_argument,
    reward_model_option,
    reward_option,
)
from authopt.terminal import ACCENT, console, json_option, new_file, print_json, tracked

if TYPE_CHECKING:
    from rich.console import Console

    from authopt.rollout.apprenticeship import Acting, Gain, Imitation

EPILOG = """\b
Examples:
  authopt apprentice router.parquet
  authopt apprentice router.parquet --out apprentice.json
  authopt apprentice later.parquet --better vw:model.vw --segments network,issuer
  authopt apprentice later.parquet --better vw:model.vw --out apprentice.json
  authopt serve --policy apprentice:apprentice.json
  authopt serve --policy apprentice:apprentice.json,acting=0.1,only=network:visa
"""


@click.command("apprentice", epilog=EPILOG)
@log_argument
@click.option(
    "--better",
    metavar="SPEC",
    help="The policy to act by later, best one that was trained on an earlier log.",
)
@click.option(
    "--segments",
    default="network,issuer_country",
    show_default=True,
    metavar="COLUMN,...",
    help="Columns by which to show what acting would gain.",
)
@click.option("--out", type=new_file, help="Where the apprentice goes.")
@reward_option()
@reward_model_option("doubly robust estimates of the gain")
@json_option
def apprentice(
    log: Path,
    better: str | None,
    segments: str,
    out: Path | None,
    reward_text: str,
    reward_model: bool,
    as_json: bool,
) -> None:
    """Learn from LOG to decide as the router that made it, and show what acting would gain.

    LOG needs no propensities. The apprentice is a policy that gives each action the probability
    with which the router takes it, given the context. Served as it is, it changes nothing but that
    exact propensities are recorded. Told to act by `acting=0.1`, it decides by the better policy in
    a tenth of all decisions, with `only=network:visa` of those payments alone.

    How well it imitates is told on payments that were not learned from. What acting would gain is
    estimated off-policy from LOG: choose a log that the better policy was not trained on. Its
    limits hold for all segments together.
    """
    from authopt.learning.held_log import HeldLog
    from authopt.learning.training_log import read_log
    from authopt.logs.files import open_log
    from authopt.logs.propensity import estimate_propensities
    from authopt.policies.apprentice.apprentice import save_apprentice
    from authopt.policies.spec import load_policy
    from authopt.rewards import parse_reward
    from authopt.rollout.apprenticeship import acting_by, imitation_of

    reward = parse_reward(reward_text)
    columns = tuple(each.strip() for each in segments.split(",") if each.strip())
    if out is not None:
        check_model_out(log, out)
    policy = None if better is None else load_policy(better)
    opened = open_log(log)
    held = HeldLog(lambda: read_log(opened, reward, "reading"))
    estimate = estimate_propensities(held.batches(), track=tracked)
    imitation = imitation_of(held.batches, estimate.model, estimate.report)
    acting = None
    if policy is not None and better is not None:
        acting = acting_by(
            held.batches,
            estimate.model,
            opened.propensity_source,
            policy,
            better,
            reward,
            columns,
            with_model=reward_model,
        )
    if out is not None:
        named = None if policy is None or better is None else (better, policy)
        save_apprentice(out, estimate.model, named)
    spec = None if out is None else f"apprentice:{out}"
    if as_json:
        print_json({"log": log, "spec": spec, "imitation": imitation, "acting": acting})
        return
    print_imitation(imitation, console())
    if acting is not None:
        print_acting(acting, console())
    if spec is not None:
        console().print(f"apprentice: {spec}", markup=False, soft_wrap=True)


def print_imitation(imitation: Imitation, out: Console) -> None:
    """How well the router is imitated, as a few lines."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style=ACCENT, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("decisions", f"{imitation.decisions:,}")
    table.add_row("agreement", f"{imitation.agreement:.1%} with what is held most likely")
    table.add_row(
        "log loss",
        f"{imitation.log_loss:.4f} (by shares alone {imitation.log_loss_shares:.4f}, by equal "
        f"chances {imitation.log_loss_uniform:.4f})",
    )
    table.add_row("calibration", f"off by {imitation.calibration_error:.4f} on average")
    out.print(table)
    for each in imitation.shortcomings:
        out.print(f"[bold yellow]warning[/] {each}")


def print_acting(acting: Acting, out: Console) -> None:
    """What acting would gain, with a row for every segment."""
    from rich.table import Table

    table = Table(
        title=f"gain of acting by {acting.spec}: {acting.reward} per decision",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    for name in ("payments", "decisions", "router", "gain", f"{acting.confidence:.0%} limits"):
        table.add_column(name, justify="left" if name == "payments" else "right", no_wrap=True)
    table.add_column("")
    for each in (acting.whole, *acting.segments):
        table.add_row(*_row(each))
    out.print()
    out.print(table)
    out.print(
        f"{acting.effective_share:.1%} of the decisions tell of it. Act first with "
        f"only={acting.first}"
        if acting.first is not None
        else "In no segment there is a gain beyond doubt yet."
    )


def _row(gain: Gain) -> tuple[str, ...]:
    return (
        "all" if gain.column is None else f"{gain.column} {gain.segment}",
        f"{gain.decisions:,}",
        f"{gain.router:,.4f}",
        "—" if gain.gain is None else f"{gain.gain:+,.4f}",
        f"{gain.lower:+,.4f} to {gain.upper:+,.4f}",
        "[green]sure[/]" if gain.is_sure else "",
    )
