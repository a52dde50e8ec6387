"""One issuer on one route loses approval little by little: who notices, and when."""

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
from simulator.scenarios.places import (
    MAIN_ROUTE,
    START,
    others_worse,
    priority,
    success_rate,
    world,
)
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
from simulator.world.events import RouteDegraded
from simulator.world.world import CardWorld

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAYS, SOUND_DAYS, RAMP_DAYS = 42, 14, 14
OTHERS, LOG_ODDS = -2.5, -6.0
"""Log odds of approval: what the other routes are worse by, and what the issuer takes away."""

DAY_S = 86_400
ISSUER = "the issuer's cards"
WINDOW, LASTING = 4, 6
"""Bins of a moving share, and for how many it has to be low."""

SETTLING_DAYS = 3
"""A policy that has learnt nothing yet tries all routes at first."""


def _stage(payments: int, seed: int) -> Stage:
    start = START + np.timedelta64(SOUND_DAYS, "D")
    full = start + np.timedelta64(RAMP_DAYS, "D")
    end = START + np.timedelta64(10 * DAYS, "D")
    sound = world(issuers=28)
    issuer = largest_issuer(sound)
    return Stage(
        world=sound.with_events(
            *others_worse(MAIN_ROUTE, OTHERS),
            RouteDegraded(MAIN_ROUTE, start, end, LOG_ODDS, issuer, RAMP_DAYS * DAY_S),
        ),
        traffic=Traffic(payments, START, DAYS, seed),
        policies={
            "static priority": priority(),
            "last 200 by issuer": success_rate("issuer", window=200),
            "last 400 by issuer": success_rate("issuer", window=400),
            ORACLE: ORACLE,
        },
        slot_s=DAY_S // 2,
        bin_s=DAY_S // 2,
        moments=(Moment("begins", start), Moment("at its worst", full)),
        groups={ISSUER: lambda batch: first_of(batch, issuer)},
    )


def largest_issuer(place: CardWorld) -> str:
    """Name of the issuer that most payments of a world are made with."""
    sample = place.arrivals(Traffic(4_000, START, 1, 1), 0, 4_000).context["issuer"]
    assert isinstance(sample, Categorical)
    return sample.categories[int(np.bincount(sample.codes).argmax())]


def first_of(batch: LoggedBatch, issuer: str) -> BoolArray:
    """bool[n], first attempts with a card of the issuer."""
    column = batch.context["issuer"]
    assert isinstance(column, Categorical)
    return np.asarray((column.recode((issuer,)) == 0) & (batch.attempt == 1))


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    series = follow(stage, contenders)
    begins, worst = stage.moments[0].start, stage.moments[1].start
    after = stage.bin_starts >= begins
    late = stage.bin_starts >= worst
    rows = [
        (
            each.policy,
            days_to_notice(each, begins, stage),
            each.chance(~after),
            each.chance(late),
            float(each.regret[after].sum()),
        )
        for each in series
    ]
    return Findings(
        finding=_finding(rows),
        explanation=(
            f"{MAIN_ROUTE}, so far the best route (the others are made {-OTHERS:g} log odds worse "
            f"here), gets ever fewer approvals from one issuer, the "
            f"largest, and is at its worst {RAMP_DAYS} days later. First attempts with that "
            f"issuer's cards, over two days; two policies take the route with the best rate "
            f"among the issuer's last outcomes. {grouped(stage.traffic.payments)} payments of "
            f"{len(_issuers(stage))} issuers. Seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("policy", Unit.TEXT),
                ("half has left after, days", Unit.NUMBER),
                ("true chance before", Unit.SHARE),
                ("at its worst", Unit.SHARE),
                ("approvals lost since", Unit.NUMBER),
            ),
            tuple(rows),
        ),
        series=series,
    )


def _issuers(stage: Stage) -> tuple[str, ...]:
    assert isinstance(stage.world, CardWorld)
    return stage.world.issuer_names


def days_to_notice(series: Series, begins: np.datetime64, stage: Stage) -> float | None:
    """Days from the beginning until the route has lost half of its share, for days.

    Negative where that was before, by chance; None where it never happens.
    """
    share = moving_share(series, MAIN_ROUTE, WINDOW)
    settled = int(SETTLING_DAYS * DAY_S / stage.bin_s)
    sound = (stage.bin_starts < begins) & (np.arange(len(share)) >= settled)
    low = share[settled:] < np.nanmax(share[sound]) / 2
    lasting = np.convolve(low, np.ones(LASTING), "valid") == LASTING
    places = np.flatnonzero(lasting)
    if not len(places):
        return None
    left = stage.bin_starts[settled + places[0]]
    return float((left - begins) / np.timedelta64(DAY_S, "s"))


def _finding(rows: list[tuple[str, float | None, float, float, float]]) -> str:
    told = []
    for label, days, *_ in rows:
        if label == ORACLE:
            continue
        if days is None:
            told.append(f"{label} never leaves")
        elif days < 0:
            told.append(f"{label} had left {-days:.0f} days before, by chance")
        else:
            told.append(f"{label} has left after {days:.0f} days")
    said = "; ".join(told)
    return said[0].upper() + said[1:]


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(8.4, 6.2)
    top, below = figure.subplots(2, 1, sharex=True)
    time = middles(run.stage.bin_starts, run.stage.bin_s)
    drawn = strokes(run, look)
    shares = {
        each: moving_share(run.series(each, ISSUER), MAIN_ROUTE, WINDOW) for each in run.policies
    }
    ends = plot_lines(top, time, shares, drawn)
    top.set_title(f"Share of the issuer's first attempts sent to {MAIN_ROUTE}")
    percent_axis(top, 0.0, 1.16)
    lost = lost_so_far(run, ISSUER)
    lost_ends = plot_lines(below, time, lost, drawn)
    below.set_title("Approvals lost to the oracle so far, in expectation")
    count_axis(below)
    date_axis(below)
    for moment in run.stage.moments:
        mark(top, look, moment.start, moment.text)
        mark(below, look, moment.start, "")
    say(figure, look, run.findings.finding, run.findings.explanation)
    label_ends(top, look, ends)
    label_ends(below, look, lost_ends)
    return figure


SCENARIO = Scenario(
    "degradation",
    "One issuer on one route loses approval little by little over two weeks: who notices, when.",
    60_000,
    _stage,
    _measure,
    _picture,
)
