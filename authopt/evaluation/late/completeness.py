"""How completely the outcomes of a log have come in, by route, and what to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.late.censoring import CensoringModel
from authopt.evaluation.late.follow_up import (
    CAME,
    EDGES_S,
    OPEN,
    SEPARATOR,
    WAITED,
    FollowUpSums,
    bin_of,
    kaplan_meier,
    share_complete,
)
from authopt.evaluation.quantities import Level, Remark


@dataclass(frozen=True, slots=True)
class Completeness:
    """How the outcomes of one route come in.

    Attributes
    ----------
    route
        its name.
    attempts
        in the log.
    waited
        share of them that were waited for long enough.
    known
        share that have an outcome.
    complete
        share of outcomes that come within the wait, by the Kaplan-Meier curve.
    median_s
        seconds until half of the attempts have their outcome; None where they never do.
    """

    route: str
    attempts: int
    waited: float
    known: float
    complete: float
    median_s: float | None


def completeness(sums: FollowUpSums, wait_s: float) -> tuple[Completeness, ...]:
    """How the outcomes of every route come in, the most taken route first."""
    by_route: dict[str, FloatArray] = {}
    for label, table in zip(sums.counts.labels, sums.counts.sums, strict=True):
        route = label.rsplit(SEPARATOR, 1)[-1]
        by_route[route] = by_route.get(route, 0.0) + table
    found = []
    for route, table in by_route.items():
        attempts = table[:, WAITED].sum()
        waited = table[int(bin_of(np.array([wait_s]))[0]) :, WAITED].sum()
        left = kaplan_meier(table)
        half = np.flatnonzero(left <= 0.5)
        edges = np.concatenate([[0.0], EDGES_S, [np.inf]])
        median = float(edges[half[0]]) if len(half) and np.isfinite(edges[half[0]]) else None
        found.append(
            Completeness(
                route,
                int(attempts),
                float(waited / attempts),
                float(table[:, CAME].sum() / attempts),
                share_complete(table, wait_s, timed=True),
                median,
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.attempts, each.route)))


def censoring_remarks(sums: FollowUpSums, model: CensoringModel) -> tuple[Remark, ...]:
    """What a reader must know of outcomes that are late or lost."""
    whole = sums.counts.sums.sum(axis=0)
    attempts, known = whole[:, WAITED].sum(), whole[:, CAME].sum()
    first = int(bin_of(np.array([model.wait_s]))[0])
    young, late = whole[:first, WAITED].sum(), whole[first + 1 :, CAME].sum()
    lost = whole[first + 1 :, OPEN].sum()
    if not whole[:, OPEN].any():
        return ()
    hours = f"{model.wait_s / 3600:,.4g} h"
    found = []
    if young:
        how = "count by when their outcome came" if model.timed else "are left out"
        found.append(
            Remark(
                Level.NOTE,
                f"{young:,.0f} of {attempts:,.0f} attempts are younger than the wait of {hours}; "
                f"they {how}",
            )
        )
    if lost:
        found.append(
            Remark(
                Level.WARNING if lost > 0.05 * attempts else Level.NOTE,
                f"{lost:,.0f} outcomes did not come within {hours}: they count as lost at random "
                "within route, delay and attempt",
            )
        )
    if late > 0.001 * known:
        found.append(
            Remark(
                Level.WARNING if late > 0.01 * known else Level.NOTE,
                f"{late / known:.1%} of the known outcomes came after the wait of {hours} and are "
                "not used: wait longer",
            )
        )
    if sums.untimed and model.timed:
        found.append(
            Remark(
                Level.NOTE,
                f"{sums.untimed:,} outcomes have no time (outcome_at, latency_ms); they count "
                "as if they had come at once",
            )
        )
    few = [each.route for each in completeness(sums, model.wait_s) if each.complete < model.floor]
    if few:
        found.append(
            Remark(
                Level.ALARM,
                f"almost no outcome of {', '.join(few)} comes within the wait: nothing can be said "
                "of it",
            )
        )
    return tuple(found)
