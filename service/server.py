"""Run the application under granian: its processes, their start and their end."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from functools import partial
from multiprocessing import connection
from multiprocessing.util import Finalize
from typing import Any

from authopt.errors import UserError
from service.settings import Settings


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
        blocking_threads=threads,
        log_level=LogLevels.error,
        # The access log would hold addresses, which may hold anything.
        log_access=False,
    )
    server.serve(target_loader=partial(_worker_app, settings, log_level), wrap_loader=False)


def _worker_app(settings: Settings, log_level: str) -> Any:
    """The application, in the process of a worker."""
    from service.app import RECORDER, create_app
    from service.log_output import start_logging

    start_logging(log_level)

    app = create_app(settings)
    recorder = app.extensions[RECORDER]
    # A worker ends as a child process of multiprocessing does, without atexit.
    Finalize(None, recorder.close, exitpriority=10)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(
            target=_end_with, args=(parent.sentinel, recorder), name="end-with", daemon=True
        ).start()
    return app


def _end_with(sentinel: Any, recorder: Any) -> None:
    """Leave when the main process is gone: a worker on its own would keep the port for ever."""
    connection.wait([sentinel])
    recorder.close()
    os._exit(1)


def check_workers(workers: int, database: str) -> None:
    """Refuse several processes on SQLite, where they would fight for its one write lock.

    Raises
    ------
    UserError
        If there is more than one, and the database is SQLite.
    """
    from service.store.engine import sqlite_file

    if workers > 1 and sqlite_file(database) is not None:
        raise UserError(
            f"--workers {workers}: SQLite takes one writer, so several processes would be slower "
            "than one. Use --workers 1 and more --threads, or PostgreSQL with --database"
        )


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
