"""``authopt evaluate``: judge policies by the log of another, before they see a payment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import UserError
from authopt.terminal import console, existing_file, json_option, new_file, print_json, tracked

if TYPE_CHECKING:
    from authopt.batch import LoggedBatch


@click.command()
@click.argument("log", type=existing_file)
@click.option(
    "--policy",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="A policy to judge, such as uniform, priority:routes=a,b,c, success-rate or "
    "vw:model.vw. Repeat it to judge several side by side.",
)
@click.option(
    "--reward",
    "reward_text",
    default="approved",
    show_default=True,
    help="approved, or column:NAME:LOW:HIGH (an outcome column and the bounds of its values).",
)
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
@click.option(
    "--max-weight",
    type=click.FloatRange(1),
    help="Largest importance weight that is possible at all. By default it is computed from the "
    "logged probabilities of all eligible actions.",
)
@click.option(
    "--reward-model/--no-reward-model",
    default=True,
    show_default=True,
    help="Fit a cross-fitted reward model, for the direct method and doubly robust.",
)
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
    default=1000,
    show_default=True,
    help="Decisions after which a policy that learns learns from their outcomes, following the "
    "log in the order of time.",
)
@click.option("--frozen", is_flag=True, help="Judge policies that learn as they stand.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of folds and bootstrap.")
@click.option(
    "--strict", is_flag=True, help="Stop at the first unsound row instead of leaving it out."
)
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
    learn_every: int,
    frozen: bool,
    seed: int,
    strict: bool,
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
      authopt evaluate log.parquet --policy vw:model.vw --reward column:margin:-5:100
    """
    # The numerical packages are heavy, and `authopt --help` must not wait for them.
    from authopt.evaluation import engine
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects
    from authopt.logs.schema import PropensitySource
    from authopt.policies.spec import load_policy
    from authopt.rewards import parse_reward

    reward = parse_reward(reward_text)
    policies = [load_policy(spec) for spec in specs]
    source = open_log(log)
    if source.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(engine.without_propensities(log))

    def batches(what: str, rejects: Rejects) -> Iterator[LoggedBatch]:
        return tracked(source.batches(reward=reward, rejects=rejects), what, source.num_rows, len)

    model = None
    if reward_model:
        from authopt.learning.reward_model import fit_reward_model

        rows = batches("fitting the reward model", Rejects(strict=strict))
        model = fit_reward_model(rows, folds=folds, seed=seed)
    rejects = Rejects(strict=strict)
    evaluation = engine.evaluate(
        batches("evaluating", rejects),
        policies,
        reward_model=model,
        reward=reward,
        cluster=cluster,
        confidence=confidence,
        bootstrap=bootstrap,
        max_weight=max_weight,
        learn_every=None if frozen else learn_every,
        seed=seed,
        specs=specs,
        propensity_source=source.propensity_source,
        path=log,
        rejects=rejects,
    )
    if report is not None:
        from authopt.evaluation.report.html import write_report

        write_report(evaluation, report)
    if as_json:
        print_json(evaluation.as_json())
        return
    from authopt.evaluation.report.tables import print_evaluation

    print_evaluation(evaluation, console())
    if report is not None:
        console().print(f"report: {report}")
