"""``authopt experiment``: plan an experiment between policies from a log, and read one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import CheckFailed, UserError
from authopt.learning.log_options import log_argument, reward_option, strict_option
from authopt.logs.trial_columns import ARM, EXPERIMENT
from authopt.terminal import console, existing_file, json_option, notes, print_json, tracked

if TYPE_CHECKING:
    from authopt.experiments.guardrails import Guardrail
    from authopt.experiments.log_payments import Asked, Payments
    from authopt.logs.files import AttemptLog

EFFECTS = (0.005, 0.01, 0.02)

unit_option = click.option(
    "--unit",
    type=click.Choice(["payment", "card", "merchant"]),
    default="payment",
    show_default=True,
    help="What stays with its arm: the payment, its card_ref or its merchant_id.",
)
covariate_option = click.option(
    "--covariate",
    "covariates",
    multiple=True,
    metavar="COLUMN",
    help="Context column (card_ref, issuer, bin, merchant_id, x_...) whose past mean value "
    "foretells a payment's, so that fewer payments decide (CUPED). Repeat it for several.",
)
alpha_option = click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Probability that arms that do not differ are ever told apart.",
)
wait_option = click.option(
    "--wait",
    metavar="TIME",
    help="Such as 7d: a payment counts what comes within this of its first decision, and payments "
    "that began later than this before the log's end are left out. By default all count.",
)


@click.group("experiment")
def experiment() -> None:
    """Experiments between policies: how long one takes, and what it says."""


@experiment.command("plan")
@log_argument
@click.option(
    "--effect",
    "effects",
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    help="Smallest difference worth finding, in the value per payment (0.01 is one point). Repeat "
    "it to compare several.  [default: 0.005, 0.01, 0.02]",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the traffic that is in the experiment.",
)
@click.option(
    "--of-arm",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Part of the experiment that the new arm gets.",
)
@click.option(
    "--power",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="Probability of finding a difference that is there.",
)
@unit_option
@covariate_option
@alpha_option
@wait_option
@reward_option()
@strict_option
@json_option
def plan_command(
    log: Path,
    effects: tuple[float, ...],
    share: float,
    of_arm: float,
    power: float,
    unit: str,
    covariates: tuple[str, ...],
    alpha: float,
    wait: str | None,
    reward_text: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Say how many payments and days it takes to find a difference, by what LOG was like.

    For the usual test with one look at the end, and for limits that hold at every look.
    """
    from authopt.experiments.from_log import design_effect, part, reduction_of
    from authopt.experiments.log_payments import MISSING_HASH, Asked
    from authopt.experiments.planning import plan

    asked = Asked(unit=unit, covariates=covariates, rewarded=reward_text != "approved")
    payments, _ = _payments(log, asked, reward_text, wait, strict)
    import numpy as np

    known = ~np.isnan(payments.value) & (payments.unit != MISSING_HASH)
    payments = part(payments, np.flatnonzero(known))
    days = (payments.began_us[-1] - payments.began_us[0]) / 86_400e6 if payments.n else 0.0
    if payments.n < 100 or days <= 0.0:
        raise UserError(f"{log}: {payments.n} payments that count; expected 100 or more, over time")
    plans = [
        plan(
            mean=float(payments.value.mean()),
            variance=float(payments.value.var(ddof=1)),
            payments_per_day=payments.n / days,
            effect=effect,
            share=share,
            of_arm=of_arm,
            alpha=alpha,
            power=power,
            design_effect=design_effect(payments) if unit != "payment" else 1.0,
            reduction=reduction_of(payments) if covariates else 0.0,
        )
        for effect in effects or EFFECTS
    ]
    if as_json:
        print_json(plans)
        return
    from authopt.experiments.reading_table import print_plans

    print_plans(plans, console())


