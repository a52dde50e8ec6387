"""The best static order of the routes, by what first attempts got approved.

One order for all payments takes the first route of it that is eligible, so what counts is how well
a route does among the payments that it would be given, not how well it does on the whole: a
route that is best at home and poor abroad may come first if the better ones abroad take no payment
from home. So rates are kept for every set of eligible routes, and the order is searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.best_route import STRENGTH

EXACT_ROUTES = 14

RouteSet: TypeAlias = frozenset[str]


@dataclass(slots=True)
class _Seen:
    """First attempts with one set of eligible routes: how many, and per route what was tried."""

    payments: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    approvals: dict[str, float] = field(default_factory=dict)


def best_order(batches: Iterable[LoggedBatch]) -> tuple[str, ...]:
    """The order of routes whose first eligible one is approved most, as far as a log tells.

    Rates are means per set of eligible routes and route, shrunken towards the route's own rate; a
    log that sends easy payments to one route flatters it, so the log should be of a policy that
    explores. With at most ``EXACT_ROUTES`` routes no order is better (dynamic programming over the
    routes that stand first: Held and Karp, "A Dynamic Programming Approach to Sequencing Problems",
    1962); with more, no order is better in which but one route stands elsewhere.

    Parameters
    ----------
    batches
        the log; retries, decisions that took ``stop`` and unknown outcomes do not count.

    Returns
    -------
    tuple of str
        all routes that were ever eligible at a first attempt, best first.

    Raises
    ------
    UserError
        If no first attempt has a known outcome.
    """
    seen: dict[RouteSet, _Seen] = {}
    for batch in batches:
        _add(seen, batch.take(np.flatnonzero(batch.attempt == 1)))
    if not any(each.attempts for each in seen.values()):
        raise UserError("no first attempt with a known outcome to order the routes by")
    overall = _overall(seen)
    order = sorted(overall, key=lambda route: (-overall[route], route))
    worth = {
        routes: {route: each.payments * _rate(each, route, overall) for route in routes}
        for routes, each in seen.items()
    }
    return tuple((_exact if len(order) <= EXACT_ROUTES else _moved)(order, worth))


Worth: TypeAlias = Mapping[RouteSet, Mapping[str, float]]
"""Approvals of all payments with a set of eligible routes, by the route that they are given."""


def _exact(order: list[str], worth: Worth) -> list[str]:
    """The order of most approvals; of equally good ones, that which keeps more to ``order``."""
    size = len(order)
    placed = np.arange(1 << size)
    gain = np.zeros((1 << size, size))
    for routes, of_route in worth.items():
        members = sum(1 << order.index(name) for name in routes)
        for name, value in of_route.items():
            gain[:, order.index(name)] += np.where(placed & members, 0.0, value)
    # The approvals that are still to be had, and the route that is best placed next.
    left, following = np.zeros(1 << size), np.zeros(1 << size, np.int64)
    counts = np.bitwise_count(placed)
    for count in reversed(range(size)):
        some = placed[counts == count]
        total = np.full((len(some), size), -np.inf)
        for route in range(size):
            free = (some >> route & 1) == 0
            total[free, route] = gain[some[free], route] + left[some[free] | 1 << route]
        following[some] = total.argmax(axis=1)
        left[some] = total.max(axis=1)
    best: list[str] = []
    done = 0
    while len(best) < size:
        first = int(following[done])
        best.append(order[first])
        done |= 1 << first
    return best


def _moved(order: list[str], worth: Worth) -> list[str]:
    """From ``order`` on, single routes moved to where they do best, until no move helps."""
    best = _value(order, worth)
    improved = True
    while improved:
        improved = False
        for route in sorted(order):
            others = [each for each in order if each != route]
            moved = [[*others[:place], route, *others[place:]] for place in range(len(order))]
            value, candidate = max((_value(each, worth), each) for each in moved)
            # A hair more is rounding, and could go round for ever.
            if value > best * (1.0 + 1e-12):
                order, best, improved = candidate, value, True
    return order


def _add(seen: dict[RouteSet, _Seen], batch: LoggedBatch) -> None:
    if not batch.n:
        return
    mask = np.zeros((batch.n, len(batch.routes)), np.bool_)
    mask[batch.decision_of_action, batch.action_route] = True
    sets, of_decision = np.unique(mask, axis=0, return_inverse=True)
    of_decision = of_decision.reshape(-1)
    known = np.isfinite(batch.reward) & ~batch.is_stop[batch.chosen_action]
    route = batch.action_route[batch.chosen_action].astype(np.int64)
    for number, members in enumerate(sets):
        routes = frozenset(
            name for name, there in zip(batch.routes, members, strict=True) if there
        ) - {STOP_ROUTE}
        if not routes:
            continue
        here = of_decision == number
        each = seen.setdefault(routes, _Seen())
        each.payments += int(here.sum())
        _count(each, batch, route, np.flatnonzero(here & known))


def _count(seen: _Seen, batch: LoggedBatch, route: IntArray, rows: IntArray) -> None:
    size = len(batch.routes)
    attempts = np.bincount(route[rows], minlength=size)
    approvals = np.bincount(route[rows], batch.reward[rows], size)
    for code in np.flatnonzero(attempts).tolist():
        name = batch.routes[code]
        seen.attempts[name] = seen.attempts.get(name, 0) + int(attempts[code])
        seen.approvals[name] = seen.approvals.get(name, 0.0) + float(approvals[code])


def _overall(seen: Mapping[RouteSet, _Seen]) -> dict[str, float]:
    """Every route's own rate, shrunken towards that of all attempts."""
    attempts = sum(sum(each.attempts.values()) for each in seen.values())
    mean = sum(sum(each.approvals.values()) for each in seen.values()) / attempts
    return {
        route: _shrunken(
            sum(each.approvals.get(route, 0.0) for each in seen.values()),
            sum(each.attempts.get(route, 0) for each in seen.values()),
            mean,
        )
        for route in frozenset().union(*seen)
    }


def _rate(seen: _Seen, route: str, overall: Mapping[str, float]) -> float:
    return _shrunken(seen.approvals.get(route, 0.0), seen.attempts.get(route, 0), overall[route])


def _shrunken(approvals: float, attempts: int, towards: float) -> float:
    return (approvals + STRENGTH * towards) / (attempts + STRENGTH)


def _value(order: list[str], worth: Worth) -> float:
    """Approvals of all first attempts, each by the first eligible route of the order."""
    return sum(
        of_route[next(route for route in order if route in routes)]
        for routes, of_route in worth.items()
    )
