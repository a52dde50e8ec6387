"""Write groups of records in one transaction each, every one of them once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError

from service.store.engine import WRITE
from service.store.insertion import TABLES, insert_new
from service.store.records import DecisionRecord, Kept, Key, Record
from service.store.tables import decisions
from service.tenants import DEFAULT_TENANT

_COLUMNS = [decisions.c[name] for name in DecisionRecord.__struct_fields__]
# Databases limit the parameters of a statement.
_IDS_AT_A_TIME = 500
_TRY_AGAIN = frozenset({"40001", "40P01"})
"""SQLSTATE of a transaction that was given up for the sake of another one."""


class Store:
    """The tables, for writing.

    Parameters
    ----------
    engine
        of a database that is migrated.
    statement_within_s
        how long PostgreSQL may take for one statement of a write, or wait for a lock.
    """

    def __init__(self, engine: Engine, statement_within_s: float = 5.0) -> None:
        self.engine = engine
        self.transactions = 0
        self._statement_within_s = statement_within_s
        self._idle: list[Connection] = []
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing is written any more."""
        return self._closed

    def keep(self, records: Sequence[Record]) -> list[Kept]:
        """Write the records that are not there yet, and commit.

        SQLite writes all of them in one transaction. PostgreSQL writes those of each table in one,
        since a statement that commits itself saves three messages to the server and back.

        Without any records it only makes sure that the tables are there and can be written.

        Returns
        -------
        list of Kept
            one for each record, in their order. Of decisions with the same id the first one stays.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If nothing could be written.
        """
        try:
            return self._keep(records)
        except DBAPIError as error:
            # Written at most once however often it is sent, so one more try costs nothing: the
            # server may have been restarted since the last group.
            given_up = getattr(error.orig, "sqlstate", None) in _TRY_AGAIN
            if not (given_up or error.connection_invalidated):
                raise
        return self._keep(records)

    def decision(self, decision_id: str, tenant: str = DEFAULT_TENANT) -> DecisionRecord | None:
        """The decision that is kept under an id of a merchant."""
        key = tenant, decision_id
        return self.decisions([key]).get(key)

    def decisions(self, keys: Sequence[Key]) -> dict[Key, DecisionRecord]:
        """The decisions that are kept under some keys."""
        with self.engine.connect() as connection:
            return _known_decisions(connection, keys)

    def check(self) -> None:
        """Raise unless the tables are there and can be written."""
        self._keep(())

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        while self._idle:
            _end(self._idle.pop())
        self.engine.dispose()

    def _keep(self, records: Sequence[Record]) -> list[Kept]:
        known: dict[Key, DecisionRecord] = {}
        with self._writing() as connection:
            if not records:
                connection.execute(select(decisions.c.number).limit(1))
            for table, form in TABLES:
                some = [record for record in records if type(record) is form]
                if some and insert_new(connection, table, some) < len(some) and table is decisions:
                    known = _known_decisions(connection, [record.key for record in some])
        self.transactions += 1
        return [
            Kept(
                True, known.get(record.key, record) if isinstance(record, DecisionRecord) else None
            )
            for record in records
        ]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A connection that commits at the end of the block, and is kept open for the next one.

        A thread that hangs in the database holds its own connection, and no other waits for it.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._opened()
        try:
            with connection.begin():
                yield connection
        except BaseException:
            _end(connection)
            raise
        self._idle.append(connection)
        if self._closed:
            # A thread that hung here while the others left.
            self.close()

    def _opened(self) -> Connection:
        connection = self.engine.connect().execution_options(**{WRITE: True})
        if self.engine.dialect.name == "postgresql":
            limit = f"{max(1, round(self._statement_within_s * 1000))}ms"
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            with connection.begin():
                # An answered decision is on disk, whatever the server's default.
                connection.execute(
                    text(
                        "SELECT set_config('statement_timeout', :limit, false),"
                        " set_config('lock_timeout', :limit, false),"
                        " set_config('synchronous_commit',"
                        " CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
                        " ELSE current_setting('synchronous_commit') END, false)"
                    ),
                    {"limit": limit},
                )
        return connection


def _end(connection: Connection) -> None:
    """Close a connection for good; a pool that was disposed of meanwhile would keep it open."""
    if not connection.invalidated:
        connection.detach()
    connection.close()


def _known_decisions(connection: Connection, keys: Sequence[Key]) -> dict[Key, DecisionRecord]:
    wanted = set(keys)
    found: dict[Key, DecisionRecord] = {}
    for some in _in_parts([decision_id for _, decision_id in keys]):
        for values in connection.execute(
            select(*_COLUMNS).where(decisions.c.decision_id.in_(some))
        ):
            record = DecisionRecord(*values)
            if record.key in wanted:
                found[record.key] = record
    return found


def _in_parts(ids: Iterable[str]) -> Iterator[list[str]]:
    distinct = list(dict.fromkeys(ids))
    for start in range(0, len(distinct), _IDS_AT_A_TIME):
        yield distinct[start : start + _IDS_AT_A_TIME]
