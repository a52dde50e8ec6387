"""Write groups of records in one transaction each, every one of them once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from service.store.engine import WRITE
from service.store.records import DecisionRecord, Kept, OutcomeRecord, Record, row
from service.store.tables import decisions, outcomes

_COLUMNS = [decisions.c[name] for name in DecisionRecord.__struct_fields__]
# Databases limit the parameters of a statement.
_IDS_AT_A_TIME = 500


class Store:
    """The tables, for writing.

    Parameters
    ----------
    engine
        of a database that is migrated.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.transactions = 0

    def keep(self, records: Sequence[Record]) -> list[Kept]:
        """Write the records that are not there yet, all in one transaction.

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
            return self._keep_new(records)
        except IntegrityError:
            # Some are there already, which is rare enough to find out so.
            pass
        try:
            return self._keep_missing(records)
        except IntegrityError:
            # Another process wrote one of them between our look and our insert; now it is seen.
            return self._keep_missing(records)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """The decision that is kept under an id."""
        with self.engine.connect() as connection:
            return _known_decisions(connection, [decision_id]).get(decision_id)

    def check(self) -> None:
        """Raise unless the tables are there and can be written."""
        with (
            self.engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            connection.execute(select(decisions.c.number).limit(1))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _keep_new(self, records: Sequence[Record]) -> list[Kept]:
        """Write records of which none is there."""
        with (
            self.engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            for table, form in ((decisions, DecisionRecord), (outcomes, OutcomeRecord)):
                rows = [row(record) for record in records if isinstance(record, form)]
                if rows:
                    connection.execute(insert(table), rows)
        self.transactions += 1
        return [
            Kept(True, record if isinstance(record, DecisionRecord) else None) for record in records
        ]

    def _keep_missing(self, records: Sequence[Record]) -> list[Kept]:
        """Look which records are there, and write the others."""
        asked = [record for record in records if isinstance(record, DecisionRecord)]
        told = [record for record in records if isinstance(record, OutcomeRecord)]
        with (
            self.engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            known = _known_decisions(connection, [record.decision_id for record in asked])
            new = [
                row(record)
                for record in asked
                if known.setdefault(record.decision_id, record) is record
            ]
            if new:
                connection.execute(insert(decisions), new)
            fresh = _fresh_outcomes(connection, told)
            if fresh:
                connection.execute(insert(outcomes), [row(record) for record in fresh])
        self.transactions += 1
        return [
            Kept(True, known[record.decision_id] if isinstance(record, DecisionRecord) else None)
            for record in records
        ]


def _known_decisions(connection: Connection, ids: list[str]) -> dict[str, DecisionRecord]:
    found: dict[str, DecisionRecord] = {}
    for start in range(0, len(ids), _IDS_AT_A_TIME):
        some = ids[start : start + _IDS_AT_A_TIME]
        for values in connection.execute(
            select(*_COLUMNS).where(decisions.c.decision_id.in_(some))
        ):
            record = DecisionRecord(*values)
            found[record.decision_id] = record
    return found


def _fresh_outcomes(connection: Connection, told: list[OutcomeRecord]) -> list[OutcomeRecord]:
    """The outcomes that are not there yet, each once."""
    new = {(record.decision_id, record.sha256): record for record in reversed(told)}
    digests = [record.sha256 for record in told]
    for start in range(0, len(digests), _IDS_AT_A_TIME):
        some = digests[start : start + _IDS_AT_A_TIME]
        ids = [record.decision_id for record in told[start : start + _IDS_AT_A_TIME]]
        for decision_id, sha256 in connection.execute(
            select(outcomes.c.decision_id, outcomes.c.sha256).where(
                outcomes.c.decision_id.in_(ids), outcomes.c.sha256.in_(some)
            )
        ):
            new.pop((decision_id, sha256), None)
    return list(reversed(new.values()))
