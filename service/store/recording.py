"""Store, spool and writer of one worker, put together."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.settings import Settings
from service.store.engine import open_engine
from service.store.group_commit import GroupCommit, Writer
from service.store.migrate import migrate
from service.store.recorder_client import RecorderClient
from service.store.spool import Spool
from service.store.store import Store

_log = logging.getLogger(__name__)


def open_recorder(settings: Settings) -> GroupCommit:
    """What a worker records with.

    A store that does not answer keeps nothing from starting: the spool records until it does.

    Raises
    ------
    UserError
        If the database's URL is unsound.
    """
    store = Store(open_engine(settings.database, settings.busy_timeout_s))
    spool = Spool(settings.spool)
    writer: Writer = store
    if settings.recorder is not None:
        writer = RecorderClient(settings.recorder, settings.answer_within_s)
    try:
        migrate(store.engine)
        spool.load_into(writer.keep)
    except (UserError, SQLAlchemyError, OSError) as error:
        _log.error("the store is not ready: %s", error)
        _catch_up(spool)
        later = threading.Thread(
            target=_migrate_later,
            args=(store, settings.retry_store_s),
            name="migrate-later",
            daemon=True,
        )
        later.start()
    return GroupCommit(
        store,
        spool,
        answer_within_s=settings.answer_within_s,
        retry_store_s=settings.retry_store_s,
        store_within_s=settings.store_within_s,
        writer=writer,
    )


def _migrate_later(store: Store, every_s: float) -> None:
    """Make the tables once the store answers, without which it could never be written."""
    while not store.is_closed:
        time.sleep(every_s)
        with suppress(UserError):
            migrate(store.engine)
            return


def _catch_up(spool: Spool) -> None:
    """Answer again what an earlier process has answered and could only put into the spool."""
    try:
        spool.catch_up()
    except OSError as error:
        _log.error("the spool cannot be read: %s", error)


def prepare_store(store: Store, spool: Spool) -> None:
    """Bring the tables up to date and move into them what the spool holds.

    Raises
    ------
    UserError, sqlalchemy.exc.SQLAlchemyError, OSError
        If the database or the spool cannot be used.
    """
    migrate(store.engine)
    spool.load_into(store.keep)
