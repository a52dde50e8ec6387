"""What is asked of the summaries equals what the base tables say."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store.store import Store
from service.summaries.cuts import Cut, Span, floor_to
from service.summaries.reading import (
    by,
    over_time,
    over_time_by,
    route_by,
    totals,
    window,
)
from service.summaries.sums import NAMES, Sums
from tests.service.summaries.recorded import (
    NOW_US,
    START_US,
    add_all,
    decision,
    decisions_of,
    outcome,
)

MINUTE_US = Span.MINUTE.us
MOMENTS = st.integers(START_US - Span.DAY.us, NOW_US + Span.DAY.us)


@pytest.fixture
def filled(store: Store) -> Store:
    for number in range(60):
        at_us = START_US + number * 71 * MINUTE_US
        route, bank = ("adyen", "checkout")[number % 2], f"bank{number % 3}"
        store.keep([decision(f"d{number}", f"p{number}", at_us=at_us, route=route, issuer=bank)])
    store.keep([outcome(f"d{number}", approved=number % 4 > 0) for number in range(50)])
    add_all(store.engine)
    return store


def summed(table: pd.DataFrame) -> Sums:
    return Sums(*(int(table[name].sum()) for name in NAMES))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ends=st.tuples(MOMENTS, MOMENTS).map(sorted), finest=st.sampled_from(list(Span)))
def test_sums_of_a_time_are_those_of_the_decisions_in_its_window(
    filled: Store, ends: list[int], finest: Span
) -> None:
    alone = decisions_of(filled.engine, "default")
    with filled.engine.connect() as connection:
        first, last = ends
        since_us, until_us = window(connection, "default", first, last, finest)
        inside = alone[(alone.at_us >= since_us) & (alone.at_us < until_us)]
        assert totals(connection, "default", first, last, finest=finest) == summed(inside)
        for cut in (Cut.ISSUER, Cut.ROUTE):
            rows = by(connection, "default", cut, first, last, finest=finest)
            wanted = {value: summed(some) for value, some in inside.groupby(cut.value)}
            assert {row.value: row.sums for row in rows} == wanted
        crossed = route_by(connection, "default", Cut.ISSUER, first, last, finest=finest)
        both = {key: summed(some) for key, some in inside.groupby(["issuer", "route"])}
        assert {(row.value, row.route): row.sums for row in crossed} == both
    assert since_us <= first
    assert until_us >= last or since_us == until_us


def test_over_time_every_span_is_there_and_they_add_up(filled: Store) -> None:
    alone = decisions_of(filled.engine, "default")
    with filled.engine.connect() as connection:
        points = over_time(connection, "default", Span.HOUR, START_US + 5, NOW_US, route="adyen")
        apart = over_time_by(connection, "default", Span.HOUR, START_US + 5, NOW_US, Cut.ISSUER)
    assert [each.start_us for each in points] == list(range(START_US, NOW_US, Span.HOUR.us))
    assert sum((each.sums for each in points), Sums()) == summed(alone[alone.route == "adyen"])
    assert list(apart) == ["bank0", "bank1", "bank2"]
    for bank, some in apart.items():
        assert sum((each.sums for each in some), Sums()) == summed(alone[alone.issuer == bank])


def test_those_with_most_decisions_come_first(filled: Store) -> None:
    filled.keep([decision("more", "more", issuer="bank2", route="checkout")])
    add_all(filled.engine)
    with filled.engine.connect() as connection:
        rows = by(connection, "default", Cut.ISSUER, START_US, NOW_US)
    assert [row.value for row in rows] == ["bank2", "bank0", "bank1"]
    assert {row.route for row in rows} == {""}


def test_the_minute_is_refused_for_a_cut_that_is_not_kept_by_it(filled: Store) -> None:
    with filled.engine.connect() as connection, pytest.raises(ValueError, match="merchant"):
        over_time(connection, "default", Span.MINUTE, START_US, NOW_US, Cut.MERCHANT)


def test_rates_of_nothing_are_not_known() -> None:
    assert Sums().rate is None
    assert Sums(answered=4, approved=3, decisions=4, attempts=4).rate == 0.75
    assert Sums(decisions=2, attempts=2, answered=1, propensity_ppm=1_500_000).unanswered == 1
    assert Sums(decisions=2, propensity_ppm=1_500_000).mean_propensity == 0.75


def test_spans_begin_at_whole_ones() -> None:
    assert floor_to(START_US + 90 * MINUTE_US, Span.HOUR) == START_US + Span.HOUR.us
