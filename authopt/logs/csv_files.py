"""The attempt log as CSV, plain or gzipped, for people and for programs that read nothing else.

The columns are those of the Parquet form, in UTF-8 with a header, and with these conventions:

- The first line may be ``# authopt attempt log v1; propensity=logged; types={"x_score":"number"}``:
  the version, where the propensities come from, and the kinds (``authopt.payments.Kind``) of the
  user's own columns. A file without that line is read as of the newest version with logged
  propensities, and the kinds are taken from its first rows.
- A list is a JSON array in a cell: ``"[""adyen"",""stop""]"``.
- A time is ISO 8601 with ``Z`` or an offset: ``2026-01-31T23:59:00Z``.
- A boolean is ``true``, ``false``, ``1`` or ``0``.
- An empty cell is a missing value; the empty text is ``""``.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from authopt.batch import IntArray
from authopt.errors import UserError
from authopt.logs.chunks import Chunk
from authopt.logs.conform import conform
from authopt.logs.csv_cells import kind_of_cells, list_cells, parse_cells
from authopt.logs.findings import Findings
from authopt.logs.heading import Heading, heading_line, parse_heading
from authopt.logs.schema import (
    ELIGIBLE_PREFIX,
    PropensitySource,
    arrow_type,
    check_columns,
    is_custom,
    own_kinds,
)
from authopt.logs.utf8_stream import Utf8Stream
from authopt.payments import Kind

_BLOCK_BYTES = 4 << 20
_LONGEST_HEADER = 1 << 20

_ERRORS = (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeDecodeError, csv.Error)


class CsvReader:
    """Reads an attempt log from a CSV file, block by block.

    Raises
    ------
    UserError
        If the file is no CSV file or no attempt log.
    """

    num_rows: int | None = None
    remarks: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._heading, self.columns = self._read_head()
            check_columns(self.columns, str(path))
            has_propensity = "propensity" in self.columns
            self.propensity_source = (
                self._heading.propensity if has_propensity else PropensitySource.UNKNOWN
            )
            self._kinds = self._kinds_of_own_columns()
        except _ERRORS as error:
            raise _unreadable(path, error) from error

    def _read_head(self) -> tuple[Heading, tuple[str, ...]]:
        with opened(self._path) as stream:
            line = stream.readline(_LONGEST_HEADER).removeprefix(b"\xef\xbb\xbf")
            heading = parse_heading(line.decode(), str(self._path))
            if heading is not None:
                line = stream.readline(_LONGEST_HEADER)
            self._skip = 0 if heading is None else 1
            names = next(csv.reader([line.decode().rstrip("\r\n")]), [])
        return heading or Heading(), tuple(names)

    def _kinds_of_own_columns(self) -> dict[str, Kind]:
        kinds = {name: kind for name, kind in self._heading.kinds.items() if name in self.columns}
        unknown = [name for name in self.columns if is_custom(name) and name not in kinds]
        if unknown:
            with closing(self._blocks(unknown)) as blocks:
                first = next(blocks, None)
            for name in unknown:
                cells = pa.array([], pa.binary()) if first is None else first[0][name]
                kinds[name] = kind_of_cells(cells, name.startswith(ELIGIBLE_PREFIX))
        return kinds

    def chunks(self, columns: Collection[str] | None, chunk_rows: int) -> Iterator[Chunk]:
        """The rows, at most ``chunk_rows`` at a time, with the columns asked for (None: all)."""
        names = [name for name in self.columns if columns is None or name in columns]
        try:
            for block, rows, short in self._blocks(names):
                for start in range(0, max(len(block), 1), chunk_rows):
                    some = block.slice(start, chunk_rows)
                    findings = Findings(str(self._path), rows[start : start + chunk_rows])
                    if not start:
                        for row, text, reason in short:
                            findings.add(row, "", text, reason)
                    yield Chunk(conform(self._parsed(some, findings), findings), findings)
        except _ERRORS as error:
            raise _unreadable(self._path, error) from error

    def _parsed(self, block: pa.RecordBatch, findings: Findings) -> pa.RecordBatch:
        arrays = {
            name: parse_cells(cells, arrow_type(name, self._kinds.get(name)), name, findings)
            for name, cells in zip(block.schema.names, block.columns, strict=True)
        }
        return pa.RecordBatch.from_pydict(arrays)

    def _blocks(
        self, names: Collection[str]
    ) -> Generator[tuple[pa.RecordBatch, IntArray, list[tuple[int, str, str]]], None, None]:
        """Blocks of raw cells, their row numbers, and the rows with a wrong number of fields."""
        short: dict[int, tuple[str, str]] = {}

        def skip(row: pa_csv.InvalidRow) -> str:
            reason = f"has {row.actual_columns} fields; expected {row.expected_columns}"
            short[row.number - 1 - self._skip] = (row.text.replace("\0", ""), reason)
            return "skip"

        def taken(until: int | None) -> list[tuple[int, str, str]]:
            done = sorted(row for row in short if until is None or row <= until)
            rows = [(row, *short.pop(row)) for row in done]
            for row, text, _ in rows:
                if "\n" in text:
                    raise UserError(
                        f"{self._path}: row {row}: a quote is not closed, or a quoted cell with a "
                        "line break stands in a row with a wrong number of fields. Rows after it "
                        "cannot be told apart; mend the row and read the file again"
                    )
            return rows

        last = 0
        with opened(self._path) as stream:
            for block in pa_csv.open_csv(
                Utf8Stream(stream),
                read_options=pa_csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK_BYTES, skip_rows=self._skip
                ),
                parse_options=pa_csv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=skip
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types={name: pa.binary() for name in self.columns},
                    include_columns=list(names),
                    strings_can_be_null=True,
                    null_values=[""],
                    quoted_strings_can_be_null=False,
                    check_utf8=False,
                ),
            ):
                # Of the numbers after the last row, those of short rows are not in the block.
                upper = last + len(block) + len(short)
                candidates = np.arange(last + 1, upper + 1)
                known = np.array(sorted(short), np.int64)
                rows = candidates[~np.isin(candidates, known)][: len(block)]
                last = int(rows[-1]) if len(rows) else last
                yield block, rows, taken(last)
            rest = taken(None)
            if rest:
                empty = pa.RecordBatch.from_pydict(
                    {name: pa.array([], pa.binary()) for name in names}
                )
                yield empty, np.empty(0, np.int64), rest


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where its name ends in .gz."""
    with path.open("rb") as raw:
        if path.name.lower().endswith(".gz"):
            with gzip.open(raw) as stream:
                yield stream  # type: ignore[misc]
        else:
            yield raw


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return UserError(
        f"{path}: cannot be read as CSV ({reason}). Expected an attempt log in UTF-8 with a header"
    )


