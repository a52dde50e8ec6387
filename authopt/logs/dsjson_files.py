"""The attempt log as VW dsjson: one JSON event per line, plain or gzipped.

Events of any origin are read:

=============================  ===================================================================
dsjson                         attempt log
=============================  ===================================================================
``EventId``                    ``decision_id`` and ``payment_id``; ``attempt`` is 1
``Timestamp``                  ``decided_at``; where it is missing, a second of the year 2000 for
                               each line, so that the order stays (said in the log's remarks)
``c._multi``                   the eligible actions; the route is the action's ``_tag``, or the
                               ``id``, ``route`` or ``name`` among its features, or ``action-N``;
                               ``-N`` is added where two have the same name; the delay is 0
``_labelIndex`` (from 0),      ``chosen``
``_label_Action`` (from 1),
or the first of ``a``
``_label_probability``         ``propensity``
``p``, in the order of ``a``   ``eligible_probability``
``_label_cost``                ``reward`` is minus the cost; ``_original_label_cost``, or the one
                               observation ``v`` in ``o``, where that is missing
``_skipLearn``,                no outcome: nothing is to be learned from the event, or the action
``DeferredAction``             was never shown (no ``ActionTaken`` in ``o``)
other features in ``c``        ``x_PATH``, and ``eligible_PATH`` for those of an action; keys with
                               ``_`` in front, vectors and the repeated ones are left out
``pdrop``                      above 0: rejected, as the log has no weights
``_outcomes``                  rejected: several slots are no single decision
=============================  ===================================================================

Events that authopt writes have the context in the namespace ``payment``, each action in the
namespace ``action``, the label where outcome and propensity are known (cost is minus ``reward``,
or else minus ``approved``), and under ``_authopt``, which VW ignores, all that dsjson has no place
for. They are read back exactly. The number of a row is that of its line.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from authopt.errors import UserError
from authopt.logs.chunks import Chunk
from authopt.logs.conform import conform
from authopt.logs.csv_cells import parse_cells
from authopt.logs.csv_files import opened
from authopt.logs.dsjson_columns import Coerce, Columns, coercion
from authopt.logs.dsjson_event import EventError, Row, decode_event, row_of
from authopt.logs.findings import Findings
from authopt.logs.schema import PropensitySource, arrow_type

LONGEST_LINE = 16 << 20
"""Bytes of a line; a longer one is rejected without being held in memory."""


class DsjsonReader:
    """Reads an attempt log from a dsjson file, line by line.

    A file that authopt wrote names its columns in the first event; any other file is read once
    when it is opened, to learn which features its events have.

    Raises
    ------
    UserError
        If no event of the file is a row of an attempt log.
    """

    num_rows: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._columns = Columns.of_first_event(next(self._lines(), (0, b""))[1], str(path))
            if self._columns is None:
                self._columns = Columns.of_events(self._lines())
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(path, error) from error
        if self._columns is None:
            raise UserError(
                f"{path}: not a VW dsjson log: no line is an event with EventId, c._multi and the "
                "action taken. Expected one JSON event per line"
            )
        self.columns: tuple[str, ...] = self._columns.names
        self.propensity_source: PropensitySource = self._columns.propensity
        self.remarks: tuple[str, ...] = self._columns.remarks

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Number (from 1) and bytes of each line that is not blank."""
        number = 0
        with opened(self._path) as stream:
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    _skip_line(stream)
                elif not line.strip():
                    continue
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line

    def chunks(self, columns: Collection[str] | None, chunk_rows: int) -> Iterator[Chunk]:
        """The rows, at most ``chunk_rows`` at a time, with the columns asked for (None: all)."""
        assert self._columns is not None
        types = {
            name: arrow_type(name, self._columns.kinds.get(name))
            for name in self.columns
            if columns is None or name in columns
        }
        coercions = {name: coercion(data_type, name) for name, data_type in types.items()}
        rows: list[Row] = []
        numbers: list[int] = []
        rejected: list[tuple[int, EventError]] = []
        try:
            for number, line in self._lines():
                try:
                    rows.append(self._row(line, number, coercions))
                    numbers.append(number)
                except EventError as error:
                    rejected.append((number, error))
                if len(rows) + len(rejected) >= chunk_rows:
                    yield self._chunk(rows, numbers, rejected, types)
                    rows, numbers, rejected = [], [], []
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self._path, error) from error
        if rows or rejected:
            yield self._chunk(rows, numbers, rejected, types)

    def _row(self, line: bytes, number: int, coercions: Mapping[str, Coerce]) -> Row:
        assert self._columns is not None
        if len(line) > LONGEST_LINE:
            raise EventError("", None, f"the line is longer than {LONGEST_LINE} bytes")
        row = row_of(decode_event(line), number)
        for name, value in row.items():
            if name not in self._columns.known and value is not None:
                raise EventError(name, value, "is a column that the first event does not announce")
        return {name: coerce(row.get(name)) for name, coerce in coercions.items()}

    def _chunk(
        self,
        rows: list[Row],
        numbers: list[int],
        rejected: list[tuple[int, EventError]],
        types: Mapping[str, pa.DataType],
    ) -> Chunk:
        findings = Findings(str(self._path), np.array(numbers, np.int64))
        for number, error in rejected:
            findings.add(number, error.key, error.value, error.reason)
        arrays: dict[str, pa.Array] = {}
        for name, data_type in types.items():
            values = [row[name] for row in rows]
            if pa.types.is_timestamp(data_type):
                cells = pa.array(values, pa.string()).cast(pa.binary())
                arrays[name] = parse_cells(cells, data_type, name, findings)
            else:
                arrays[name] = pa.array(values, _plain(data_type))
        return Chunk(conform(pa.RecordBatch.from_pydict(arrays), findings), findings)


def _plain(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_list(data_type):
        return pa.list_(_plain(data_type.value_type))
    return pa.string() if pa.types.is_dictionary(data_type) else data_type


def _skip_line(stream: IO[bytes]) -> None:
    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: cannot be read ({' '.join(str(error).split())}); the file may be cut off"
    )


class DsjsonSink:
    """Writes record batches of one schema to a dsjson file."""

    def __init__(
        self, path: Path, schema: pa.Schema, source: PropensitySource, zipped: bool
    ) -> None:
        from authopt.logs.dsjson_write import EventWriter

        self._raw = path.open("wb")
        self._stream: Any = gzip.GzipFile("", "wb", 6, self._raw, mtime=0) if zipped else self._raw
        self._writer = EventWriter(schema, source)

    def write(self, records: pa.RecordBatch) -> None:
        """Add rows."""
        self._stream.writelines(self._writer.lines(records))

    def close(self) -> None:
        """Write what is left, and close the file."""
        self._stream.close()
        self._raw.close()
