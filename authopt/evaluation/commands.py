"""``authopt evaluate``: judge policies by the log of another, before they see a payment."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import UserError
from authopt.learning.log_options import (
    log_argument,
    max_weight_option,
    reward_model_option,
    reward_option,
    strict_option,
)
from authopt.terminal import (
    console,
    distinct_files,
    json_option,
    new_file,
    print_json,
    tracked,
)

if TYPE_CHECKING:
    from authopt.learning.reward_model import RewardModel
    from authopt.logs.files import AttemptLog
    from authopt.rewards import Reward

SEGMENTS = (
    ("attempt", "attempt"),
    ("network", "network"),
    ("issuer_country", "issuer_country"),
    ("amount_band", "amount_minor"),
)
"""Segments by default, and the column that each needs."""

MOST_PAYMENT_ROWS = 5_000_000

MANY_ROWS = 500_000
"""From here on, processes earn what it costs to start them."""


@click.command()
@log_argument
@click.option(
    "--policy",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="A policy to judge, such as uniform, priority:routes=a,b,c, success-rate or "
    "vw:model.vw. Repeat it to judge several side by side.",
)
@reward_option()
@click.option(
    "--cluster",
    default="payment_id",
    show_default=True,
    help="Column within whose values rows are not independent: payment_id, decision_id, card_ref, "
    "merchant_id or another context column.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Nominal coverage of every interval.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Replicates of the bootstrap intervals; 0 for none.",
)
@max_weight_option()
@reward_model_option("the direct method and doubly robust")
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=3,
    show_default=True,
    help="Folds of payments that the reward model is cross-fitted over.",
)
@click.option(
    "--learn-every",
    type=click.IntRange(1),
    help="Decisions after which a policy that learns learns from their outcomes, following the "
    "log in the order of time: 1,000 by default; with --replay accepted ones, 1 by default.",
)
@click.option("--frozen", is_flag=True, help="Judge policies that learn as they stand.")
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="COLUMN",
    help="Judge by segment too: attempt, amount_band, or a context column; a+b crosses two. Repeat "
    "it for several. By default attempt, network, issuer_country and amount_band.",
)
@click.option("--no-segments", is_flag=True, help="Do not judge by segment.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Processes. By default all cores for logs of half a million decisions and more.",
)
@click.option(
    "--resume",
    type=new_file,
    metavar="FILE",
    help="Keep what has been added up in FILE, and go on from it if it is there.",
)
@click.option(
    "--payments/--no-payments",
    default=None,
    help="Judge payment by payment too: value, attempts and cost of whole payments. By default for "
    "logs of at most 5 million rows; a row takes 96 bytes a policy, on disk where there are many.",
)
@click.option(
    "--values-only",
    is_flag=True,
    help="Values and gains alone, as fast as they can be had, by the estimators that cut no "
    "weights: nothing per payment, by segment or over time, no anytime-valid intervals and none "
    "by empirical likelihood, no checks of propensities.",
)
@click.option(
    "--assume",
    metavar="ASSUMPTION",
    help="What may be assumed of delays that the log never took, for bounds of the value: "
    "lipschitz:0.02/h (a route's approval changes by at most that an hour), monotone:delay:up or "
    "monotone:delay:down.",
)
@click.option(
    "--wait",
    metavar="TIME",
    help="How long outcomes may take (90min, 72h, 10d): rows are weighted so that those with an "
    "outcome stand for those whose outcome is late or lost. By default rows without are left out.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    metavar="TIME",
    help="With --wait: when the log was written, UTC. By default its last decision or outcome.",
)
@click.option(
    "--lost",
    type=click.Choice(["random", "worst", "best"]),
    default="random",
    show_default=True,
    help="With --wait: what outcomes that never came count as.",
)
@click.option(
    "--replay",
    "replay_by",
    type=click.Choice(["rejection", "dr"]),
    help="Replay the log to policies that learn, each from its own accepted decisions alone: what "
    "a learner would have come to live. By rejection sampling, or doubly robust.",
)
@click.option(
    "--repetitions",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Replays to average over; each accepts other decisions.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of folds and bootstrap.")
@strict_option
@click.option("--full", is_flag=True, help="Print every estimator with every interval.")
@click.option("--report", type=new_file, metavar="FILE.html", help="Write an HTML report.")
@json_option
def evaluate(
    log: Path,
    specs: tuple[str, ...],
    reward_text: str,
    cluster: str,
    confidence: float,
    bootstrap: int,
    max_weight: float | None,
    reward_model: bool,
    folds: int,
    learn_every: int | None,
    frozen: bool,
    segments: tuple[str, ...],
    no_segments: bool,
    workers: int | None,
    resume: Path | None,
    payments: bool | None,
    values_only: bool,
    assume: str | None,
    wait: str | None,
    as_of: datetime | None,
    lost: str,
    replay_by: str | None,
    repetitions: int,
    seed: int,
    strict: bool,
    full: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Judge policies off-policy: what they would have earned on the payments in LOG.

    The policy that made the log is always shown first. Each value comes with an interval that
    covers, with its gain over the logging policy, and with the diagnostics that say how far to
    trust it.

    \b
    Examples:
      authopt evaluate log.parquet --policy uniform --policy success-rate
      authopt evaluate log.parquet --policy vw:model.vw --report report.html
      authopt evaluate log.parquet --policy priority:routes=a,b,c --json
      authopt evaluate log.parquet --policy vw:model.vw --reward money:reward.toml
      authopt evaluate log.parquet --policy uniform --segment issuer --segment network+attempt
      authopt evaluate log.parquet --policy success-rate --replay dr
    """
    # The numerical packages are heavy, and `authopt --help` must not wait for them.
    from authopt.evaluation.support_bounds import parse_assumption
    from authopt.logs.files import open_log
    from authopt.policies.spec import load_policy
    from authopt.rewards import DEFAULT_REWARD, parse_reward

    if segments and no_segments:
        raise UserError("--segment and --no-segments contradict each other; give one of them")
    distinct_files("LOG, --report and --resume", log, report, resume)
    reward = parse_reward(reward_text)
    assumption = None if assume is None else parse_assumption(assume)
    source = open_log(log)
    # What is wrong with a policy is said before a model is fitted for it.
    policies = [load_policy(spec) for spec in specs]
    model = _reward_model(source, reward, folds, seed, strict) if reward_model else None
    if replay_by is not None:
        from authopt.evaluation.replay.command import replay_log

        if report is not None or resume is not None or not policies:
            raise UserError(
                "--replay answers at the terminal or with --json, for each --policy; it makes no "
                "--report, knows no --resume, and needs a policy"
            )
        replay_log(
            source,
            policies,
            method=replay_by,
            reward=reward,
            reward_model=model,
            update_every=learn_every or 1,
            repetitions=repetitions,
            confidence=confidence,
            max_weight=max_weight,
            seed=seed,
            strict=strict,
            as_json=as_json,
        )
        return
    import numpy as np

    from authopt.evaluation.engine import LEARN_EVERY
    from authopt.evaluation.evaluate_log import Lateness, evaluate_log
    from authopt.evaluation.late.censoring import parse_wait

    if not segments and not no_segments and not values_only:
        segments = tuple(name for name, column in SEGMENTS if column in source.columns)
    lateness = None
    if wait is not None:
        moment = None if as_of is None else np.datetime64(as_of, "us")
        lateness = Lateness(parse_wait(wait), moment, lost)
    elif as_of is not None or lost != "random":
        raise UserError("--as-of and --lost say how to reckon with late outcomes; give --wait too")
    learn_every = LEARN_EVERY if learn_every is None else learn_every
    if payments is None:
        payments = source.num_rows is None or source.num_rows <= MOST_PAYMENT_ROWS
    # To be resumed, the rows of payments would have to be kept again after every part.
    payments = payments and resume is None and not values_only
    evaluation = evaluate_log(
        log,
        specs,
        reward_model=model,
        reward=reward,
        cluster=cluster,
        confidence=confidence,
        bootstrap=bootstrap,
        max_weight=max_weight,
        learn_every=None if frozen else learn_every,
        seed=seed,
        segments=segments,
        volume=reward is DEFAULT_REWARD
        and not values_only
        and {"amount_minor", "currency"} <= set(source.columns),
        payments=payments,
        assumption=assumption,
        values_only=values_only,
        lateness=lateness,
        options=(
            *_options(learn_every, folds, seed, frozen, payments, assume, segments),
            *(["--values-only"] if values_only else []),
            *(["--strict"] if strict else []),
            *_late_options(wait, as_of, lost),
        ),
        workers=_workers(source.num_rows) if workers is None else workers,
        resume=resume,
        strict=strict,
        track=tracked,
    )
    if report is not None:
        from authopt.evaluation.report.html import write_report

        write_report(evaluation, report)
    if as_json:
        print_json(evaluation.as_json())
        return
    from authopt.evaluation.report.tables import print_evaluation

    print_evaluation(evaluation, console(), full=full)
    if report is not None:
        console().print(f"report: {report}")


