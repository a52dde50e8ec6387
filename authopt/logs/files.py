"""Attempt logs as files: open one to read it in chunks, write one whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from authopt.batch import LoggedBatch, concat
from authopt.errors import UserError
from authopt.logs.arrow import from_arrow, to_arrow
from authopt.logs.chunks import Chunk, LogReader, Span, SpanReader
from authopt.logs.formats import reader_of
from authopt.logs.read_ahead import ahead
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PROPENSITY, REQUIRED, PropensitySource, column_rank
from authopt.logs.validate import sound_records
from authopt.logs.writing import LogWriter
from authopt.rewards import DEFAULT_REWARD, Reward

CHUNK_ROWS = 65_536

SPAN_ROWS = 524_288
"""Rows of a part of a log that is worked on for itself: enough for its start to cost little."""


@dataclass(frozen=True, slots=True)
class AttemptLog:
    """An attempt log on disk.

    Attributes
    ----------
    path
        the file.
    num_rows
        its rows, sound or not; None where the file does not say so without being read.
    propensity_source
        where its propensities come from.
    columns
        names of its columns.
    remarks
        what a user should know about how the file is read; empty for most files.
    """

    path: Path
    num_rows: int | None
    propensity_source: PropensitySource
    columns: tuple[str, ...]
    remarks: tuple[str, ...]
    _reader: LogReader

    def batches(
        self,
        *,
        reward: Reward = DEFAULT_REWARD,
        rejects: Rejects | None = None,
        chunk_rows: int = CHUNK_ROWS,
        columns: Collection[str] | None = None,
        span: Span | None = None,
    ) -> Iterator[LoggedBatch]:
        """The log, chunk by chunk, in the order of the file; memory is bounded by the chunk.

        Parameters
        ----------
        reward
            turns outcomes into rewards.
        rejects
            where unsound rows go. None is strict: the first one raises.
        chunk_rows
            most decisions per batch; a batch may be smaller.
        columns
            context, outcome and custom columns to read; None for all. The required ones, the
            propensities and what the reward needs are always read. Only what is read is validated.
        span
            read this part alone (:meth:`spans`); None for all.

        Raises
        ------
        UserError
            If a row is unsound and ``rejects`` is strict or None, or the file cannot be read on.
        """
        if columns is not None:
            columns = {*columns, *reward.columns}
        records = self._sound(rejects, chunk_rows, columns, span)
        return ahead(from_arrow(each, reward) for each in records)

    def records(
        self,
        *,
        rejects: Rejects | None = None,
        chunk_rows: int = CHUNK_ROWS,
        columns: Collection[str] | None = None,
        span: Span | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The sound rows as Arrow record batches, columns in the types and order of the schema.

        Parameters and exceptions as for :meth:`batches`.
        """
        return ahead(self._sound(rejects, chunk_rows, columns, span))

    def _sound(
        self,
        rejects: Rejects | None,
        chunk_rows: int,
        columns: Collection[str] | None,
        span: Span | None,
    ) -> Iterator[pa.RecordBatch]:
        rejects = Rejects(strict=True) if rejects is None else rejects
        if columns is not None:
            columns = {*columns, *REQUIRED, *PROPENSITY}
        for chunk in self._chunks(columns, chunk_rows, span):
            records = sound_records(chunk, rejects)
            if len(records):
                yield records.select(sorted(records.schema.names, key=column_rank))

    def spans(self, rows: int = SPAN_ROWS) -> list[Span] | None:
        """Parts of the log that can be read each for itself, in order, of about ``rows`` rows.

        None where the format knows no parts (all but Parquet). They depend on the file and
        ``rows`` alone.
        """
        return self._reader.spans(rows) if isinstance(self._reader, SpanReader) else None

    def _chunks(
        self, columns: Collection[str] | None, chunk_rows: int, span: Span | None
    ) -> Iterator[Chunk]:
        if span is None:
            return self._reader.chunks(columns, chunk_rows)
        if not isinstance(self._reader, SpanReader):
            raise ValueError(f"{self.path}: its format cannot be read in parts")
        return self._reader.span_chunks(span, columns, chunk_rows)


def open_log(path: Path) -> AttemptLog:
    """Open an attempt log; the format goes by the suffix (``authopt.logs.formats``).

    Raises
    ------
    UserError
        If the file is missing, of an unknown format, or not an attempt log.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise UserError(f"{path}: {what}; expected a file with an attempt log")
    reader = reader_of(path)
    return AttemptLog(
        path=path,
        num_rows=reader.num_rows,
        propensity_source=reader.propensity_source,
        columns=reader.columns,
        remarks=reader.remarks,
        _reader=reader,
    )


def read_log(path: Path, reward: Reward = DEFAULT_REWARD) -> LoggedBatch:
    """A whole log in memory, for logs that are known to be small.

    Raises
    ------
    UserError
        If the file is not an attempt log, has an unsound row, or has no row at all.
    """
    batches = list(open_log(path).batches(reward=reward))
    if not batches:
        raise UserError(f"{path}: the log has no decisions")
    return concat(batches)


def write_log(
    path: Path,
    batches: Iterable[LoggedBatch],
    source: PropensitySource = PropensitySource.LOGGED,
) -> int:
    """Write batches as an attempt log; the format goes by the suffix.

    The file appears whole or not at all. The first batch decides on the columns.

    Returns
    -------
    int
        rows written.

    Raises
    ------
    UserError
        If the file cannot be written or its format is unknown.
    ValueError
        If a later batch has a column that the first one has not.
    """
    return write_records(path, (_with_propensities(batch, source) for batch in batches), source)


def write_records(path: Path, records: Iterable[pa.RecordBatch], source: PropensitySource) -> int:
    """Write record batches that follow the schema, as :func:`write_log` does."""
    with LogWriter(path, source) as writer:
        for batch in records:
            writer.write(batch)
    return writer.rows


def _with_propensities(batch: LoggedBatch, source: PropensitySource) -> pa.RecordBatch:
    """The rows of a batch, with columns of missing propensities where later rows may have some.

    A log may begin before its propensities were recorded, but its first batch decides on the
    columns.
    """
    records = to_arrow(batch, source)
    if source is PropensitySource.UNKNOWN:
        return records
    for name, data_type in PROPENSITY.items():
        if name not in records.schema.names:
            records = records.append_column(pa.field(name, data_type), pa.nulls(batch.n, data_type))
    return records.select(sorted(records.schema.names, key=column_rank))
