"""A disk that is full costs no answer: what the database cannot take, the spool elsewhere takes."""

from __future__ import annotations

import resource
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.store.engine import open_engine
from service.store.group_commit import GroupCommit
from service.store.records import Kept
from service.store.spool import Spool
from service.store.store import Store
from tests.service.store.records import decision, ids


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writes beyond a size fail, as they do where the disk has no room for them."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_the_database_cannot_take_is_spooled_and_moved_when_there_is_room(
    migrated_file: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'authopt.db')}"
    recorder = GroupCommit(
        Store(open_engine(url)), Spool(tmp_path / "spool"), retry_store_s=0.05, store_within_s=10.0
    )
    recorder.keep(decision("d0"))
    with no_file_above((tmp_path / "authopt.db-wal").stat().st_size):
        kept = [recorder.keep(decision(f"d{at}")) for at in range(1, 6)]
        assert kept == [Kept(True, decision(f"d{at}")) for at in range(1, 6)]
        assert (tmp_path / "spool").exists() or (tmp_path / "spool.loading").exists()
    until = time.monotonic() + 20
    while recorder.spool.holds_any and time.monotonic() < until:
        time.sleep(0.01)
    recorder.close()
    assert sorted(ids(url)) == [f"d{at}" for at in range(6)]


def test_where_no_file_has_room_nothing_is_said_to_be_recorded(
    migrated_file: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'authopt.db')}"
    recorder = GroupCommit(Store(open_engine(url)), Spool(tmp_path / "spool"), store_within_s=10.0)
    recorder.keep(decision("d0"))
    with no_file_above(1):
        assert recorder.keep(decision("d1")) == Kept(False)
    recorder.close()
    assert ids(url) == ["d0"]
