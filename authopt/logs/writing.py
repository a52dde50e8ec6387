"""Write an attempt log whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from authopt.errors import UserError
from authopt.logs.chunks import LogSink
from authopt.logs.formats import format_of, sink_of
from authopt.logs.schema import REQUIRED, PropensitySource, metadata


class LogWriter:
    """Writes record batches that follow the schema; a context manager.

    The file is written beside its place and renamed on leaving the context without an exception;
    otherwise nothing is left behind, and a file that was there before is untouched.

    Parameters
    ----------
    path
        the file; the format goes by its suffix.
    source
        where the propensities come from.

    Attributes
    ----------
    rows
        rows written so far.

    Raises
    ------
    UserError
        If the file cannot be written, or its format is unknown.
    """

    def __init__(self, path: Path, source: PropensitySource) -> None:
        self.path = Path(path)
        self.rows = 0
        self._source = source
        self._sink: LogSink | None = None
        self._schema: pa.Schema | None = None
        format_of(self.path)
        self._temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")

    def __enter__(self) -> Self:
        try:
            self._temporary.touch(exist_ok=False)
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def write(self, records: pa.RecordBatch) -> None:
        """Add rows. The first batch decides on the columns.

        Raises
        ------
        UserError
            If the file cannot be written.
        ValueError
            If a later batch has a column that the first one has not.
        """
        if self._sink is None or self._schema is None:
            self._open(records.schema)
        assert self._sink is not None
        assert self._schema is not None
        try:
            self._sink.write(_in_schema(records, self._schema))
        except OSError as error:
            raise self._unwritable(error) from error
        self.rows += len(records)

    def _open(self, schema: pa.Schema) -> None:
        self._schema = schema.with_metadata(metadata(self._source))
        try:
            self._sink = sink_of(self._temporary, self.path, self._schema, self._source)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"{self.path}: cannot be written ({error.strerror or error})")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._sink is None:
                self._open(pa.schema(list(REQUIRED.items())))
            if self._sink is not None:
                self._sink.close()
            if kind is None:
                os.replace(self._temporary, self.path)
        except OSError as failure:
            if kind is None:
                raise self._unwritable(failure) from failure
        finally:
            self._temporary.unlink(missing_ok=True)


def _in_schema(records: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows with the columns of the first batch; those that are missing become null."""
    extra = set(records.schema.names) - set(schema.names)
    if extra:
        raise ValueError(f"columns {sorted(extra)} are not in the first batch of the log")
    arrays = []
    for field in schema:
        index = records.schema.get_field_index(field.name)
        if index < 0:
            arrays.append(pa.nulls(len(records), field.type))
        else:
            arrays.append(records.column(index).cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
