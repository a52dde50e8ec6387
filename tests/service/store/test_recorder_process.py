"""One process writes for all workers; killed at any moment, it loses nothing that was answered."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.engine import open_engine
from service.store.group_commit import GroupCommit
from service.store.recorder_client import RecorderClient
from service.store.recorder_supervision import supervised_recorder
from service.store.records import Kept
from service.store.spool import Spool
from service.store.store import Store
from tests.service.store.records import counts, decision, ids, outcome

KILLS = 3


@pytest.fixture
def url(migrated_file: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "authopt.db")
    return f"sqlite:///{tmp_path / 'authopt.db'}"


@pytest.fixture
def recorder(url: str) -> Iterator[Path]:
    with supervised_recorder(url, 2.0, "warning") as path:
        _wait_for(path)
        yield path


def _wait_for(path: Path) -> None:
    client = RecorderClient(path, 5.0)
    until = time.monotonic() + 30
    while True:
        try:
            client.keep([])
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.02)
    client.close()


def _kill() -> None:
    (process,) = (
        each for each in multiprocessing.active_children() if each.name == "authopt-recorder"
    )
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


def test_workers_are_answered_as_by_the_store(recorder: Path, url: str) -> None:
    one, other = RecorderClient(recorder, 10.0), RecorderClient(recorder, 10.0)
    first = decision("d1")
    assert one.keep([first, outcome("d1")]) == [Kept(True, first), Kept(True)]
    second = decision("d1", route="checkout")
    assert other.keep([decision("d2"), second]) == [Kept(True, decision("d2")), Kept(True, first)]
    one.close()
    other.close()
    assert counts(url) == (2, 1, 0)


def test_a_recorder_that_cannot_write_says_so(recorder: Path, tmp_path: Path) -> None:
    with Store(open_engine(f"sqlite:///{tmp_path / 'authopt.db'}"))._writing() as other:
        other.exec_driver_sql("DROP TABLE decisions")
    client = RecorderClient(recorder, 10.0)
    with pytest.raises(OSError, match="could not write"):
        client.keep([decision("d1")])
    client.close()


def test_killed_at_any_moment_it_loses_no_answer_and_writes_none_twice(
    recorder: Path, url: str, tmp_path: Path
) -> None:
    workers = []
    for _ in range(2):
        client = RecorderClient(recorder, 10.0)
        store = Store(open_engine(url))
        workers.append(
            GroupCommit(
                store,
                Spool(tmp_path / "spool"),
                retry_store_s=0.05,
                store_within_s=5.0,
                writer=client,
            )
        )
    answered: dict[str, str] = {}
    stop = threading.Event()

    def ask(at: int) -> None:
        number = 0
        while not stop.is_set():
            decision_id = f"{at}-{number}"
            kept = workers[at % 2].keep(decision(decision_id))
            assert kept.durable
            assert kept.decision is not None
            answered[decision_id] = kept.decision.answer
            number += 1

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        before = len(answered)
        while len(answered) < before + 200:
            time.sleep(0.001)
        _kill()
        _wait_for(recorder)
    stop.set()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()
    # What was in the spool when they closed is moved by the process that starts next.
    store = Store(open_engine(url))
    Spool(tmp_path / "spool").load_into(store.keep)
    store.close()
    assert sorted(ids(url)) == sorted(answered)


def test_it_ends_with_the_main_process_after_the_last_worker(url: str) -> None:
    with supervised_recorder(url, 2.0, "warning") as path:
        _wait_for(path)
        client = RecorderClient(path, 10.0)
        client.keep([])
        ended = threading.Event()

        def late() -> None:
            ended.wait(0.2)
            client.keep([decision("d1")])
            client.close()

        worker = threading.Thread(target=late)
        worker.start()
    worker.join()
    assert not path.exists()
    assert ids(url) == ["d1"]
