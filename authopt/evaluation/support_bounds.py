"""What an assumption on delays says of actions that the logging policy never takes.

Without an assumption, an action that is never taken may be worth anything (Manski, 'Nonparametric
Bounds on Treatment Effects', AER 80, 1990). Often more is known: an attempt after 24 hours fares
much like one after 25. Two assumptions on one route of one decision can be stated:

- Lipschitz: the mean reward changes by at most L per hour of delay (Khan, Saveski & Ugander,
  'Off-policy Evaluation Beyond Overlap: Sharp Partial Identification Under Smoothness', ICML 2024,
  arXiv:2305.11812). The mass on an action without support is moved to the nearest supported delay
  of its route; the value is that of the moved policy, give or take L times mass times distance.
  (Theirs is sharper: it weighs all supported actions against each other, by estimates of their
  rewards. Ours needs no such estimate.)
- Monotone: the mean reward never falls (or never rises) with the delay (Manski, 'Monotone Treatment
  Response', Econometrica 65, 1997). The lower bound moves the mass to the nearest supported delay
  that cannot be better, the upper bound to the nearest that cannot be worse.

Mass that finds no supported delay stays where it is, and counts as worst and best case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.errors import UserError
from authopt.evaluation.logged_arrays import LoggedArrays

HOUR_S = 3600.0
_HOURS = {"s": 1.0 / HOUR_S, "min": 1.0 / 60.0, "h": 1.0, "d": 24.0}

SHORTER, NEAREST, LONGER = -1, 0, 1


@dataclass(frozen=True, slots=True)
class Lipschitz:
    """The mean reward of a route changes by at most ``per_hour`` with every hour of delay."""

    per_hour: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.per_hour < np.inf:
            raise UserError(
                f"a Lipschitz constant of {self.per_hour} per hour; expected a number >= 0: the "
                "most that the mean reward of a route changes within an hour of delay"
            )

    def __str__(self) -> str:
        return f"lipschitz:{self.per_hour!r}/h"


@dataclass(frozen=True, slots=True)
class Monotone:
    """The mean reward of a route never falls with the delay, or never rises."""

    rising: bool

    def __str__(self) -> str:
        return f"monotone:delay:{'up' if self.rising else 'down'}"


Assumption: TypeAlias = Lipschitz | Monotone


def parse_assumption(text: str) -> Assumption:
    """The assumption that a text states.

    Parameters
    ----------
    text
        ``lipschitz:0.02/h`` (units s, min, h, d), ``monotone:delay:up`` or ``monotone:delay:down``.

    Raises
    ------
    UserError
        If the text states none of these.
    """
    kind, _, rest = text.strip().partition(":")
    if kind == "monotone" and rest in ("delay:up", "delay:down"):
        return Monotone(rest == "delay:up")
    found = re.fullmatch(r"([0-9.eE+-]+)\s*/\s*(s|min|h|d)", rest)
    if kind == "lipschitz" and found:
        try:
            return Lipschitz(float(found[1]) / _HOURS[found[2]])
        except ValueError:
            pass
    raise UserError(
        f"{text!r} states no assumption that is known. Expected lipschitz:NUMBER/UNIT (the most "
        "that the mean reward of a route changes per s, min, h or d of delay, such as "
        "lipschitz:0.02/h), monotone:delay:up or monotone:delay:down"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A policy whose mass without support was moved to supported delays of the same routes.

    Attributes
    ----------
    probabilities
        float64[m], of the moved policy; what found no supported delay is where it was.
    mass, distance_h
        float64[n], mass that was moved, and the sum of mass times hours of delay.
    stranded
        float64[n], mass that stays without support.
    """

    probabilities: FloatArray
    mass: FloatArray
    distance_h: FloatArray
    stranded: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Two policies whose values enclose that of the policy in question.

    Attributes
    ----------
    lower, upper
        the policies; one and the same under a Lipschitz assumption.
    slack
        float64[n], by how much at most the value of a decision lies outside theirs.
    """

    lower: Moved
    upper: Moved
    slack: FloatArray


def bounds_under(
    assumption: Assumption,
    log: LoggedArrays,
    route: IntArray,
    delay_s: IntArray,
    probabilities: FloatArray,
    span: float,
) -> Bounds:
    """Policies that bound the value of a policy under an assumption.

    Parameters
    ----------
    assumption
        what is assumed.
    log
        n decisions with m actions, and the logging policy's probability of every action.
    route, delay_s
        int[m], route (as a number from 0) and delay in seconds of every action.
    probabilities
        float64[m], of the policy in question.
    span
        largest possible difference between two rewards: no slack is larger.

    Raises
    ------
    UserError
        If the log does not say which actions have support.
    """
    if isinstance(assumption, Monotone):
        down = move(log, route, delay_s, probabilities, SHORTER)
        up = move(log, route, delay_s, probabilities, LONGER)
        lower, upper = (down, up) if assumption.rising else (up, down)
        return Bounds(lower, upper, np.zeros(log.n))
    moved = move(log, route, delay_s, probabilities, NEAREST)
    # However far an action is, its reward stays within the bounds of all rewards.
    slack = np.minimum(assumption.per_hour * moved.distance_h, span * moved.mass)
    return Bounds(moved, moved, slack)


def move(
    log: LoggedArrays,
    route: IntArray,
    delay_s: IntArray,
    probabilities: FloatArray,
    direction: int = NEAREST,
) -> Moved:
    """Move mass without support to the nearest supported delay of the same route.

    Parameters
    ----------
    log, route, delay_s, probabilities
        as in :func:`bounds_under`.
    direction
        ``SHORTER`` or ``LONGER`` for delays on that side alone; ``NEAREST`` for both (the shorter
        one where both are as near).

    Raises
    ------
    UserError
        If the log does not say which actions have support.
    """
    if log.probability is None:
        raise UserError(
            "the log gives the propensity of the taken action alone, so it does not say which "
            "actions lack support. An assumption on delays needs the probability of every eligible "
            "action (eligible_probability)"
        )
    supported = log.probability > 0.0
    supported[log.chosen_action] = True
    homeless = np.flatnonzero(~supported & (probabilities > 0.0))
    if not len(homeless):
        nothing = np.zeros(log.n)
        return Moved(probabilities, nothing, nothing, nothing)
    target = _targets(log, route, delay_s, supported, direction)[homeless]
    decision = np.repeat(np.arange(log.n), np.diff(log.offsets))[homeless]
    mass = probabilities[homeless]
    found = target >= 0
    to, source = target[found], homeless[found]
    moved = probabilities.copy()
    moved[source] = 0.0
    moved += np.bincount(to, mass[found], len(moved))
    hours = np.abs(delay_s[to] - delay_s[source]) / HOUR_S

    def by_decision(some: BoolArray, values: FloatArray) -> FloatArray:
        return np.bincount(decision[some], values, log.n).astype(np.float64)

    return Moved(
        moved,
        by_decision(found, mass[found]),
        by_decision(found, mass[found] * hours),
        by_decision(~found, mass[~found]),
    )


def _targets(
    log: LoggedArrays, route: IntArray, delay_s: IntArray, supported: BoolArray, direction: int
) -> IntArray:
    """int64[m], the supported action that each action's mass goes to; -1 where there is none."""
    m = len(route)
    decision = np.repeat(np.arange(log.n), np.diff(log.offsets))
    group = decision * (int(route.max(initial=0)) + 1) + route
    order = np.lexsort((delay_s, group))
    place, group, delay = np.arange(m), group[order], delay_s[order]
    there = supported[order]
    # In the order of routes and delays, the last supported action up to each, and the next one.
    before = np.maximum.accumulate(np.where(there, place, -1))
    after = np.minimum.accumulate(np.where(there, place, m)[::-1])[::-1]
    before = np.where((before >= 0) & (group[before] == group), before, -1)
    inside = np.minimum(after, m - 1)
    after = np.where((after < m) & (group[inside] == group), after, -1)
    if direction == SHORTER:
        best = before
    elif direction == LONGER:
        best = after
    else:
        back = np.where(before >= 0, delay - delay[before], np.iinfo(np.int64).max)
        ahead = np.where(after >= 0, delay[after] - delay, np.iinfo(np.int64).max)
        best = np.where(back <= ahead, before, after)
    target = np.empty(m, np.int64)
    target[order] = np.where(best >= 0, order[best], -1)
    return target
