"""Run the application under granian: its processes, their start and their end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import connection
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authopt.errors import UserError
from service.metrics.folder import counted_together
from service.settings import Settings

if TYPE_CHECKING:
    from flask import Flask


def run(
    settings: Settings, host: str, port: int, workers: int, threads: int, log_level: str
) -> None:
    """Serve until SIGTERM or SIGINT."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    server = Granian(
        "service.app:create_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        # SIGTERM is lost on a worker that is just being started in another one's place.
        workers_kill_timeout=15,
        blocking_threads=threads,
        log_level=LogLevels.error,
        # The access log would hold addresses, which may hold anything.
        log_access=False,
    )
    with counted_together(), _one_writer(settings, workers, log_level) as recorder:
        settings = replace(settings, recorder=recorder)
        server.serve(target_loader=partial(_worker_app, settings, log_level), wrap_loader=False)


@contextmanager
def _one_writer(settings: Settings, workers: int, log_level: str) -> Iterator[Path | None]:
    """The socket of a process that writes for several workers, where the database takes one."""
    from service.store.engine import sqlite_file
    from service.store.recorder_supervision import supervised_recorder

    if workers == 1 or sqlite_file(settings.database) is None:
        yield None
        return
    with supervised_recorder(settings.database, settings.busy_timeout_s, log_level) as path:
        yield path


def _worker_app(settings: Settings, log_level: str) -> Any:
    """The application, in the process of a worker."""
    from service.app import create_app
    from service.log_output import start_logging
    from service.own_core import keep_to_one_core

    start_logging(log_level, settings.log_format)
    if settings.own_cores:
        keep_to_one_core()
    app = create_app(settings)
    leave_alone()
    # A worker ends as a child process of multiprocessing does, without atexit.
    Finalize(None, close, (app,), exitpriority=10)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(
            target=_end_with, args=(parent.sentinel, app), name="end-with", daemon=True
        ).start()
    return app


def leave_alone() -> None:
    """Have no garbage collection look at what was loaded so far, as it stays.

    A full one would look through all of it, for a tenth of a second and more, in which no request
    is answered.
    """
    gc.collect()
    gc.freeze()


def close(app: Flask) -> None:
    """End what an application of this process runs beside requests; what waits is written first."""
    from service.app import LIVE, RECORDER, TIMELY
    from service.security.protect import KEYRING
    from service.tracing import end_tracing

    for key in (LIVE, TIMELY, KEYRING, RECORDER):
        app.extensions[key].close()
    end_tracing(app)


def _end_with(sentinel: Any, app: Flask) -> None:
    """Leave when the main process is gone: a worker on its own would keep the port for ever."""
    connection.wait([sentinel])
    close(app)
    os._exit(1)


def check_free(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises
    ------
    UserError
        If it is taken or none of this machine.
    """
    # Workers share the port, so granian would start beside another server and take half its load.
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another with --host and --port"
        ) from None
