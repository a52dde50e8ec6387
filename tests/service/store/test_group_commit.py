"""Records of many threads share transactions, and none is answered before it is on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from sqlalchemy.exc import OperationalError

from service.store.engine import open_engine
from service.store.group_commit import HANGS, GroupCommit
from service.store.records import Kept, Record
from service.store.spool import Spool
from service.store.store import Store
from service.store.waiting import Waiting
from tests.service.store.records import counts, decision, ids, outcome


class Door:
    """A store behind a door: shut it hangs, and broken it raises."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.open = Event()
        self.open.set()
        self.waiting = 0
        self.broken = False

    def keep(self, records: Sequence[Record]) -> list[Kept]:
        self.waiting += 1
        assert self.open.wait(30)
        self.waiting -= 1
        if self.broken:
            raise OperationalError("broken", None, Exception())
        return self.store.keep(records)

    def close(self) -> None:
        self.store.close()


@contextmanager
def recording(url: str, spool: Path, **settings: float) -> Iterator[tuple[GroupCommit, Door]]:
    store = Store(open_engine(url))
    door = Door(store)
    patience = {"store_within_s": 10.0, "retry_store_s": 0.05, "read_within_s": 10.0} | settings
    recorder = GroupCommit(store, Spool(spool), writer=door, **patience)
    try:
        yield recorder, door
    finally:
        door.open.set()
        recorder.close()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_records_that_wait_together_share_a_transaction(database_url: str, tmp_path: Path) -> None:
    with (
        recording(database_url, tmp_path / "spool") as (recorder, door),
        ThreadPoolExecutor(24) as pool,
    ):
        door.open.clear()
        first = pool.submit(recorder.keep, decision("first"))
        until(lambda: door.waiting == 1)
        rest = [pool.submit(recorder.keep, decision(f"d{at}")) for at in range(20)]
        until(lambda: recorder._queue.qsize() == 20)
        assert not any(each.done() for each in [first, *rest])
        door.open.set()
        assert all(each.result().durable for each in [first, *rest])
        assert door.store.transactions == 2
    assert counts(database_url) == (21, 0, 0)


def test_records_that_belong_together_are_one_group(database_url: str, tmp_path: Path) -> None:
    with recording(database_url, tmp_path / "spool") as (recorder, door):
        batch = [decision(f"d{at}") for at in range(1000)]
        assert [each.decision for each in recorder.keep_all(batch)] == batch
        assert door.store.transactions == 1


def test_what_the_store_refuses_is_in_the_spool_and_later_in_the_store(
    database_url: str, tmp_path: Path
) -> None:
    with recording(database_url, tmp_path / "spool") as (recorder, door):
        door.broken = True
        first = decision("d1")
        assert recorder.keep(first) == Kept(True, first)
        assert recorder.keep(outcome("d1")) == Kept(True)
        assert recorder.keep(decision("d1", route="checkout")).decision == first
        assert recorder.fault() == "cannot be written: OperationalError"
        assert counts(database_url) == (0, 0, 0)
        door.broken = False
        until(lambda: not recorder.spool.holds_any)
        assert recorder.fault() is None
        assert recorder.keep(decision("d1", route="checkout")).decision == first
    assert counts(database_url) == (1, 1, 0)


def test_a_store_that_hangs_is_left_alone_and_the_spool_answers(
    database_url: str, tmp_path: Path
) -> None:
    with recording(database_url, tmp_path / "spool", store_within_s=0.05) as (recorder, door):
        door.open.clear()
        began = time.monotonic()
        assert recorder.keep(decision("d1")) == Kept(True, decision("d1"))
        assert recorder.keep(decision("d2")) == Kept(True, decision("d2"))
        assert time.monotonic() - began < 5
        assert recorder.fault() == HANGS
        assert counts(database_url) == (0, 0, 0)
        door.open.set()
        until(lambda: not recorder.spool.holds_any and not recorder.failing)
        assert recorder.keep(decision("d3")).durable
    assert sorted(ids(database_url)) == ["d1", "d2", "d3"]


def test_a_store_that_hangs_for_long_holds_few_threads(database_url: str, tmp_path: Path) -> None:
    limits = {"store_within_s": 0.02, "retry_store_s": 0.01}
    with recording(database_url, tmp_path / "spool", **limits) as (recorder, door):
        door.open.clear()
        for at in range(30):
            assert recorder.keep(decision(f"d{at}")).durable
            time.sleep(0.02)
        assert door.waiting <= 4
        door.open.set()
        until(lambda: not recorder.spool.holds_any and not recorder.failing)
    assert len(ids(database_url)) == 30


def test_who_gives_up_before_the_write_begins_is_not_recorded(
    database_url: str, tmp_path: Path
) -> None:
    with recording(database_url, tmp_path / "spool") as (recorder, door):
        door.open.clear()
        begun, waiting = Waiting([decision("d1")]), Waiting([decision("d2")])
        recorder.submit(begun)
        until(lambda: door.waiting == 1)
        recorder.submit(waiting)
        assert waiting.claim()
        assert not begun.claim()
        door.open.set()
        assert begun.wait(20)
        assert not waiting.wait(0)
    assert ids(database_url) == ["d1"]


def test_where_neither_can_record_nothing_is_said_to_be(database_url: str, tmp_path: Path) -> None:
    with recording(database_url, tmp_path / "none" / "spool") as (recorder, door):
        door.broken = True
        assert recorder.keep(decision("d1")) == Kept(False)
        door.broken = False
        until(lambda: recorder.keep(decision("d2")).durable)
    assert ids(database_url) == ["d2"]


def test_a_decision_that_another_process_has_spooled_is_known(
    database_url: str, tmp_path: Path
) -> None:
    other = Spool(tmp_path / "spool")
    with recording(database_url, tmp_path / "spool") as (recorder, _):
        first = decision("d1")
        other.keep([first])
        assert recorder.keep(decision("d1", route="checkout")) == Kept(True, first)
    other.close()
    assert ids(database_url) == []


def test_closing_writes_what_waits(database_url: str, tmp_path: Path) -> None:
    with recording(database_url, tmp_path / "spool") as (recorder, _):
        waiting = [Waiting([decision(f"d{at}")]) for at in range(300)]
        for each in waiting:
            recorder.submit(each)
    assert all(each.wait(0) and each.kept[0].durable for each in waiting)
    assert len(ids(database_url)) == 300


def test_a_repeat_while_the_store_cannot_be_written_gets_the_answer_on_record(
    database_url: str, tmp_path: Path
) -> None:
    first, again = decision("d1"), decision("d1", route="checkout")
    with recording(database_url, tmp_path / "spool") as (recorder, door):
        # By another process, so that nobody here remembers it.
        door.store.keep([first])
        door.broken = True
        assert recorder.keep(again) == Kept(True, first)
        assert recorder.keep(decision("d2")).durable
        door.broken = False
        until(lambda: not recorder.spool.holds_any and not recorder.failing)
    assert sorted(ids(database_url)) == ["d1", "d2"]


def test_a_repeat_is_remembered_where_the_store_is_gone(database_url: str, tmp_path: Path) -> None:
    with recording(database_url, tmp_path / "spool") as (recorder, door):
        first = decision("d1")
        recorder.keep(first)
        door.broken = True
        recorder.store.close()
        assert recorder.keep(decision("d1", route="checkout")) == Kept(True, first)
        door.broken = False
