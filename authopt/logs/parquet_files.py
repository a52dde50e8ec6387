"""The attempt log as Parquet: zstd, dictionaries, version and propensity source in the metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from authopt.errors import UserError
from authopt.logs.chunks import Chunk, Span
from authopt.logs.conform import conform, file_type
from authopt.logs.findings import Findings
from authopt.logs.schema import (
    PropensitySource,
    check_columns,
    check_version,
    propensity_source,
)

ROW_GROUP_ROWS = 131_072
"""Rows per row group that is written; bounds the memory of reader and writer."""

_BUFFER_BYTES = 1 << 20

# A damaged footer makes Arrow raise almost anything.
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


class ParquetReader:
    """Reads an attempt log from a Parquet file, chunk by chunk.

    The memory needed depends on the size of a chunk, not on that of the file or its row groups.
    Columns whose types differ from the schema's without loss (int64 for int32, timestamps of
    another unit, plain strings) are converted.

    Raises
    ------
    UserError
        If the file is no Parquet file or no attempt log.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._read_footer()
        except _ERRORS as error:
            raise _unreadable(path, error) from error

    def _read_footer(self) -> None:
        where = str(self._path)
        self._footer: pq.FileMetaData | None = None
        with self._open() as file:
            schema, footer = file.schema_arrow, file.metadata
            self._footer = footer
            self.num_rows: int | None = footer.num_rows
            self._group_rows = [
                footer.row_group(group).num_rows for group in range(footer.num_row_groups)
            ]
            check_version(schema.metadata, where)
            check_columns(schema.names, where)
            self.columns: tuple[str, ...] = tuple(schema.names)
            for field in schema:
                file_type(field, where)
            self.propensity_source: PropensitySource = propensity_source(
                schema.metadata, "propensity" in schema.names and not _all_null(footer)
            )

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(
            self._path,
            metadata=self._footer,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )

    def chunks(self, columns: Collection[str] | None, chunk_rows: int) -> Iterator[Chunk]:
        """The rows, at most ``chunk_rows`` at a time, with the columns asked for (None: all)."""
        whole = Span(0, sum(self._group_rows), (0, len(self._group_rows)))
        return self.span_chunks(whole, columns, chunk_rows)

    def spans(self, rows: int) -> list[Span]:
        """The file in parts of about ``rows`` rows: whole row groups, at least one each."""
        found: list[Span] = []
        before = first = held = 0
        for group, group_rows in enumerate(self._group_rows, start=1):
            held += group_rows
            if held >= rows or (held and group == len(self._group_rows)):
                found.append(Span(before, held, (first, group)))
                before, first, held = before + held, group, 0
        return found

    def span_chunks(
        self, span: Span, columns: Collection[str] | None, chunk_rows: int
    ) -> Iterator[Chunk]:
        """As :meth:`chunks`, of one part; rows are numbered as in the whole file."""
        names = [name for name in self.columns if columns is None or name in columns]
        done = span.before
        try:
            with self._open() as file:
                for records in _decoded(file, range(*span.groups), names, chunk_rows):
                    rows = np.arange(done + 1, done + len(records) + 1)
                    findings = Findings(str(self._path), rows)
                    done += len(records)
                    yield Chunk(conform(records, findings), findings)
        except _ERRORS as error:
            raise _unreadable(self._path, error, done) from error


def _decoded(
    file: pq.ParquetFile, groups: range, names: list[str], rows: int
) -> Iterator[pa.RecordBatch]:
    # Arrow has no list of dictionaries that spans row groups, each with its own dictionary.
    for group in groups:
        yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=names)


def _all_null(footer: pq.FileMetaData) -> bool:
    """Whether the propensity is missing in every row, as far as the statistics say."""
    groups = [footer.row_group(group) for group in range(footer.num_row_groups)]
    for group in groups:
        for index in range(group.num_columns):
            column = group.column(index)
            if column.path_in_schema != "propensity":
                continue
            statistics = column.statistics
            if statistics is None or statistics.null_count != group.num_rows:
                return False
    return bool(footer.num_rows > 0)


def _unreadable(path: Path, error: Exception, done: int = 0) -> UserError:
    reason = " ".join(str(error).split())
    after = f" after row {done}" if done else ""
    return UserError(
        f"{path}: cannot be read as Parquet{after} ({reason}). Expected an attempt log as written "
        "by authopt; the file may be cut off or of another format"
    )


class ParquetSink:
    """Writes record batches of one schema to a Parquet file, in row groups of even size."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        dictionaries = [
            f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
            for field in schema
            if _is_dictionary(field.type)
        ]
        self._schema = schema
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=dictionaries or False,
            write_page_checksum=True,
        )

    def write(self, records: pa.RecordBatch) -> None:
        """Add rows."""
        self._pending.append(records)
        self._pending_rows += len(records)
        if self._pending_rows >= ROW_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        if self._pending_rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._pending, self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self._pending, self._pending_rows = [], 0


def _is_dictionary(data_type: pa.DataType) -> bool:
    if pa.types.is_list(data_type):
        data_type = data_type.value_type
    return bool(pa.types.is_dictionary(data_type))
