"""Bring a database to the tables of this version, under a lock."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.store.engine import WRITE

_MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do, as long as all that migrate agree on it.
_LOCK = 7_236_011


def migrate(engine: Engine) -> None:
    """Run the migrations that a database lacks; several processes may do so at once.

    Raises
    ------
    UserError
        If the database cannot be opened or written, or is of a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    shown = engine.url.render_as_string(hide_password=True)
    try:
        if _is_up_to_date(engine):
            return
        with (
            engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise UserError(
            f"database {shown} cannot be used: {str(cause).splitlines()[0]}. Check that it exists, "
            "is a database of authopt and can be written"
        ) from None
    except Exception as error:
        # Alembic's own errors (a revision that this version does not know) share no base class
        # that says more.
        raise UserError(f"database {shown} cannot be brought up to date: {error}") from None


def _is_up_to_date(engine: Engine) -> bool:
    """Seen without the lock, for which a worker that starts under load would have to wait."""
    with engine.connect() as connection:
        found, head = revisions(connection)
    return found == head


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The version of a database's tables, None where there are none, and this program's."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found, ScriptDirectory(str(_MIGRATIONS)).get_current_head()
