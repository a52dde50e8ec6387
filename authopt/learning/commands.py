"""``authopt train``: make a policy from a log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from authopt.learning.gate.option_flags import GatedTraining, gate_options
from authopt.learning.log_options import (
    check_model_out,
    log_argument,
    model_out_option,
    reward_option,
)
from authopt.learning.vw_option_flags import REGRESSION_FLAGS, VW_FLAGS, vw_option_flags
from authopt.terminal import console, existing_file, json_option, print_json

EPILOG = """\b
Examples:
  authopt train log.parquet --out model.vw
  authopt train log.parquet --out model.vw --explorer squarecb --epsilon 0.1
  authopt train log.parquet --out model.vw --later fitted
  authopt train log.parquet --out model.vw --gate logged
  authopt train june.parquet --from may.vw --out june.vw
  authopt train rules.parquet --out model.vw --targets pessimistic --epsilon 0.1
  authopt train log.parquet --out model.vw --reward money:reward.toml --json
  authopt train log.parquet --policy success-rate --dimensions network+currency --out rates.json
  authopt train log.parquet --policy best-route --out best.json
  authopt train log.parquet --policy best-time --out trees.json
  authopt train log.parquet --policy thompson --keys dimensions=issuer --out thompson.json
  authopt train log.parquet --policy expected-money --reward money:reward.toml --out money.json
  authopt train log.parquet --policy expected-money --model vw --reward money:r.toml --out money.vw
  authopt train log.parquet --policy spibb --candidate vw:new.vw --live vw:old.vw --out safe.json
"""

LEARNERS = ("success-rate-elimination", "ucb", "thompson", "hierarchical-thompson")
"""Policies that learn while they act, whose options are given as keys."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "vw": (*VW_FLAGS, "reward_to_go", "later", "targets", "from"),
    "success-rate": ("window", "hedging", "dimensions"),
    **dict.fromkeys(LEARNERS, ("keys",)),
    "best-route": (),
    "best-time": (),
    "expected-money": ("model", *REGRESSION_FLAGS),
    "spibb": ("candidate", "live", "classes", "least"),
}
"""What can be trained, and the options that it has."""


