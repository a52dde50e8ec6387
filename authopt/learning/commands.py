"""``authopt train``: make a policy from a log."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from authopt.errors import UserError
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
    from authopt.batch import LoggedBatch
    from authopt.logs.files import AttemptLog
    from authopt.rewards import Reward

EPILOG = """\b
Examples:
  authopt train log.parquet --out model.vw
  authopt train log.parquet --out model.vw --explorer squarecb --epsilon 0.1
  authopt train log.parquet --out model.vw --reward money:reward.toml --json
  authopt train log.parquet --policy success-rate --dimensions network+currency --out rates.json
  authopt train log.parquet --policy best-route --out best.json
"""

VW_OPTIONS = ("explorer", "epsilon", "learning_rate", "power_t", "passes", "bits", "seed")
VW_ONLY = (*VW_OPTIONS, "reward_to_go")
RATE_ONLY = ("window", "hedging", "dimensions")


@click.command("train", epilog=EPILOG)
@click.argument("log", type=existing_file)
@click.option("--out", type=new_file, required=True, help="Where the model goes.")
@click.option(
    "--policy",
    type=click.Choice(["vw", "success-rate", "best-route"]),
    default="vw",
    show_default=True,
    help="What to train.",
)
@click.option(
    "--reward",
    "reward_text",
    default="approved",
    show_default=True,
    help="approved; column:NAME:LOW:HIGH (an outcome column and the bounds of its values); or "
    "money:FILE.toml (margin less fees and losses, see data/rewards/README.md).",
)
@click.option(
    "--reward-to-go/--no-reward-to-go",
    default=None,
    help="vw: count the rewards of the payment's later attempts too, up to its largest value. "
    "By default where payments in the log have several attempts.",
)
@click.option(
    "--explorer",
    type=click.Choice(["epsilon", "squarecb"]),
    default="epsilon",
    show_default=True,
    help="vw: epsilon explores all actions alike, squarecb the more promising ones more.",
)
@click.option(
    "--epsilon",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.05,
    show_default=True,
    help="vw: share of uniform exploration; each of k actions gets at least EPSILON / k.",
)
@click.option(
    "--passes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="vw: times to go over the log. More than one leaves no progressive value.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=0.05,
    show_default=True,
    help="vw: size of the steps.",
)
@click.option(
    "--power-t",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="vw: how fast steps shrink; 0 is for logs over which the world changed.",
)
@click.option(
    "--bits",
    type=click.IntRange(10, 28),
    default=20,
    show_default=True,
    help="vw: at most 2 to the power BITS weights.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="vw: seed.")
@click.option(
    "--window",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="success-rate: outcomes that a sliding window holds.",
)
@click.option(
    "--hedging",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="success-rate: share of uniform exploration.",
)
@click.option(
    "--dimensions",
    default="network",
    show_default=True,
    help="success-rate: context columns whose combinations have windows of their own, joined by +.",
)
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    log: Path,
    out: Path,
    policy: str,
    reward_text: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a policy on LOG, to be judged with `authopt evaluate` and run with `authopt serve`.

    The policy vw is Vowpal Wabbit's contextual bandit over the context, the route and the delay. It
    needs the propensities of the log. Beside the model goes its manifest, OUT.json; keep the two
    together.

    Reward-to-go: judged by its own outcome alone, a retry now costs nothing when it fails, though
    it uses up later, better chances. So a decision is credited with what its payment got from there
    on: with the reward 'approved', whether the payment was approved in the end. 'stop' is worth 0.
    After the decision the payment went on as the policy that made the log went on. Attempts after
    the end of the log count nothing, so leave out a last stretch in which payments are still open.

    success-rate (a sliding window per route and dimension) and best-route (one order of routes for
    all payments) are baselines; they need no propensities.
    """
    from authopt.logs.files import open_log
    from authopt.rewards import parse_reward

    _check_options(ctx, policy)
    reward = parse_reward(reward_text)
    if out.resolve() == log.resolve():
        raise UserError(f"{out}: --out is the log itself; give it another name")
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist")
    opened = open_log(log)
    if policy == "vw":
        answer = _train_vw(opened, out, reward, options)
    elif policy == "success-rate":
        answer = _train_success_rate(opened, out, reward, options)
    else:
        answer = _train_best_route(opened, out, reward)
    if as_json:
        print_json(answer)
        return
    _print_answer(answer)


def _check_options(ctx: click.Context, policy: str) -> None:
    foreign = {"vw": RATE_ONLY, "success-rate": VW_ONLY, "best-route": (*VW_ONLY, *RATE_ONLY)}
    for name in foreign[policy]:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(f"{option} does not apply to --policy {policy}", ctx)


def _read(log: AttemptLog, reward: Reward, what: str) -> Iterator[LoggedBatch]:
    return tracked(log.batches(reward=reward), what, log.num_rows, len)


