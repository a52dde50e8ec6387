"""The summaries say what the decisions, outcomes and activations on record say."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import func, select

import service.summaries.adding_up as adding_up
from service.store.changes import writing
from service.store.retention import forget
from service.store.store import Store
from service.store.tables import summaries
from service.summaries.adding_up import Step, add_step
from service.summaries.cells import add_cells
from service.summaries.cursor import Cursor, Overtaken, first_cursor, move_cursor, read_cursor
from service.summaries.cuts import Cut, Span
from service.summaries.reading import by, caught_up_us, totals
from tests.service.summaries.recorded import (
    EVENTS,
    NOW_US,
    START_US,
    activation,
    add_all,
    decision,
    kept,
    outcome,
    recomputed,
)

DAY_US = Span.DAY.us
UNTIL_US = NOW_US + DAY_US
_TENANTS = itertools.count()


class Killed(Exception):
    pass


def cut_off(store: Store, tenant: str) -> None:
    """A step that ends after it has written everything and before it is committed."""

    def dies(*_: Any) -> None:
        add_cells(*_)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adding_up, "add_cells", dies)
        with contextlib.suppress(Killed):
            add_step(store.engine, tenant, NOW_US, 2)


def expected(store: Store, tenant: str) -> list[Any]:
    with store.engine.connect() as connection:
        found = read_cursor(connection, tenant)
    assert found is not None
    return recomputed(store.engine, tenant, found[0].minutes_from_us)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=EVENTS)
def test_they_equal_a_recomputation_after_any_records_in_any_order(
    store: Store, events: list[Any]
) -> None:
    tenant = f"t{next(_TENANTS)}"
    for event in events:
        if event == "step":
            add_step(store.engine, tenant, NOW_US, 2)
        elif event == "crash":
            cut_off(store, tenant)
        else:
            store.keep([msgspec.structs.replace(event, tenant=tenant)])
    add_all(store.engine, tenant)
    assert kept(store.engine, tenant) == expected(store, tenant)


def test_what_was_added_is_not_added_again(store: Store) -> None:
    store.keep([decision(), outcome(approved=True)])
    add_all(store.engine)
    before = kept(store.engine, "default")
    store.keep([decision(), outcome(approved=True)])
    add_all(store.engine)
    assert kept(store.engine, "default") == before


def test_a_deferred_decision_counts_once_it_is_activated_and_by_what_was_done(
    store: Store,
) -> None:
    store.keep([decision(deferred=True, route="adyen"), outcome(approved=True)])
    add_all(store.engine)
    with store.engine.connect() as connection:
        assert by(connection, "default", Cut.ROUTE, START_US, UNTIL_US) == []
    store.keep([activation(route="checkout")])
    add_all(store.engine)
    with store.engine.connect() as connection:
        (row,) = by(connection, "default", Cut.ROUTE, START_US, UNTIL_US)
    assert (row.value, row.sums.decisions, row.sums.approved) == ("checkout", 1, 1)


def test_a_payment_is_paid_where_its_first_attempt_was_by_whichever_attempt_paid_it(
    store: Store,
) -> None:
    store.keep([decision("d1", at_us=START_US, issuer="bank")])
    store.keep([decision("d2", attempt=2, at_us=START_US + DAY_US, issuer="bank")])
    store.keep([outcome("d1", approved=False), outcome("d2", approved=True)])
    add_all(store.engine)
    with store.engine.connect() as connection:
        first = totals(connection, "default", START_US, START_US + DAY_US)
        second = totals(connection, "default", START_US + DAY_US, UNTIL_US)
    assert (first.payments, first.payments_paid, first.approved) == (1, 1, 0)
    assert (second.payments, second.payments_paid, second.approved) == (0, 0, 1)


def test_a_chargeback_takes_the_whole_amount_back(store: Store) -> None:
    store.keep([decision(currency="EUR", amount_minor=1_000)])
    store.keep([outcome(approved=True, fee_minor=7), outcome(refunded_minor=200)])
    add_all(store.engine)
    store.keep([outcome(charged_back=True)])
    add_all(store.engine)
    with store.engine.connect() as connection:
        sums = totals(connection, "default", START_US, UNTIL_US, Cut.CURRENCY, "EUR")
    assert (sums.approved_minor, sums.refunded_minor, sums.fees_minor) == (1_000, 1_000, 7)
    assert (sums.charged_back, sums.approved) == (1, 1)


def test_a_payment_with_more_decisions_than_usual_is_counted_whole(store: Store) -> None:
    store.keep([decision(f"d{number}", attempt=number + 1) for number in range(45)])
    store.keep([outcome("d44", approved=True)])
    add_all(store.engine)
    assert kept(store.engine, "default") == expected(store, "default")


def test_beyond_the_most_that_are_looked_at_together_each_decision_still_counts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.summaries.histories._USUAL", 2)
    monkeypatch.setattr("service.summaries.histories.MOST_OF_A_PAYMENT", 5)
    for number in range(12):
        store.keep([decision(f"d{number}", attempt=number + 1)])
        add_step(store.engine, "default", NOW_US)
    store.keep([outcome("d11", approved=True)])
    add_all(store.engine)
    with store.engine.connect() as connection:
        sums = totals(connection, "default", START_US, UNTIL_US)
    assert (sums.decisions, sums.approved, sums.payments, sums.payments_paid) == (12, 1, 1, 0)


def test_of_too_many_values_those_that_came_late_are_added_up_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.summaries.values.MOST_VALUES", 2)
    for number in range(5):
        store.keep([decision(f"d{number}", f"p{number}", issuer=f"bank{number}")])
        add_all(store.engine)
    for number in range(5):
        store.keep([outcome(f"d{number}", approved=True)])
    add_all(store.engine)
    with store.engine.connect() as connection:
        rows = by(connection, "default", Cut.ISSUER, START_US, UNTIL_US)
    assert [(row.value, row.sums.approved) for row in rows] == [
        ("other", 3),
        ("bank0", 1),
        ("bank1", 1),
    ]


def test_minutes_are_kept_for_hours_and_hours_for_weeks_and_days_for_good(store: Store) -> None:
    for day in range(40):
        store.keep([decision(f"d{day}", f"p{day}", at_us=START_US + day * DAY_US)])
        add_all(store.engine, now_us=START_US + 100 * DAY_US)
    store.keep([outcome(f"d{day}", approved=True) for day in range(40)])
    add_all(store.engine, now_us=START_US + 100 * DAY_US)
    with store.engine.connect() as connection:
        wanted = (
            select(summaries.c.span_s, func.count(), func.sum(summaries.c.approved))
            .where(summaries.c.cut == "all")
            .group_by(summaries.c.span_s)
            .order_by(summaries.c.span_s)
        )
        found = [tuple(map(int, row)) for row in connection.execute(wanted)]
        sums = totals(connection, "default", START_US + Span.HOUR.us, START_US + 40 * DAY_US)
    assert found == [(60, 1, 1), (3_600, 36, 36), (86_400, 40, 40)]
    assert sums.approved == 40


def test_of_two_processes_that_take_the_same_step_one_is_turned_away(store: Store) -> None:
    store.keep([decision()])
    first_cursor(store.engine, "default")
    add_step(store.engine, "default", NOW_US)
    with pytest.raises(Overtaken), writing(store.engine) as connection:
        move_cursor(connection, "default", "", Cursor(decisions=1))
    with store.engine.connect() as connection:
        assert totals(connection, "default", START_US, UNTIL_US).decisions == 1


def test_two_processes_that_add_at_once_add_every_row_once(store: Store) -> None:
    store.keep([decision(f"d{number}", f"p{number}") for number in range(60)])

    def adds() -> None:
        while True:
            try:
                if add_step(store.engine, "default", NOW_US, 3) is Step.CAUGHT_UP:
                    return
            except Overtaken:
                pass

    threads = [threading.Thread(target=adds) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.engine.connect() as connection:
        assert totals(connection, "default", START_US, UNTIL_US).decisions == 60


def test_forgotten_decisions_stay_in_the_sums(store: Store) -> None:
    store.keep([decision(), outcome(approved=True)])
    add_all(store.engine)
    forget(store.engine, UNTIL_US, pause_s=0.0)
    store.keep([outcome(charged_back=True), decision("d2", "p2")])
    add_all(store.engine)
    with store.engine.connect() as connection:
        sums = totals(connection, "default", START_US, UNTIL_US)
    assert (sums.decisions, sums.approved) == (2, 1)


def test_it_is_told_until_when_all_was_added(store: Store) -> None:
    store.keep([decision(f"d{number}", f"p{number}") for number in range(4)])
    for is_through in (False, True):
        add_step(store.engine, "default", NOW_US, 3)
        with store.engine.connect() as connection:
            assert caught_up_us(connection, "default") == (NOW_US if is_through else None)
    add_step(store.engine, "default", NOW_US + 60_000_000)
    with store.engine.connect() as connection:
        assert caught_up_us(connection, "default") == NOW_US + 60_000_000