class CsvSink:
    """Writes record batches of one schema to a CSV file."""

    def __init__(
        self, path: Path, schema: pa.Schema, source: PropensitySource, zipped: bool
    ) -> None:
        self._raw = path.open("wb")
        # No name and no time, so that the same log gives the same bytes.
        self._stream: Any = gzip.GzipFile("", "wb", 6, self._raw, mtime=0) if zipped else self._raw
        head = io.StringIO()
        head.write(heading_line(Heading(source, own_kinds(schema))) + "\n")
        csv.writer(head, lineterminator="\n").writerow(schema.names)
        self._stream.write(head.getvalue().encode())

    def write(self, records: pa.RecordBatch) -> None:
        """Add rows."""
        cells = pa.RecordBatch.from_arrays(
            [_cells(column) for column in records.columns], names=records.schema.names
        )
        pa_csv.write_csv(cells, self._stream, pa_csv.WriteOptions(include_header=False))

    def close(self) -> None:
        """Write what is left, and close the file."""
        self._stream.close()
        self._raw.close()


def _cells(column: Any) -> pa.Array:
    if pa.types.is_list(column.type):
        return list_cells(column)
    if pa.types.is_timestamp(column.type):
        text = column.cast(pa.string())
        return pc.replace_substring(text, " ", "T", max_replacements=1)
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return column
