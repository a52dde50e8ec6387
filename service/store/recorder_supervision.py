"""Start the recorder process, and start it again whenever it ends."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.store.recorder_process import record_for_workers

_log = logging.getLogger(__name__)

_PAUSE_S = 0.05
_END_WITHIN_S = 35.0


@contextmanager
def supervised_recorder(database: str, busy_timeout_s: float, log_level: str) -> Iterator[Path]:
    """A recorder that is started again whenever it ends, for as long as the block runs.

    Parameters
    ----------
    database
        SQLAlchemy URL of a SQLite database, migrated.
    busy_timeout_s, log_level
        see ``recorder_process.record_for_workers``.

    Yields
    ------
    Path
        of its socket.
    """
    # Its path has to be short, and no other user may write to it.
    folder = Path(tempfile.mkdtemp(prefix="authopt-"))
    path = folder / "recorder"
    spawning = multiprocessing.get_context("spawn")
    closing = threading.Event()

    def supervise() -> None:
        while not closing.is_set():
            alive, ours = spawning.Pipe(duplex=False)
            process = spawning.Process(
                target=record_for_workers,
                args=(path, database, busy_timeout_s, log_level, alive),
                name="authopt-recorder",
            )
            process.start()
            alive.close()
            while process.is_alive() and not closing.is_set():
                process.join(_PAUSE_S)
            ours.close()
            if closing.is_set():
                process.join(_END_WITHIN_S)
                if process.is_alive():
                    process.kill()
            else:
                _log.error("the recorder ended (%s); starting another", process.exitcode)
                closing.wait(_PAUSE_S)
            process.join()
            process.close()

    thread = threading.Thread(target=supervise, name="recorder-supervision")
    thread.start()
    try:
        yield path
    finally:
        closing.set()
        thread.join()
        shutil.rmtree(folder, ignore_errors=True)