def _options(
    learn_every: int,
    folds: int,
    seed: int,
    frozen: bool,
    payments: bool,
    assume: str | None,
    segments: tuple[str, ...],
) -> tuple[str, ...]:
    """What the command was given, in words that make it again."""
    words = ["--seed", str(seed), "--folds", str(folds)]
    words += ["--frozen"] if frozen else ["--learn-every", str(learn_every)]
    words.append("--payments" if payments else "--no-payments")
    words += [] if assume is None else ["--assume", assume]
    for segment in segments:
        words += ["--segment", segment]
    return tuple(words if segments else [*words, "--no-segments"])


def _late_options(wait: str | None, as_of: datetime | None, lost: str) -> tuple[str, ...]:
    if wait is None:
        return ()
    moment = () if as_of is None else ("--as-of", f"{as_of:%Y-%m-%dT%H:%M:%S}")
    return ("--wait", wait, *moment, "--lost", lost)


def _reward_model(
    source: AttemptLog, reward: Reward, folds: int, seed: int, strict: bool
) -> RewardModel:
    from authopt.learning.reward_model import fit_reward_model
    from authopt.logs.rejects import Rejects

    batches = source.batches(reward=reward, rejects=Rejects(strict=strict))
    rows = tracked(batches, "fitting the reward model", source.num_rows, len)
    return fit_reward_model(rows, folds=folds, seed=seed)


def _workers(rows: int | None) -> int:
    return (os.cpu_count() or 1) if rows is not None and rows >= MANY_ROWS else 1
