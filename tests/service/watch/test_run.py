"""One process watches over a merchant, and goes on whatever fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from service.store.engine import open_engine
from service.store.lease import RowLease
from service.store.tables import watchers
from service.summaries.cursor import read_cursor
from service.summaries.duty import add_up
from service.watch.duties import Duty
from service.watch.run import Watch, Watched, run

MINUTE_US = 60_000_000


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def lease(holder: str, length_us: int = MINUTE_US) -> RowLease:
    return RowLease(watchers, {"tenant": "default"}, holder, length_us)


def watched(
    engine: Engine, duties: dict[str, Duty], stop: threading.Event | None = None
) -> Watched:
    watch = Watch(lease("one"), duties, 0.01, is_once=stop is None)
    return run(engine, watch, stop or threading.Event(), lambda _: None, lambda: None)


def test_duties_have_their_turns_in_order_and_one_that_fails_does_not_end_the_others(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fails(engine: Engine, tenant: str, now_us: int) -> None:
        done.append("fails")
        raise ValueError("what was wrong")

    def works(engine: Engine, tenant: str, now_us: int) -> None:
        done.append(f"works for {tenant}")

    assert watched(engine, {"fails": fails, "works": works}) == Watched(
        True, 1, {"fails": 1, "works": 0}
    )
    assert done == ["fails", "works for default"]
    assert "fails failed: ValueError: what was wrong" in caplog.text


def test_a_duty_that_wants_its_next_turn_at_once_gets_it(engine: Engine) -> None:
    wanted = [True, True, False]
    assert watched(engine, {"more": lambda *_: wanted.pop(0)}).rounds == 3


def test_another_process_waits_until_the_lease_is_given_back(engine: Engine) -> None:
    assert lease("other").take(engine, 0) is not None
    with engine.begin() as connection:
        connection.execute(watchers.update().values(held_until_us=2**62))
    assert watched(engine, {}) == Watched(False, 0, {})
    lease("other").release(engine)
    assert watched(engine, {}).held


def test_what_was_held_is_given_back_at_the_end_and_the_cursor_stays(engine: Engine) -> None:
    watched(engine, {"summaries": add_up})
    with engine.connect() as connection:
        assert connection.scalar(select(watchers.c.holder)) is None
        found = read_cursor(connection, "default")
    assert found is not None
    assert found[0].caught_up_us is not None


def test_one_that_has_lost_its_lease_does_nothing_more(engine: Engine) -> None:
    stop, turns = threading.Event(), list[str]()

    def is_robbed(engine: Engine, tenant: str, now_us: int) -> None:
        turns.append("one")
        with engine.begin() as connection:
            connection.execute(watchers.update().values(holder="other", held_until_us=2**62))
        threading.Timer(0.2, stop.set).start()

    watch = Watch(lease("one", 0), {"robbed": is_robbed}, 0.01)
    run(engine, watch, stop, lambda _: None, lambda: None)
    assert turns == ["one"]
    with engine.connect() as connection:
        assert connection.scalar(select(watchers.c.holder)) == "other"


def test_it_ends_after_the_duty_that_it_is_in(engine: Engine) -> None:
    stop, done = threading.Event(), list[str]()

    def first(*_: object) -> None:
        stop.set()
        done.append("first")

    assert watched(engine, {"first": first, "second": lambda *_: done.append("second")}, stop).held
    assert done == ["first"]
