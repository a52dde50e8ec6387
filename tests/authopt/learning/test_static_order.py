from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.learning.static_order import EXACT_ROUTES, best_order
from authopt.policies.best_route import STRENGTH

ROUTES = ("adyen", "braintree", "checkout", "stop")
Row = tuple[tuple[str, ...], str, float]
"""Eligible routes, the one taken, and the reward."""


def log_of(rows: list[Row], routes: tuple[str, ...] = ROUTES) -> LoggedBatch:
    n = len(rows)
    eligible = [list(actions) for actions, _, _ in rows]
    return LoggedBatch(
        decision_id=pa.array([f"d{row}" for row in range(n)]),
        payment_id=pa.array([f"p{row}" for row in range(n)]),
        attempt=np.ones(n, np.int32),
        decided_at=np.full(n, np.datetime64("2026-01-01", "us")),
        routes=routes,
        action_route=np.array([routes.index(name) for each in eligible for name in each], np.int32),
        action_delay_s=np.zeros(sum(map(len, eligible)), np.int64),
        offsets=np.cumsum([0, *map(len, eligible)]).astype(np.int64),
        chosen=np.array(
            [each.index(taken) for each, (_, taken, _) in zip(eligible, rows, strict=True)]
        ),
        propensity=np.ones(n),
        reward=np.array([reward for _, _, reward in rows]),
    )


def tried(eligible: tuple[str, ...], route: str, approved: int, declined: int) -> list[Row]:
    return [(eligible, route, 1.0)] * approved + [(eligible, route, 0.0)] * declined


def test_routes_stand_in_the_order_of_their_rates() -> None:
    every = ROUTES[:3]
    rows = tried(every, "adyen", 50, 50) + tried(every, "braintree", 90, 10)
    rows += tried(every, "checkout", 70, 30)
    assert best_order([log_of(rows)]) == ("braintree", "checkout", "adyen")


def test_a_route_is_judged_by_the_payments_that_it_would_be_given() -> None:
    # Checkout looks best on the whole, for its payments at home; abroad adyen beats it. Braintree
    # takes what is at home, and does better there than both.
    home, abroad = ("braintree", "checkout"), ("adyen", "checkout")
    rows = tried(home, "braintree", 960, 40) + tried(home, "checkout", 950, 50)
    rows += tried(abroad, "adyen", 60, 40) + tried(abroad, "checkout", 40, 60)
    order = best_order([log_of(rows)])
    assert order.index("braintree") < order.index("checkout")
    assert order.index("adyen") < order.index("checkout")


def test_many_routes_are_ordered_too() -> None:
    names = tuple(f"r{number:02d}" for number in range(EXACT_ROUTES + 2))
    rows = []
    for number, name in enumerate(names):
        rows += tried(names, name, 10 + 5 * number, 90 - 5 * number)
    assert best_order([log_of(rows, names)]) == names[::-1]


def test_of_many_routes_one_is_moved_to_the_payments_where_it_is_best() -> None:
    names = tuple(f"r{number:02d}" for number in range(EXACT_ROUTES + 1))
    everywhere, home = names[0], names[1:3]
    rows = [row for name in names for row in tried(names, name, 50, 50)]
    rows += tried((everywhere, *home), everywhere, 990, 10)
    rows += tried((everywhere, *home), home[0], 10, 990)
    rows += tried(names[3:], names[3], 60, 40) + tried(names[3:], names[4], 95, 5)
    order = best_order([log_of(rows, names)])
    assert order.index(everywhere) < order.index(home[0])
    assert order.index(names[4]) < order.index(names[3])


def test_chunks_do_not_matter() -> None:
    rows = tried(ROUTES[:3], "adyen", 5, 50) + tried(ROUTES[1:3], "checkout", 70, 30)
    log = log_of(rows)
    parts = [log.take(slice(start, start + 40)) for start in range(0, log.n, 40)]
    assert best_order(parts) == best_order([log])


def test_retries_stops_and_unknown_outcomes_do_not_count() -> None:
    rows = tried(ROUTES, "adyen", 60, 40) + tried(ROUTES, "braintree", 40, 60)
    log = log_of(rows)
    noise = log_of(tried(ROUTES, "braintree", 500, 0))
    retries = replace(noise, attempt=np.full(noise.n, 2, np.int32))
    unknown = replace(noise, reward=np.full(noise.n, np.nan))
    stopped = log_of([(ROUTES, "stop", 0.0)] * 50)
    assert best_order([log, retries, unknown, stopped]) == best_order([log])
    assert "stop" not in best_order([log])


TRIES = 60
SETS = (ROUTES[:3], ROUTES[:2], ROUTES[1:3], (ROUTES[0], ROUTES[2]))


@given(counts=st.lists(st.integers(0, TRIES), min_size=9, max_size=9))
@settings(max_examples=15, deadline=None)
def test_no_order_of_three_routes_is_better(counts: list[int]) -> None:
    cells = [(eligible, route) for eligible in SETS for route in eligible]
    approved = dict(zip(cells, counts, strict=True))
    rows = [row for cell in cells for row in tried(*cell, approved[cell], TRIES - approved[cell])]
    mean = sum(counts) / (TRIES * len(cells))
    own = {
        route: (sum(approved[cell] for cell in some) + STRENGTH * mean)
        / (TRIES * len(some) + STRENGTH)
        for route in ROUTES[:3]
        for some in [[cell for cell in cells if cell[1] == route]]
    }

    def approvals(order: tuple[str, ...]) -> float:
        total = 0.0
        for eligible in SETS:
            first = next(route for route in order if route in eligible)
            rate = (approved[eligible, first] + STRENGTH * own[first]) / (TRIES + STRENGTH)
            total += rate * TRIES * len(eligible)
        return total

    most = max(approvals(order) for order in itertools.permutations(ROUTES[:3]))
    assert approvals(best_order([log_of(rows)])) == pytest.approx(most)


@pytest.mark.parametrize("rows", [[], [(ROUTES, "stop", 0.0)] * 5])
def test_a_log_without_outcomes_is_refused(rows: list[Row]) -> None:
    with pytest.raises(UserError, match="no first attempt with a known outcome"):
        best_order([log_of(rows)] if rows else [])
