"""A learner that runs on while its store fails and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec
from sqlalchemy import select

from authopt.policies.online import OnlineVw
from authopt.rewards import DEFAULT_REWARD
from service.learning.cursor import Cursor, Task
from service.learning.learner import take_learner
from service.learning.lease import Lease
from service.learning.publishing import Publishing
from service.learning.run import Job, run
from service.store.engine import open_engine
from service.store.store import Store
from service.store.tables import learners
from tests.service.databases import Postgres
from tests.service.learning.recorded import traffic

TASK = Task("online:bits=10", "approved", 24 * 3600, "declined")
NEVER = Publishing(0, 1_000_000)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    assert is_so()


def test_a_connection_that_is_cut_costs_nothing_and_teaches_nothing_twice(
    postgres: Postgres,
) -> None:
    url = postgres.migrated()
    rows = list(traffic(300))
    store, engine = Store(open_engine(url)), open_engine(url)
    lease = Lease("default", "default", "one", 60_000_000)
    job = Job(lease, TASK, DEFAULT_REWARD, NEVER, 0.02)
    stop, found = threading.Event(), list[Cursor | None]()
    said: list[str] = []
    thread = threading.Thread(target=lambda: found.append(run(engine, job, stop, said.append)))
    thread.start()
    try:
        until(lambda: bool(said))
        for start in range(0, len(rows), 100):
            postgres.cut_connections(url)
            store.engine.dispose()
            store.keep(rows[start : start + 100])
        until(lambda: _learned(store, lease) == 300)
    finally:
        stop.set()
        thread.join()
    again = take_learner(engine, lease, TASK, DEFAULT_REWARD, int(time.time() * 1e6))
    assert again is not None
    assert isinstance(again.policy, OnlineVw)
    assert again.policy.rows == again.counts.learned == 300
    assert found[0] == again.cursor
    store.close()
    engine.dispose()


def _learned(store: Store, lease: Lease) -> int:
    with store.engine.connect() as connection:
        cursor = connection.scalar(select(learners.c.cursor))
    return msgspec.json.decode(cursor, type=Cursor).counts.learned if cursor else 0
