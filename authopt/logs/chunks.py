"""What a file format has to offer: its columns, and its rows in chunks with their row numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from authopt.logs.findings import Findings
from authopt.logs.schema import PropensitySource


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Rows in the types of the schema, not yet validated.

    Attributes
    ----------
    records
        n rows. A cell that does not fit into its type is null, and its row is in ``findings``.
    findings
        the rows' numbers, and what was wrong with them so far.
    """

    records: pa.RecordBatch
    findings: Findings


@dataclass(frozen=True, slots=True)
class Span:
    """A run of rows of a log that can be read without what stands before it.

    Attributes
    ----------
    before
        rows of the file that stand before it.
    rows
        its own rows, sound or not.
    groups
        its row groups: the number of the first, and of the first that is not in it any more.
    """

    before: int
    rows: int
    groups: tuple[int, int]


class LogReader(Protocol):
    """Reads one file of one format."""

    @property
    def num_rows(self) -> int | None:
        """Rows of the file, where it says so without being read."""

    @property
    def propensity_source(self) -> PropensitySource:
        """Where the propensities come from."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the file."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a user should know about how this file is read."""

    def chunks(self, columns: Collection[str] | None, chunk_rows: int) -> Iterator[Chunk]:
        """The rows, about ``chunk_rows`` at a time, with the columns asked for (None: all)."""


@runtime_checkable
class SpanReader(LogReader, Protocol):
    """Reads a format whose files can be read in parts."""

    def spans(self, rows: int) -> list[Span]:
        """The file in parts of about ``rows`` rows, in order; none where it has no rows."""

    def span_chunks(
        self, span: Span, columns: Collection[str] | None, chunk_rows: int
    ) -> Iterator[Chunk]:
        """As ``chunks``, of one part; rows are numbered as in the whole file."""


class LogSink(Protocol):
    """Writes record batches of one schema to one file."""

    def write(self, records: pa.RecordBatch) -> None:
        """Add rows."""

    def close(self) -> None:
        """Write what is left, and close the file."""
