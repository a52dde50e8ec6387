"""A processor core of its own for each worker.

Python lets one thread of a process run at a time. Where the threads that take turns lie on
different cores, each turn wakes a core up, which on a virtual machine can cost more than the turn
itself: a hand-over between two threads took 50 microseconds on two cores and 7 on one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from pathlib import Path
from typing import IO

_log = logging.getLogger(__name__)

# A lock is held for as long as its file is open.
_held: list[IO[bytes]] = []


def keep_to_one_core(folder: Path | None = None) -> int | None:
    """Keep this thread, and all that it starts, to a core that no other worker has taken.

    A core is taken by a lock on a file, which the system lets go of when the process ends, however
    it does; so the workers of all services of a user share the machine without a plan.

    Parameters
    ----------
    folder
        of the files; one of this user's by default.

    Returns
    -------
    int or None
        the core; None where all that this process may use are taken, or the system cannot do this.
    """
    if folder is None:
        folder = Path(tempfile.gettempdir()) / f"authopt-cores-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for core in sorted(os.sched_getaffinity(0)):
            lock = (folder / str(core)).open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            _held.append(lock)
            os.sched_setaffinity(0, {core})
            return core
    except (OSError, AttributeError) as error:
        _log.warning("this worker has no core of its own: %s", error)
        return None
    _log.warning("this worker has no core of its own: all are taken")
    return None
