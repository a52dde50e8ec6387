"""Faults that are injected into a service under load, and taken back."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeAlias

import psutil
from sqlalchemy import Engine, insert, select

from benchmarks._service_stack import Postgres, Stack
from service.models.archive import archive
from service.models.live_policy import Promoted, promote, read_live_policy, roll_back
from service.models.registry import add_model
from service.store.changes import changing, writing
from service.store.tables import models
from service.tenants import DEFAULT_TENANT

ACTOR = "faults"
HELD_S = 0.6
"""How long what can be taken back is held."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens.

    Attributes
    ----------
    disk
        folder of a small disk that can be filled, where there is one.
    model
        a sound model's file.
    """

    stack: Stack
    engine: Engine
    random: Random
    postgres: Postgres | None
    disk: Path | None
    model: Path


Fault: TypeAlias = Callable[[Scene], AbstractContextManager[None]]
"""Entered where it happens; left when it is over."""


@contextmanager
def worker_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of one worker."""
    pids = scene.stack.workers()
    if pids:
        _kill(scene.random.choice(pids))
    yield


@contextmanager
def main_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of the main process alone; then a new start."""
    scene.stack.kill_service()
    yield
    scene.stack.start()


@contextmanager
def all_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of every process of the service at once; then a new start."""
    scene.stack.kill_all()
    yield
    scene.stack.start()


@contextmanager
def recorder_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of the process that writes for the workers."""
    pid = scene.stack.recorder()
    if pid is not None:
        _kill(pid)
    yield


@contextmanager
def learner_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of the learner; then a new start."""
    scene.stack.kill_learner()
    yield
    scene.stack.start_learner()


@contextmanager
def disk_full(scene: Scene) -> Iterator[None]:
    """No byte more on the disk of the store and the spool."""
    if scene.disk is None:
        with _limited(scene):
            yield
        return
    filler = scene.disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * 65_536):
                pass
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextmanager
def _limited(scene: Scene) -> Iterator[None]:
    """Where no disk may be mounted: no file of the service's processes may grow any more."""
    held = []
    for process in scene.stack.processes():
        with suppress(ProcessLookupError):
            held.append((process.pid, resource.prlimit(process.pid, resource.RLIMIT_FSIZE)))
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, held[-1][1][1]))
    try:
        yield
    finally:
        for pid, limit in held:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


@contextmanager
def store_locked(scene: Scene) -> Iterator[None]:
    """Another connection holds a lock on the store's tables."""
    with writing(scene.engine) as connection:
        if scene.postgres is not None:
            connection.exec_driver_sql("LOCK TABLE decisions, outcomes IN ACCESS EXCLUSIVE MODE")
        else:
            connection.exec_driver_sql("SELECT 1")
        yield


@contextmanager
def postgres_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of PostgreSQL's first process; then a new start, which recovers."""
    assert scene.postgres is not None
    children = psutil.Process(scene.postgres.pid()).children()
    _kill(scene.postgres.pid())
    yield
    psutil.wait_procs(children, 30)
    scene.postgres.start_again()


@contextmanager
def backend_killed(scene: Scene) -> Iterator[None]:
    """kill -9 of a process that serves a connection: PostgreSQL then starts all of them anew."""
    assert scene.postgres is not None
    serving = [
        child.pid
        for child in psutil.Process(scene.postgres.pid()).children()
        if "authopt" in " ".join(child.cmdline()) or "idle" in " ".join(child.cmdline())
    ]
    if serving:
        _kill(scene.random.choice(serving))
    yield
    scene.postgres.wait()


@contextmanager
def connections_cut(scene: Scene) -> Iterator[None]:
    """Every connection to the store is cut."""
    assert scene.postgres is not None
    scene.postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{scene.engine.url.database}'"
    )
    yield


@contextmanager
def model_damaged(scene: Scene) -> Iterator[None]:
    """A model whose bytes are corrupt or cut off is made live; then it is rolled back."""
    model, _ = add_model(
        scene.engine, DEFAULT_TENANT, ACTOR, archive(f"online:{scene.model}"), "sound"
    )
    with changing(scene.engine) as connection:
        row = connection.execute(select(models).where(models.c.sha256 == model.sha256)).one()
        files = bytearray(row.files)
        if scene.random.random() < 0.5:
            files[scene.random.randrange(512, len(files))] ^= 0xFF
        else:
            del files[scene.random.randrange(len(files)) :]
        sha256 = scene.random.randbytes(32).hex()
        connection.execute(
            insert(models), {**row._mapping, "sha256": sha256, "files": bytes(files)}
        )
        promote(connection, DEFAULT_TENANT, ACTOR, Promoted(row.spec, sha256), "damaged")
    yield
    with changing(scene.engine) as connection:
        if read_live_policy(connection, DEFAULT_TENANT).live == Promoted(row.spec, sha256):
            roll_back(connection, DEFAULT_TENANT, ACTOR, "damaged", pin=False)


@contextmanager
def nothing(scene: Scene) -> Iterator[None]:
    """The clients themselves are the fault: their clocks, or what they send twice."""
    del scene
    yield


def clock_step(random: Random) -> timedelta:
    """By how much a client's clock is off: up to a month, either way."""
    return timedelta(seconds=random.choice((-1, 1)) * 10 ** random.uniform(0, 6.4))


CLOCK, WILD = "clock steps", "outcomes twice, late, out of order"

ON_BOTH: Mapping[str, Fault] = {
    "kill -9: a worker": worker_killed,
    "kill -9: the main process": main_killed,
    "kill -9: all processes": all_killed,
    "kill -9: the learner": learner_killed,
    "slow store: a lock is held": store_locked,
    "a damaged model is promoted": model_damaged,
    CLOCK: nothing,
    WILD: nothing,
}
ON_SQLITE: Mapping[str, Fault] = {
    "kill -9: the recorder": recorder_killed,
    "disk full": disk_full,
}
ON_POSTGRES: Mapping[str, Fault] = {
    "kill -9: PostgreSQL": postgres_killed,
    "kill -9: a PostgreSQL backend": backend_killed,
    "connections to the store cut": connections_cut,
}


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
