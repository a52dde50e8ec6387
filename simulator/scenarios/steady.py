"""Nothing happens: what routing alone is worth, and what is lost to the best choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authopt.look.static_charts import Page, label_ends, new_figure, say
from simulator.scenarios.contenders import ORACLE, Contender
from simulator.scenarios.follow import follow
from simulator.scenarios.pictures import (
    around,
    count_axis,
    date_axis,
    first_attempts_approved,
    grouped,
    lost_so_far,
    middles,
    percent_axis,
    plot_lines,
    strokes,
)
from simulator.scenarios.places import START, priority, success_rate, world
from simulator.scenarios.scenario import Answer, Findings, Scenario, ScenarioRun, Stage, Unit
from simulator.traffic import Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAYS = 28
HOUR_S = 3_600
SMOOTHING = 8
FIRST = "first attempts"
"""Routing alone: what a retry is worth depends on its delay more than on its route."""


def _stage(payments: int, seed: int) -> Stage:
    return Stage(
        world=world(),
        traffic=Traffic(payments, START, DAYS, seed),
        policies={
            "uniform": "uniform",
            "static priority": priority(),
            "success rate": success_rate("currency"),
            ORACLE: ORACLE,
        },
        slot_s=4 * HOUR_S,
        bin_s=6 * HOUR_S,
        groups={FIRST: lambda batch: batch.attempt == 1},
    )


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    series = follow(stage, contenders)
    rows = []
    for each in series:
        payments = each.first.sum()
        rows.append(
            (
                each.policy,
                int(payments),
                float(each.first_approved.sum() / payments),
                float(each.expected.sum() / payments),
                float(1_000 * each.regret.sum() / payments),
            )
        )
    own = [row for row in rows if row[0] != ORACLE]
    best, worst = min(own, key=lambda row: row[4]), max(own, key=lambda row: row[4])
    finding = (
        f"Of 1,000 first attempts, {best[0]} routing loses {best[4]:.0f} approvals to the best "
        f"choice of route; {worst[0]} loses {worst[4]:.0f}"
    )
    return Findings(
        finding=finding,
        explanation=(
            f"{grouped(stage.traffic.payments)} payments over {stage.traffic.days} days in which "
            "nothing special happens; each policy meets the same ones. The oracle takes the action "
            f"of the highest true chance, now. Seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("policy", Unit.TEXT),
                ("first attempts", Unit.COUNT),
                ("approved", Unit.SHARE),
                ("true chance", Unit.SHARE),
                ("lost to the oracle, per 1,000", Unit.NUMBER),
            ),
            tuple(rows),
        ),
        series=series,
    )


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(8.0, 6.2)
    top, below = figure.subplots(2, 1, sharex=True)
    time = middles(run.stage.bin_starts, run.stage.bin_s)
    drawn = strokes(run, look)
    approved = first_attempts_approved(run, FIRST, SMOOTHING)
    ends = plot_lines(top, time, approved, drawn)
    top.set_title("First attempts approved, over two days")
    percent_axis(top, *around(list(approved.values())))
    lost = lost_so_far(run, FIRST)
    lost_ends = plot_lines(below, time, lost, drawn)
    below.set_title("Approvals lost to the oracle so far, in expectation")
    count_axis(below)
    date_axis(below)
    say(figure, look, run.findings.finding, run.findings.explanation)
    label_ends(top, look, ends)
    label_ends(below, look, lost_ends)
    return figure


SCENARIO = Scenario(
    "steady",
    "Nothing happens: what choosing the route is worth, and what is lost to the best choice.",
    20_000,
    _stage,
    _measure,
    _picture,
)
