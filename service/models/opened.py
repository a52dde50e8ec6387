"""The service's database, as commands beside the service open it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.store.engine import cause_of, check_there, open_engine
from service.store.migrate import migrate

_BUSY_TIMEOUT_S = 10.0


@contextmanager
def opened(database: str) -> Iterator[Engine]:
    """An engine for a database of the service, with the tables of this version.

    Raises
    ------
    UserError
        If there is none, it cannot be used, or it fails meanwhile.
    """
    check_there(database)
    engine = open_engine(database, _BUSY_TIMEOUT_S)
    try:
        migrate(engine)
        yield engine
    except SQLAlchemyError as error:
        raise UserError(f"the database fails: {cause_of(error)}. Try again") from None
    finally:
        engine.dispose()


def actor(command: str) -> str:
    """Who makes a change at the prompt, for the audit log."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # An account without a name, as in a container.
        name = "unknown"
    return f"authopt {command} ({name})"[:128]
