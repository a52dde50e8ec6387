"""What a log can say of another policy: nothing where its router never tried anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from authopt.batch import LoggedBatch, concat
from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.look.palette import BLUE, VERMILION
from authopt.look.static_charts import Page, new_figure, say
from authopt.policies.mixed import mixed
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from simulator.scenarios.contenders import Contender
from simulator.scenarios.follow import batches_of
from simulator.scenarios.pictures import grouped
from simulator.scenarios.places import START, candidate, priority, world
from simulator.scenarios.scenario import Answer, Findings, Scenario, ScenarioRun, Stage, Unit
from simulator.traffic import Traffic
from simulator.truth import value_on

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAYS = 14
EXPLORED = (0.0, 0.01, 0.05, 0.20)
"""Shares of the decisions that the router spreads evenly over all eligible actions."""

REPLICATES = 200
ROUTER, CANDIDATE = "router", "candidate"


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one log says of the candidate, and the truth."""

    explored: float
    decisions: int
    approved: float
    truth: float
    unsupported: float
    estimate: float | None
    covering: Interval
    naive: Interval


def _stage(payments: int, seed: int) -> Stage:
    return Stage(
        world=world(),
        traffic=Traffic(payments, START, DAYS, seed),
        policies={ROUTER: priority(), CANDIDATE: candidate()},
        slot_s=3_600,
        bin_s=86_400,
    )


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    router, judged = _roles(contenders)
    found = [_judge(stage, router, judged, explored) for explored in EXPLORED]
    blind, seeing = found[0], found[-1]
    held = sum(each.covering.lower <= each.truth <= each.covering.upper for each in found)
    finding = (
        f"Without exploration the honest answer is {blind.covering.lower:.0%} to "
        f"{blind.covering.upper:.0%}; with {seeing.explored:.0%} of it, "
        f"{seeing.covering.lower:.1%} to {seeing.covering.upper:.1%}, and the truth is "
        f"{seeing.truth:.1%}"
    )
    wrong = (
        f" Taken at its word, the first log would say {blind.naive.lower:.0%} to "
        f"{blind.naive.upper:.0%}."
        if not blind.naive.lower <= blind.truth <= blind.naive.upper
        else ""
    )
    return Findings(
        finding=finding,
        explanation=(
            f"{grouped(stage.traffic.payments)} payments, logged by a static order of routes with "
            "more and more of the decisions spread evenly; what each log tells of another order. "
            f"{held} of {len(found)} covering intervals hold the truth.{wrong} "
            f"Seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("explored", Unit.SHARE),
                ("decisions", Unit.COUNT),
                ("truth", Unit.SHARE),
                ("covering from", Unit.SHARE),
                ("to", Unit.SHARE),
                ("naive from", Unit.SHARE),
                ("naive to", Unit.SHARE),
                ("no support", Unit.SHARE),
            ),
            tuple(
                (
                    each.explored,
                    each.decisions,
                    each.truth,
                    each.covering.lower,
                    each.covering.upper,
                    each.naive.lower,
                    each.naive.upper,
                    each.unsupported,
                )
                for each in found
            ),
        ),
        tables={
            "logs": {
                "explored": [each.explored for each in found],
                "decisions": [each.decisions for each in found],
                "approved": [each.approved for each in found],
                "truth": [each.truth for each in found],
                "unsupported": [each.unsupported for each in found],
                "estimate": [each.estimate for each in found],
                "covering_lower": [each.covering.lower for each in found],
                "covering_upper": [each.covering.upper for each in found],
                "naive_lower": [each.naive.lower for each in found],
                "naive_upper": [each.naive.upper for each in found],
            }
        },
    )


def _roles(contenders: tuple[Contender, ...]) -> tuple[Contender, Contender]:
    """Who makes the logs, and who is judged by them: a policy that was asked for is judged."""
    if contenders[0].label == ROUTER:
        return contenders[0], contenders[1]
    return Contender(ROUTER, priority(), load_policy(priority())), contenders[0]


def _judge(stage: Stage, router: Contender, judged: Contender, explored: float) -> _Judged:
    policy: Policy = mixed(router.policy, explored) if explored else router.policy
    log = concat(list(batches_of(stage, Contender(router.label, router.spec, policy))))
    truth = float(value_on(stage.world, log.decisions(), judged.policy).mean())
    evaluation = evaluate([log], [judged.policy], bootstrap=REPLICATES, payments=False)
    result = evaluation.policies[1]
    estimate = result.estimate("snips")
    return _Judged(
        explored,
        log.n,
        _approved(log),
        truth,
        result.diagnostics.unsupported_mass or 0.0,
        estimate.value,
        _interval(estimate, "cressie-read"),
        _interval(estimate, "normal"),
    )


def _interval(estimate: Estimate, method: str) -> Interval:
    for each in estimate.intervals:
        if each.method == method:
            return each
    # A log without any overlap has no asymptotic interval: nothing is known.
    return Interval(method, 0.0, 1.0, 0.95, Guarantee.COVERS)


def _approved(log: LoggedBatch) -> float:
    return float(np.nan_to_num(log.reward).mean())


def _picture(run: ScenarioRun, look: Page) -> Figure:
    from matplotlib.ticker import PercentFormatter

    table = run.findings.tables["logs"]
    figure = new_figure(8.0, 4.4)
    axes = figure.subplots()
    rows = np.arange(len(table["explored"]))[::-1].astype(float)
    honest, naive = look.text(BLUE), look.text(VERMILION)
    for place, row in enumerate(rows):
        low, high = table["covering_lower"][place], table["covering_upper"][place]
        axes.plot([low, high], [row, row], color=BLUE, linewidth=7.0, linestyle="solid",
                  solid_capstyle="butt")  # fmt: skip
        low, high = table["naive_lower"][place], table["naive_upper"][place]
        axes.plot([low, high], [row - 0.27] * 2, color=VERMILION, linewidth=2.2, linestyle="solid",
                  marker="|", markersize=8)  # fmt: skip
        truth = table["truth"][place]
        axes.plot(truth, row, marker="D", markersize=7, color=look.ink, zorder=4,
                  markeredgecolor=look.paper)  # fmt: skip
    names = [
        f"{each:.0%} explored" + (f"\nsilent on {missing:.0%}" if missing > 0.005 else "")
        for each, missing in zip(table["explored"], table["unsupported"], strict=True)
    ]
    axes.set_yticks(rows, names)
    axes.set_ylim(-0.75, len(rows) - 0.35)
    axes.set_xlim(0.0, 1.0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.set_xlabel("approval per decision of the candidate")
    top = rows[0]
    middle = (table["covering_lower"][0] + table["covering_upper"][0]) / 2
    axes.annotate(
        "interval that covers: worst and best case where the log is silent",
        (middle, top + 0.20), ha="center", va="bottom", fontsize=8.3, color=honest,
        fontweight="bold",
    )  # fmt: skip
    axes.annotate(
        "normal interval of the same estimate", (table["naive_upper"][0], top - 0.26), (8, -1),
        textcoords="offset points", va="center", fontsize=8.3, color=naive, fontweight="bold",
    )  # fmt: skip
    axes.annotate(
        "truth", (table["truth"][0], top), (0, -9), textcoords="offset points",
        ha="center", va="top", fontsize=8.3, fontweight="bold",
    )  # fmt: skip
    say(figure, look, run.findings.finding, run.findings.explanation)
    return figure


SCENARIO = Scenario(
    "no-exploration",
    "A log without exploration: what it can say of another policy, against logs that explored.",
    12_000,
    _stage,
    _measure,
    _picture,
)
