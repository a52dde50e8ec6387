"""One acquirer is down for twenty minutes: who leaves it, how fast, and who comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from authopt.batch import BoolArray
from authopt.look.static_charts import Page, label_ends, new_figure, say, shade
from simulator.scenarios.contenders import ORACLE, Contender
from simulator.scenarios.follow import follow
from simulator.scenarios.pictures import (
    first_attempts_approved,
    percent_axis,
    plot_lines,
    strokes,
)
from simulator.scenarios.places import (
    BUSY_NOON,
    MAIN_ROUTE,
    others_worse,
    priority,
    success_rate,
    world,
)
from simulator.scenarios.scenario import (
    ALL,
    Answer,
    Findings,
    Moment,
    Scenario,
    ScenarioRun,
    Series,
    Stage,
    Unit,
    everything,
)
from simulator.traffic import Traffic
from simulator.world.events import RouteDown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEFORE_S, DOWN_S, AFTER_S = 600, 1_200, 1_200
BIN_S = 10
PER_SECOND = 50
OTHERS = -2.5
"""Log odds of approval by which the other routes are worse here."""

FIRST = "first attempts"
LEFT = 0.05
"""A route is left once no more than this share of the traffic that could take it still does."""

BACK = 0.5
"""It is taken again once its share is this much of what it was before."""


def _stage(payments: int, seed: int) -> Stage:
    start = BUSY_NOON + np.timedelta64(BEFORE_S, "s")
    end = start + np.timedelta64(DOWN_S, "s")
    days = (BEFORE_S + DOWN_S + AFTER_S) / 86_400
    return Stage(
        world=world(
            *others_worse(MAIN_ROUTE, OTHERS),
            RouteDown(MAIN_ROUTE, start, end),
            bill_attempts=3,
        ),
        traffic=Traffic(payments, BUSY_NOON, days, seed),
        policies={
            "static priority": priority(),
            "success rate": success_rate("currency", window=100),
            ORACLE: ORACLE,
        },
        slot_s=BIN_S,
        bin_s=BIN_S,
        moments=(Moment(f"{MAIN_ROUTE} is down", start, end),),
        groups={FIRST: lambda batch: batch.attempt == 1, ALL: everything},
    )


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    series = follow(stage, contenders)
    down = slice(BEFORE_S // BIN_S, (BEFORE_S + DOWN_S) // BIN_S)
    whole = {each.policy: each.approved[down].sum() for each in series if each.group == ALL}
    rows = [
        (
            each.policy,
            seconds_to_leave(each),
            seconds_to_return(each),
            float(each.first_approved[down].sum() / each.first[down].sum()),
            float(whole[each.policy] / each.first[down].sum()),
        )
        for each in series
        if each.group == FIRST
    ]
    return Findings(
        finding=_finding(rows),
        explanation=(
            f"{stage.traffic.payments / stage.traffic.days / 86_400:.0f} payments a second; "
            f"{MAIN_ROUTE} answers nothing for {DOWN_S // 60} minutes. Policies that learn do so "
            f"every {stage.slot_s} s. First attempts in stretches of {BIN_S} s. The other routes "
            f"are made {-OTHERS:g} log odds worse here, so that there is one to be on. "
            f"Seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("policy", Unit.TEXT),
                ("95% has left after", Unit.SECONDS),
                ("half is back after", Unit.SECONDS),
                ("first attempts approved while down", Unit.SHARE),
                ("with retries", Unit.SHARE),
            ),
            tuple(rows),
        ),
        series=series,
    )


def seconds_to_leave(series: Series) -> float | None:
    """Until no more than ``LEFT`` of the traffic that could take the dead route does; None: never.

    Counted to the end of the first bin for which that holds.
    """
    share = series.share_on(MAIN_ROUTE)
    first = BEFORE_S // BIN_S
    return _until(share[first : first + DOWN_S // BIN_S] <= LEFT)


def seconds_to_return(series: Series) -> float | None:
    """From the end of the outage until the route has ``BACK`` of its share before; None: never."""
    share = series.share_on(MAIN_ROUTE)
    before = float(np.nanmean(share[: BEFORE_S // BIN_S]))
    return _until(share[(BEFORE_S + DOWN_S) // BIN_S :] >= BACK * before)


def _until(holds: BoolArray) -> float | None:
    places = np.flatnonzero(holds)
    return float((places[0] + 1) * BIN_S) if len(places) else None


def _finding(rows: list[tuple[str, float | None, float | None, float, float]]) -> str:
    told = []
    for label, left, back, approved, _ in rows:
        if label == ORACLE:
            continue
        if left is None:
            told.append(f"{label} never leaves: {approved:.0%} of first attempts are approved")
        else:
            returns = f"not yet back after {AFTER_S // 60} minutes"
            if back is not None:
                returns = f"half back after {back / 60:.0f} minutes"
            told.append(f"{label} has left after {left:.0f} s ({approved:.0%}), {returns}")
    said = "; ".join(told)
    return said[0].upper() + said[1:]


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(8.0, 6.0)
    top, below = figure.subplots(2, 1, sharex=True)
    bins = len(run.stage.bin_starts)
    minutes = (np.arange(bins) * BIN_S + BIN_S / 2 - BEFORE_S) / 60.0
    drawn = strokes(run, look)
    shares = {each: run.series(each, FIRST).share_on(MAIN_ROUTE) for each in run.policies}
    ends = plot_lines(top, minutes, shares, drawn)
    top.set_title(f"Share of the traffic sent to {MAIN_ROUTE}, of what it could take")
    percent_axis(top, 0.0, 1.16)
    approved = first_attempts_approved(run, FIRST)
    approved_ends = plot_lines(below, minutes, approved, drawn)
    below.set_title("First attempts approved")
    percent_axis(below, 0.0, 1.0)
    below.set_xlabel(f"minutes since {MAIN_ROUTE} went down")
    for axes, text in ((top, run.stage.moments[0].text), (below, "")):
        shade(axes, look, 0.0, DOWN_S / 60.0, text)
        axes.set_xlim(-BEFORE_S / 60.0, (DOWN_S + AFTER_S) / 60.0)
    say(figure, look, run.findings.finding, run.findings.explanation)
    label_ends(top, look, ends)
    label_ends(below, look, approved_ends)
    return figure


SCENARIO = Scenario(
    "outage",
    "One acquirer is down for twenty minutes: who leaves it, how fast, and who comes back.",
    PER_SECOND * (BEFORE_S + DOWN_S + AFTER_S),
    _stage,
    _measure,
    _picture,
)
