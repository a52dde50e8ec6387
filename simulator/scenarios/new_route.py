"""A route is added half way: who finds it, how fast, and what finding it late costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from authopt.batch import BoolArray, Categorical, LoggedBatch
from authopt.look.static_charts import Page, label_ends, mark, new_figure, say
from simulator.scenarios.contenders import ORACLE, Contender
from simulator.scenarios.follow import follow
from simulator.scenarios.pictures import (
    count_axis,
    date_axis,
    grouped,
    lost_so_far,
    middles,
    moving_share,
    percent_axis,
    plot_lines,
    strokes,
)
from simulator.scenarios.places import START, others_worse, priority, success_rate, world
from simulator.scenarios.scenario import (
    Answer,
    Findings,
    Moment,
    Scenario,
    ScenarioRun,
    Series,
    Stage,
    Unit,
)
from simulator.traffic import Traffic
from simulator.world.cast_routes import ROUTES, takes
from simulator.world.events import RouteAdded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEW_ROUTE = "ipanema"
"""The account at home in Brazil: without it, Brazilian cards are declined far more often."""

OTHERS = -2.5
"""Log odds of approval by which the other routes are worse here."""

DAYS, BEFORE_DAYS = 28, 10
DAY_S = 86_400
CONCERNED = "payments that it takes"
WINDOW = 4


def _stage(payments: int, seed: int) -> Stage:
    added = START + np.timedelta64(BEFORE_DAYS, "D")
    return Stage(
        world=world(
            RouteAdded(NEW_ROUTE, added),
            *others_worse(NEW_ROUTE, OTHERS),
        ),
        traffic=Traffic(payments, START, DAYS, seed),
        policies={
            "static priority": priority(NEW_ROUTE),
            "uniform": "uniform",
            "success rate, 5% hedging": success_rate("currency", hedging=0.05),
            "success rate, 20% hedging": success_rate("currency", hedging=0.2),
            ORACLE: ORACLE,
        },
        slot_s=DAY_S // 4,
        bin_s=DAY_S // 4,
        moments=(Moment(f"{NEW_ROUTE} is added", added),),
        groups={CONCERNED: concerned},
    )


def concerned(batch: LoggedBatch) -> BoolArray:
    """bool[n], first attempts in a currency that the new route takes, before it is there too."""
    route = next(each for each in ROUTES if each.name == NEW_ROUTE)
    column = batch.context["currency"]
    assert isinstance(column, Categorical)
    taken = np.array([*(takes(route, name) for name in column.categories), False])
    return np.asarray(taken[column.codes] & (batch.attempt == 1))


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    series = follow(stage, contenders)
    added = stage.moments[0].start
    after = stage.bin_starts >= added
    rows = [
        (
            each.policy,
            days_to_find(each, added, stage),
            each.chance(~after),
            each.chance(after),
            float(each.regret[after].sum()),
        )
        for each in series
    ]
    return Findings(
        finding=_finding(rows),
        explanation=(
            f"{NEW_ROUTE} is added on {added}, better than the others, which are made "
            f"{-OTHERS:g} log odds worse here. First attempts in the currencies that it takes, "
            f"over a day; {grouped(stage.traffic.payments)} payments in all currencies. The static "
            f"order was written before it was there. Seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("policy", Unit.TEXT),
                ("half is there after, days", Unit.NUMBER),
                ("true chance before", Unit.SHARE),
                ("after", Unit.SHARE),
                ("approvals lost since", Unit.NUMBER),
            ),
            tuple(rows),
        ),
        series=series,
    )


def days_to_find(series: Series, added: np.datetime64, stage: Stage) -> float | None:
    """Days until half of what the new route could take goes there; None: never."""
    share = moving_share(series, NEW_ROUTE, WINDOW)
    found = np.flatnonzero(share >= 0.5)
    if not len(found):
        return None
    return float((stage.bin_starts[found[0]] - added) / np.timedelta64(DAY_S, "s"))


def _finding(rows: list[tuple[str, float | None, float, float, float]]) -> str:
    told = [
        f"{label} {'never' if days is None else f'after {days:.1f} days'}"
        for label, days, *_ in rows
        if label not in (ORACLE, "uniform")
    ]
    return f"{NEW_ROUTE} has half of what it could take: " + "; ".join(told)


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(8.6, 6.2)
    top, below = figure.subplots(2, 1, sharex=True)
    time = middles(run.stage.bin_starts, run.stage.bin_s)
    drawn = strokes(run, look)
    added = run.stage.moments[0]
    here = run.stage.bin_starts >= added.start
    shares = {
        each: np.where(here, moving_share(run.series(each, CONCERNED), NEW_ROUTE, WINDOW), np.nan)
        for each in run.policies
    }
    ends = plot_lines(top, time, shares, drawn)
    top.set_title(f"Share of the first attempts sent to {NEW_ROUTE}, of what it could take")
    percent_axis(top, 0.0, 1.16)
    lost = lost_so_far(run, CONCERNED)
    lost_ends = plot_lines(below, time, lost, drawn)
    below.set_title("Approvals lost to the oracle so far, in expectation")
    count_axis(below)
    date_axis(below)
    mark(top, look, added.start, added.text)
    mark(below, look, added.start, "")
    say(figure, look, run.findings.finding, run.findings.explanation)
    label_ends(top, look, ends)
    label_ends(below, look, lost_ends)
    return figure


SCENARIO = Scenario(
    "new-route",
    "A route is added half way: who finds it, how fast, and what finding it late costs.",
    40_000,
    _stage,
    _measure,
    _picture,
)
