"""The disks of the store and the spool, and the limits of this account."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from service.doctor.finding import Finding, fail, ok, warn
from service.store.spool import Spool

FREE_FAIL = 256 * 2**20
FREE_WARN = 2 * 2**30
FSYNC_WARN_MS = 10.0
FSYNC_TRIES = 9
LEAST_FILES = 4_096


def check_folder(what: str, folder: Path) -> Iterator[Finding]:
    """Whether a folder can be written, what free space it has, and how soon a write is on disk.

    Parameters
    ----------
    what
        what lies in it, such as ``spool``.
    """
    point = f"{what}: folder"
    try:
        took = statistics.median(_fsync_ms(folder))
    except OSError as error:
        yield fail(
            point,
            f"{folder}: cannot be written ({error.strerror})",
            "Make it, and let the account that the service runs as write to it",
        )
        return
    yield ok(point, f"{folder} can be written")
    point = f"{what}: time to disk"
    found = f"{took:.2f} ms for an fsync, the median of {FSYNC_TRIES}"
    if took > FSYNC_WARN_MS:
        yield warn(point, found, "Every decision waits for it: move it to a faster disk")
    else:
        yield ok(point, found)
    free = shutil.disk_usage(folder).free
    point, found = f"{what}: free space", f"{free / 2**30:.1f} GiB"
    if free < FREE_WARN:
        tell = fail if free < FREE_FAIL else warn
        yield tell(point, found, "Free some, or move it to a larger disk, before it is full")
    else:
        yield ok(point, found)


def check_spool(path: Path) -> Iterator[Finding]:
    """Whether the spool can take records, and holds none."""
    yield from check_folder("spool", path.parent)
    if not path.parent.is_dir():
        return
    if not Spool(path).holds_any:
        yield ok("spool", f"{path}: empty")
        return
    size = sum(
        each.stat().st_size
        for each in (path, path.with_name(path.name + ".loading"))
        if each.exists()
    )
    yield warn(
        "spool",
        f"{path}: {size:,} bytes wait for the store",
        "A service that runs moves them within seconds once the store works: see what its log "
        "says of the store, or start it",
    )


def check_limits() -> Iterator[Finding]:
    """Whether this account may have as many files open as connections come."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft:,} for this account"
    if 0 <= soft < LEAST_FILES:
        yield warn(
            "open files",
            found,
            "Each connection is one: raise it (ulimit -n, or LimitNOFILE= of the systemd unit)",
        )
    else:
        yield ok("open files", found)


def _fsync_ms(folder: Path) -> list[float]:
    took = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".authopt-doctor-") as file:
        for _ in range(FSYNC_TRIES):
            began = time.perf_counter()
            file.write(b"\0" * 4_096)
            file.flush()
            os.fsync(file.fileno())
            took.append(1e3 * (time.perf_counter() - began))
    return took
