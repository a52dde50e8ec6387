"""The database as commands open it: for one transaction, with errors that name what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def database_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--database``."""
    return click.option(
        "--database",
        default="sqlite:///authopt.db",
        show_default=True,
        metavar="URL",
        help="Of the service.",
    )(function)


def reason_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--reason``."""
    return click.option("--reason", default="", help="Why, for the audit log.")(function)


@contextmanager
def changing_at(database: str) -> Iterator[Connection]:
    """A transaction that writes changes, on a database that is made and brought up to date first.

    Raises
    ------
    UserError
        If the database cannot be written.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from service.store.changes import changing
    from service.store.engine import cause_of, open_engine
    from service.store.migrate import migrate

    engine = open_engine(database)
    try:
        migrate(engine)
        with changing(engine) as connection:
            yield connection
    except SQLAlchemyError as error:
        raise UserError(f"the database cannot be written: {cause_of(error)}") from None
    finally:
        engine.dispose()


@contextmanager
def reading_at(database: str) -> Iterator[Connection]:
    """A transaction that reads, on a database that is there.

    Raises
    ------
    UserError
        If there is none, or it cannot be read.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from service.store.engine import cause_of, check_there, open_engine

    check_there(database)
    engine = open_engine(database)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise UserError(f"the database cannot be read: {cause_of(error)}") from None
    finally:
        engine.dispose()
