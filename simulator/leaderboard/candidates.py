"""Static policies for a place, from a log of it; the best is chosen on payments of its own.

What is declared here is all that is tried: orders of the routes (the merchant's own, by the
approval of first attempts, the best one that a log tells, cheapest first, and those that a search
by swaps finds), a random split and a table of orders by currency, each with its retries at once or
on a timetable. Which of them is the best static policy is decided by true value on traffic whose
seed is used for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, Categorical, FloatArray, LoggedBatch, concat
from authopt.learning.static_order import best_order
from authopt.policies.table_file import PROBABILITY, ROUTE
from authopt.policies.uniform import Uniform
from authopt.whole_file import write_whole
from simulator.leaderboard.places import Place
from simulator.leaderboard.setting import Setting
from simulator.simulate import simulate

TUNING_SEED, LOG_SEED = 900_001, 900_002
"""Of the traffic that candidates are judged on, and of the logs that policies are made from."""

TUNING_PAYMENTS = 40_000

AT_ONCE = "at once"
SEARCHED = "order by search"
TIMETABLES: Mapping[str, str] = {
    "daily": "days=daily",
    "same hour": "days=same-hour",
    "1, 3, 5, 7 days, then stop": "days=1+3+5+7,then=stop",
    "1, 3, 5, 7 days": "days=1+3+5+7,then=repeat",
    "every 3 days": "days=3,then=repeat",
}
"""When retries are made, by label: options of the family ``schedule``."""

CURRENCY, PREVIOUS = "currency", "previous_route"
_PULL = 30.0
"""Attempts' worth of the route's rate over all currencies that its rate in one is mixed with."""
_RANK = 1e-9
"""Probability of a route against that of the next better one in a table that is an order."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A static policy.

    Attributes
    ----------
    router, timetable
        how it chooses routes, and when it retries: a label of ``TIMETABLES``, or ``AT_ONCE``.
    spec
        both as a spec.
    order
        its routes, best first; empty where it is no order.
    """

    router: str
    timetable: str
    spec: str
    order: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """For tables."""
        return f"{self.router}, {self.timetable}"

    @property
    def is_cascade(self) -> bool:
        """Whether it is an order of routes that goes on with the next one at once."""
        return bool(self.order) and self.timetable == AT_ONCE


def ordered(router: str, order: tuple[str, ...], timetable: str) -> Candidate:
    """An order of routes as a candidate."""
    if timetable == AT_ONCE:
        spec = f"priority:routes={','.join(order)}"
    else:
        spec = f"schedule:routes={'+'.join(order)},{TIMETABLES[timetable]}"
    return Candidate(router, timetable, spec, order)


def candidates_of(place: Place, payments: int, folder: Path) -> list[Candidate]:
    """The static policies that are tried at a place.

    In a scenario a merchant does not know beforehand what will happen: there it is the merchant's
    own order alone, with all timetables.

    Parameters
    ----------
    place, payments
        where, and how many payments the log has that orders are made from.
    folder
        for the tables; they are the same for the same code.
    """
    setting = place.setting(payments, LOG_SEED)
    orders = {"own order": setting.order}
    routers: dict[str, str] = {}
    if place.steady:
        log = first_attempts(setting)
        rate, fee = rates_of(log), fees_of(log)
        orders["order by approval"] = tuple(sorted(rate, key=lambda route: -rate[route]))
        orders["order from a log"] = best_order([log])
        orders["cheapest first"] = tuple(sorted(fee, key=lambda route: fee[route]))
        split = "+".join(f"{route}:1" for route in setting.order)
        routers["random split"] = f"random-split:weights={split}"
        table = folder / "made" / f"{place.name}-{payments}-by-currency.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        write_whole(table, table_by_currency(log, setting.world.route_names).encode())
        routers["order by currency"] = f"table:{table}"
    times = (AT_ONCE, *TIMETABLES)
    found = [ordered(label, order, when) for label, order in orders.items() for when in times]
    found += [
        Candidate(label, when, timed(spec, when)) for label, spec in routers.items()
        for when in times
    ]  # fmt: skip
    return found


def neighbours(candidate: Candidate) -> list[Candidate]:
    """The orders in which two routes that follow each other have changed places."""
    order = candidate.order
    swapped = [
        (*order[:at], order[at + 1], order[at], *order[at + 2 :]) for at in range(len(order) - 1)
    ]
    return [ordered(SEARCHED, each, candidate.timetable) for each in swapped]


def timed(spec: str, timetable: str) -> str:
    """A spec with its retries on a timetable of ``TIMETABLES``."""
    return spec if timetable == AT_ONCE else f"timed({TIMETABLES[timetable]})+{spec}"


def first_attempts(setting: Setting) -> LoggedBatch:
    """First attempts of a log made by sending every payment to any eligible route alike."""
    batches = simulate(setting.world, setting.traffic, Uniform(), rules=setting.rules)
    made = [batch.take(np.flatnonzero(_first(batch))) for batch in batches]
    return concat(made)


def _first(batch: LoggedBatch) -> BoolArray:
    return np.asarray((batch.attempt == 1) & ~batch.is_stop[batch.chosen_action])


def rates_of(log: LoggedBatch) -> dict[str, float]:
    """Share approved of the first attempts of each route."""
    return _by_route(log, log.reward)


def fees_of(log: LoggedBatch) -> dict[str, float]:
    """Fees of the first attempts of each route, as a share of the amounts."""
    amount = np.asarray(log.context["amount_minor"], np.float64)
    share = np.asarray(log.outcome["fee_minor"], np.float64) / amount
    return _by_route(log, share)


def _by_route(log: LoggedBatch, values: FloatArray) -> dict[str, float]:
    """Mean by route, of those that were taken."""
    route = log.action_route[log.chosen_action]
    counts, sums = np.bincount(route), np.bincount(route, values)
    return {log.routes[at]: float(sums[at] / counts[at]) for at in np.flatnonzero(counts).tolist()}


def table_by_currency(log: LoggedBatch, routes: Sequence[str]) -> str:
    """A table (CSV) that is an order of the routes in every currency, with cascade.

    A route's rate in a currency is shrunken towards its rate over all. After a decline the order
    begins with the route that follows the one that declined. Each route has a vanishing
    probability against the one before it, so that the first that is eligible is taken.
    """
    column = log.context[CURRENCY]
    assert isinstance(column, Categorical)
    overall = rates_of(log)
    route = log.action_route[log.chosen_action]
    lines = [f"{CURRENCY},{PREVIOUS},{ROUTE},{PROBABILITY}"]
    for code, currency in enumerate(column.categories):
        score = {}
        for name in routes:
            place = log.routes.index(name) if name in log.routes else -1
            rows = (column.codes == code) & (route == place)
            pull = _PULL * overall.get(name, 0.0)
            score[name] = (float(log.reward[rows].sum()) + pull) / (int(rows.sum()) + _PULL)
        best_first = sorted(routes, key=lambda name: -score[name])
        for turn, previous in enumerate(("", *best_first)):
            order = (*best_first[turn:], *best_first[:turn], STOP_ROUTE)
            for rank, name in enumerate(order):
                lines.append(f"{currency},{previous},{name},{_RANK**rank!r}")
    return "\n".join(lines) + "\n"