@click.command("train", epilog=EPILOG)
@log_argument
@model_out_option("Where the model goes.")
@click.option(
    "--policy",
    type=click.Choice(list(OPTIONS)),
    default="vw",
    show_default=True,
    help="What to train.",
)
@reward_option()
@click.option(
    "--reward-to-go/--no-reward-to-go",
    default=None,
    help="vw: count the rewards of the payment's later attempts too, up to its largest value. "
    "By default where payments in the log have several attempts.",
)
@click.option(
    "--later",
    type=click.Choice(["observed", "fitted"]),
    default="observed",
    show_default=True,
    help="vw: later attempts count as they were observed, or half as a model expects them if the "
    "payment is taken on well.",
)
@click.option(
    "--targets",
    type=click.Choice(["observed", "dr", "pessimistic"]),
    default="observed",
    show_default=True,
    help="vw: learn what was observed; or doubly robust scores of all eligible actions by a "
    "cross-fitted reward model; or, for a log of fixed rules that explored nothing, the worst of "
    "what was not seen, like for like, so that the model begins by doing as the rules did. The "
    "latter two take several times as long.",
)
@click.option(
    "--from",
    type=existing_file,
    help="vw: go on from this model, with the rewards, features and options that it was made with: "
    "LOG is learned on top of what it knows. Of VW's options --epsilon, --learning-rate, "
    "--power-t, --decay-learning-rate and --passes may be given anew.",
)
@vw_option_flags
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
@click.option(
    "--keys",
    metavar="KEY=VALUE,...",
    help=f"{', '.join(LEARNERS)}: options, as the specs of `authopt evaluate` have them: "
    "discount=0.999,dimensions=issuer.",
)
@click.option(
    "--model",
    type=click.Choice(["trees", "vw"]),
    default="trees",
    show_default=True,
    help="expected-money: what the chance of approval is learned with; with vw, its options that "
    "have nothing to do with exploring may be given too.",
)
@click.option(
    "--candidate", metavar="SPEC", help="spibb: the policy to hold to the live one. Required."
)
@click.option(
    "--live",
    metavar="SPEC",
    help="spibb: the live policy, which decides where LOG is thin. Required.",
)
@click.option(
    "--classes",
    default="network+attempt",
    show_default=True,
    help="spibb: context columns, or attempt, joined by +: an action counts as tried in a class of "
    "payments that are alike in them.",
)
@click.option(
    "--least",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="spibb: times that LOG must have taken an action in a class, or the live policy's "
    "probability of it stays.",
)
@gate_options
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    log: Path,
    out: Path,
    policy: str,
    reward_text: str,
    gated: GatedTraining | None,
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
    After the decision the payment went on as the policy that made the log went on; with --later
    fitted, half as it would if it were taken on well. Payments that are open where the log ends are
    completed by a model, if they are more than a few.

    While it learned: the log is cut into eight stretches of time, and each but the first is judged,
    off-policy, by the model as it was when the stretch began (progressive validation).

    Going on: with --from a model goes on from an earlier one, as if it had learned the logs of both
    in one go, and LOG holds only what came after. Trained on the last log alone, a model forgets
    what its policy hardly tried any more.

    success-rate (a sliding window per route and dimension), best-route (one order of routes for all
    payments) and best-time (gradient-boosted trees of approval by route and time, played greedily,
    as many teams run them: no exploration, no correction for what the log's policy chose) are
    baselines; they need no propensities.

    success-rate-elimination, ucb, thompson and hierarchical-thompson learn while they act, and here
    from a log instead, so that they need not begin knowing nothing. The log of another policy shows
    the outcomes of the actions that it took; that is all they need, as they learn the rate of each
    route, but of a route that the log hardly took they know little.

    expected-money needs a reward in money: a model of approval (trees for every route, or Vowpal
    Wabbit), and the action that is expected to earn the most by it, with 5% of exploration. Fees
    and margins are known; only the approval has to be learned.

    spibb is a candidate held to the live policy: what LOG, best the one that the candidate was
    trained on, took less than --least times in a class of payments keeps the live policy's
    probability. The file names the two policies by their specs; keep theirs where they are.
    """
    from authopt.learning import train_runs
    from authopt.learning.train_answer import print_answer
    from authopt.logs.files import open_log
    from authopt.rewards import parse_reward

    _check_options(ctx, policy)
    reward = parse_reward(reward_text)
    check_model_out(log, out)
    run = train_runs.RUNS[policy]
    options = {**options, "policy": policy}
    if gated is None:
        answer = run(open_log(log), out, reward, options)
        if as_json:
            print_json(answer)
        else:
            print_answer(answer, console())
        return
    from authopt.learning.gate.tables import print_verdict
    from authopt.learning.gate.training import gated_parts

    with gated_parts(open_log(log), gated, out) as parts:
        answer = run(parts.training, out, reward, options)
        verdict = parts.judge(answer["spec"], reward)
    assert verdict is not None
    if as_json:
        print_json({**answer, "gate": verdict})
    else:
        print_answer(answer, console())
        print_verdict(verdict, console())
    verdict.raise_if_failed()


def _check_options(ctx: click.Context, policy: str) -> None:
    given = {
        name
        for name in dict.fromkeys(name for names in OPTIONS.values() for name in names)
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    for name in sorted(given - set(OPTIONS[policy])):
        raise click.UsageError(f"{_flag(name)} does not apply to --policy {policy}", ctx)
    if policy == "expected-money" and ctx.params["model"] == "trees":
        for name in sorted(given & set(REGRESSION_FLAGS)):
            raise click.UsageError(f"{_flag(name)} applies to --model vw alone", ctx)
    if policy == "spibb":
        for name in ("candidate", "live"):
            if name not in given:
                raise click.UsageError(
                    f"spibb is made of two policies: {_flag(name)} SPEC is missing", ctx
                )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
