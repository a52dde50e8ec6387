"""The one process that writes a SQLite database for all workers.

SQLite takes one writer at a time, and a second one that waits for it does so by sleeping. So the
workers send their groups here, and whatever groups have come in are committed together. It lives as
long as the main process, and then until the last worker has left.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from service.store.engine import open_engine
from service.store.frames import GROUP, Reply, frame, receive
from service.store.records import Kept, Record
from service.store.store import Store

_log = logging.getLogger(__name__)

_SEND_WITHIN_S = 5.0
_LEAVE_WITHIN_S = 30.0


def record_for_workers(
    path: Path, database: str, busy_timeout_s: float, log_level: str, alive: Connection
) -> None:
    """Run the recorder.

    Parameters
    ----------
    path
        of the socket that the workers connect to.
    database
        SQLAlchemy URL, migrated.
    busy_timeout_s
        how long SQLite waits for a lock that somebody else has.
    log_level
        one of ``service.log_output.LEVELS``.
    alive
        the other end is closed when the main process ends.
    """
    from service.log_output import start_logging

    start_logging(log_level)
    # A signal to the whole group is for the main process; the workers still have to write.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    store = Store(open_engine(database, busy_timeout_s))
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen(256)
        try:
            _serve(listening, store, alive)
        finally:
            store.close()
            path.unlink(missing_ok=True)


def _serve(listening: socket.socket, store: Store, alive: Connection) -> None:
    workers: set[socket.socket] = set()
    leave_at: float | None = None
    with selectors.DefaultSelector() as ready:
        ready.register(listening, selectors.EVENT_READ)
        ready.register(alive, selectors.EVENT_READ)
        while leave_at is None or (workers and time.monotonic() < leave_at):
            pause = None if leave_at is None else leave_at - time.monotonic()
            groups: list[tuple[socket.socket, list[Record]]] = []
            for key, _ in ready.select(pause):
                if key.fileobj is listening:
                    worker, _ = listening.accept()
                    worker.settimeout(_SEND_WITHIN_S)
                    workers.add(worker)
                    ready.register(worker, selectors.EVENT_READ)
                elif key.fileobj is alive:
                    leave_at = time.monotonic() + _LEAVE_WITHIN_S
                    ready.unregister(alive)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    group = _received(key.fileobj)
                    if group is not None:
                        groups.append((key.fileobj, group))
                        continue
                    ready.unregister(key.fileobj)
                    workers.discard(key.fileobj)
                    key.fileobj.close()
            if groups:
                _write(store, groups)
    for worker in workers:
        worker.close()


def _received(worker: socket.socket) -> list[Record] | None:
    """The group that a worker sends; None if it has left."""
    try:
        return receive(worker, GROUP)
    except OSError as error:
        _log.warning("a worker was cut off: %s", error)
        return None


def _write(store: Store, groups: Sequence[tuple[socket.socket, list[Record]]]) -> None:
    """Commit some groups together, and tell each worker what became of its own."""
    fault: str | None = None
    kept: list[Kept] = []
    try:
        kept = store.keep([record for _, group in groups for record in group])
    except (SQLAlchemyError, OSError) as error:
        fault = f"the recorder could not write: {type(error).__name__}"
        _log.exception("nothing could be written")
    start = 0
    for worker, group in groups:
        end = start + len(group)
        earlier = [
            None if each.decision is record else each.decision
            for record, each in zip(group, kept[start:end], strict=False)
        ]
        start = end
        try:
            worker.sendall(frame(Reply(earlier, fault)))
        except OSError as error:
            # It finds out by the connection, which ends here, and asks again.
            _log.warning("a worker could not be answered: %s", error)
            worker.close()