@experiment.command("read")
@log_argument
@click.option(
    "--arm-column",
    default=ARM,
    show_default=True,
    help="Context column with the arm of each decision.",
)
@click.option(
    "--experiment-column",
    default=EXPERIMENT,
    show_default=True,
    help="Context column with the name of the experiment, where the log has it.",
)
@click.option("--experiment", "name", help="The experiment, where the log has several.")
@click.option(
    "--arms",
    metavar="NAME=WEIGHT,...",
    help="The arms as planned, the baseline first, such as live=95,canary=5. By default those in "
    "the log, with equal weights, `live` first.",
)
@unit_option
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="COLUMN",
    help="Also within segments: attempt, amount_band, a context column, or several "
    "joined by +. Repeat it for several.",
)
@covariate_option
@click.option(
    "--before",
    type=existing_file,
    metavar="LOG",
    help="Log of the time before the experiment, for --covariate. By default the "
    "payments in LOG without an arm that began before the experiment.",
)
@click.option(
    "--guardrail",
    "guardrails",
    multiple=True,
    metavar="METRIC=TOLERANCE",
    help="How much worse than the baseline an arm may be, such as attempts=0.1: paid, "
    "first_approved, attempts, fees_minor, fallback, latency_ms. Repeat it for several.",
)
@click.option(
    "--worthwhile",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Least gain per payment that you would ship for.",
)
@click.option(
    "--expected-payments",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="About when limits are to be the tightest; fixed before the experiment.",
)
@alpha_option
@wait_option
@reward_option()
@strict_option
@json_option
def read_command(
    log: Path,
    arm_column: str,
    experiment_column: str,
    name: str | None,
    arms: str | None,
    unit: str,
    segments: tuple[str, ...],
    covariates: tuple[str, ...],
    before: Path | None,
    guardrails: tuple[str, ...],
    worthwhile: float,
    expected_payments: int,
    alpha: float,
    wait: str | None,
    reward_text: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Say what an experiment in LOG comes to: ship an arm, keep the baseline, or go on.

    The limits hold at every look, so read it as often as you like and stop when you like. Exits
    with 1 if units did not come to the arms as planned, or a guardrail is broken.
    """
    from dataclasses import replace

    from authopt.experiments.from_log import split_of, tallies_of
    from authopt.experiments.guardrails import State
    from authopt.experiments.log_payments import Asked
    from authopt.experiments.reading import read
    from authopt.logs.files import open_log
    from authopt.payments import CUSTOM_PREFIX

    judged = parse_guardrails(guardrails)
    present = open_log(log).columns
    own = [each for each in present if each.startswith(CUSTOM_PREFIX)]
    if arm_column not in present:
        raise UserError(
            f"{log}: no column {arm_column!r}; --arm-column must name the column of the arms. "
            f"Columns of your own that it has: {', '.join(own) or 'none'}"
        )
    has_names = experiment_column in present
    if name is not None and not has_names:
        raise UserError(f"{log}: no column {experiment_column!r} to find experiment {name!r} in")
    asked = Asked(
        unit,
        arm_column,
        experiment_column if has_names else None,
        name,
        segments,
        covariates,
        rewarded=reward_text != "approved",
    )
    payments, young = _payments(log, asked, reward_text, wait, strict)
    past = None
    if before is not None:
        of_past = replace(asked, arm_column=None, segments=())
        past, _ = _payments(before, of_past, reward_text, wait, strict)
    in_use = {payments.arms[code] for code in {*payments.arm.tolist()} if code >= 0}
    tallies, counted = tallies_of(
        payments,
        split_of(sorted(in_use), arms),
        unit=unit,
        bounds=None if asked.rewarded else (0.0, 1.0),
        past=past,
        young=young,
        expected_units=expected_payments,
    )
    reading = read(tallies, judged, alpha=alpha, worthwhile=worthwhile)
    if as_json:
        print_json({"reading": reading, "counted": counted})
    else:
        from authopt.experiments.reading_table import print_reading

        print_reading(reading, counted, console())
    if not reading.verdict.sound:
        raise CheckFailed("units did not come to the arms as planned (--arms says how)")
    broken = [each.why for each in reading.guardrails if each.state is State.BROKEN]
    if broken:
        raise CheckFailed(f"guardrail broken: {'; '.join(broken)}")


def parse_guardrails(texts: Sequence[str]) -> list[Guardrail]:
    """Guardrails from ``METRIC=TOLERANCE``, each metric once.

    Raises
    ------
    UserError
        If a text is no such thing.
    """
    from authopt.experiments.guardrails import Guardrail

    found = []
    for text in texts:
        metric, _, tolerance = text.partition("=")
        try:
            found.append(Guardrail(metric.strip(), float(tolerance or 0.0)))
        except ValueError:
            raise UserError(
                f"--guardrail {text!r}: expected METRIC=TOLERANCE, such as attempts=0.1"
            ) from None
    if len({each.metric for each in found}) < len(found):
        raise UserError("--guardrail: a metric stands twice; expected each once")
    return found


def _payments(
    log: Path, asked: Asked, reward_text: str, wait: str | None, strict: bool
) -> tuple[Payments, int]:
    from authopt.evaluation.late.censoring import parse_wait
    from authopt.experiments.log_payments import columns_of, payments_of
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects
    from authopt.rewards import parse_reward

    opened: AttemptLog = open_log(log)
    rejects = Rejects(strict=strict)
    batches = opened.batches(
        reward=parse_reward(reward_text),
        rejects=rejects,
        columns=columns_of(asked, opened.columns),
    )
    wait_us = None if wait is None else round(parse_wait(wait) * 1e6)
    found = payments_of(
        tracked(batches, f"reading {log.name}", opened.num_rows, len), asked, wait_us
    )
    if rejects.count:
        reasons = "; ".join(f"{number:,} {why}" for why, number in rejects.by_reason.items())
        notes().print(f"{log}: {rejects.count:,} unsound rows left out: {reasons}")
    return found