def _train_vw(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    import time

    from authopt.learning.train_vw import VwOptions, train_vw
    from authopt.logs.schema import PropensitySource

    if log.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(
            f"{log.path} has no propensities (the probability with which each logged action was "
            "taken), and without them vw would take the logging policy's habits for success. "
            f"Estimate them first: authopt log propensities {log.path} --out "
            "with-propensities.parquet"
        )
    if log.propensity_source is PropensitySource.ESTIMATED:
        notes().print(
            "[bold yellow]warning[/] the propensities of this log are ESTIMATED; what the logging "
            "policy saw and the log does not hold is learned as if it were the routes' doing"
        )
    started = time.monotonic()
    manifest = train_vw(
        lambda what: _read(log, reward, what),
        out,
        VwOptions(**{name: options[name] for name in VW_OPTIONS}),
        reward=reward,
        reward_to_go=options["reward_to_go"],
        source=log.propensity_source,
        log=log.path,
    )
    return {
        "policy": "vw",
        "spec": f"vw:{out}",
        "model": out,
        "sha256": manifest.sha256,
        "log": log.path,
        "rows": manifest.rows,
        "left_out": manifest.left_out,
        "propensity_source": manifest.log.propensity_source,
        "reward": manifest.reward,
        "currency": reward.currency,
        "reward_to_go": manifest.reward_to_go,
        "mean_reward": manifest.mean_reward,
        "progressive_value": manifest.progressive_value,
        "progressive_loss": None
        if manifest.progressive_value is None
        else -manifest.progressive_value,
        "routes": manifest.routes,
        "seconds": round(time.monotonic() - started, 3),
    }


def _train_success_rate(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    from authopt.learning.route_rates import replay_success_rate
    from authopt.policies.success_rate import SuccessRate

    dimensions = tuple(part for part in options["dimensions"].split("+") if part)
    policy = SuccessRate(options["window"], options["hedging"], dimensions)
    replayed = replay_success_rate(policy, _read(log, reward, "learning"), log.path)
    policy.save(out)
    return {
        "policy": "success-rate",
        "spec": f"success-rate:{out}",
        "model": out,
        "log": log.path,
        "rows": replayed.rows,
        "left_out": replayed.left_out,
        "reward": reward.name,
        "currency": reward.currency,
        "mean_reward": replayed.mean_reward,
        "routes": {route: policy.overall_rate(route) for route in sorted(replayed.routes)},
    }


def _train_best_route(log: AttemptLog, out: Path, reward: Reward) -> dict[str, Any]:
    from authopt.learning.route_rates import fit_best_route

    policy = fit_best_route(_read(log, reward, "learning"))
    if not policy.records:
        raise UserError(f"{log.path}: no attempt with a known outcome to learn from")
    policy.save(out)
    rows = sum(record.attempts for record in policy.records.values())
    return {
        "policy": "best-route",
        "spec": f"best-route:{out}",
        "model": out,
        "log": log.path,
        "rows": rows,
        "reward": reward.name,
        "currency": reward.currency,
        "mean_reward": policy.mean,
        "routes": policy.rates(),
    }


def _print_answer(answer: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column(style=ACCENT, no_wrap=True)
    table.add_column(overflow="fold")
    for what, value in _lines(answer):
        table.add_row(what, Text(value))
    out.print(table)
    for left_out in answer.get("left_out", ()):
        out.print(
            Text.assemble(
                ("left out ", "bold yellow"), f"{left_out.rows:,} rows: {left_out.reason}"
            )
        )
    out.print()
    command = f"authopt evaluate LATER-LOG --policy {answer['spec']}"
    out.print(Text.assemble("next: ", (command, "bold")), soft_wrap=True)


def _lines(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    told = partial(_worth, answer["currency"])
    yield "model", str(answer["model"])
    yield "learned from", f"{answer['rows']:,} decisions"
    if "reward_to_go" in answer:
        of_payment = "the payment from the decision on" if answer["reward_to_go"] else "the attempt"
        yield "reward", f"{answer['reward']} of {of_payment}"
        yield "logging policy", f"{told(answer['mean_reward'])} mean reward"
        value = answer["progressive_value"]
        yield (
            "while it learned",
            "not defined with squarecb or several passes"
            if value is None
            else f"{told(value)} progressive value (inverse propensity, no interval)",
        )
        total = sum(answer["routes"].values())
        shares = (f"{route} {count / total:.1%}" for route, count in answer["routes"].items())
        yield "routes taken", "   ".join(shares)
        yield "time", f"{answer['seconds']:.1f} s"
    else:
        yield "mean reward", f"{told(answer['mean_reward'])} {answer['reward']}"
        rates = (f"{route} {told(rate)}" for route, rate in answer["routes"].items())
        yield "rates", "   ".join(rates)


def _worth(currency: str | None, value: float) -> str:
    """A mean reward, in money in the major unit of its currency."""
    from authopt.prices.currencies import DECIMALS

    if currency is None:
        return f"{value:.4f}"
    return f"{currency} {value / 10 ** DECIMALS[currency]:,.4f}"
