"""The rows of a foreign file, as text, in chunks and with their row numbers."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from authopt.errors import UserError
from authopt.logs.importing.mapping import Mapping
from authopt.logs.importing.sheet import sheet_rows
from authopt.logs.rejects import shown

CHUNK_ROWS = 50_000

_ERRORS = (OSError, EOFError, zlib.error, UnicodeError)


@dataclass(slots=True)
class RawChunk:
    """Some rows of the file.

    Attributes
    ----------
    rows
        number of each row over the whole file, from 1; a header and empty lines are not counted.
    cells
        the cells of every column that is read, by its name.
    unsound
        rows that cannot be cut into cells: row number, the cell at fault, and why.
    """

    rows: list[int] = field(default_factory=list)
    cells: dict[str, list[str]] = field(default_factory=dict)
    unsound: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Rows of the file that this chunk answers for."""
        return len(self.rows) + len(self.unsound)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be cut into cells."""

    text: str
    reason: str


def raw_chunks(path: Path, mapping: Mapping, size: int = CHUNK_ROWS) -> Iterator[RawChunk]:
    """The rows of a CSV or XLSX file, ``size`` at a time.

    Raises
    ------
    UserError
        If the file is of no known kind, cannot be read, is empty, or lacks a column.
    """
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        rows = _csv_rows(path, mapping)
    elif name.endswith(".xlsx"):
        rows = sheet_rows(path, mapping)
    else:
        raise UserError(f"{path}: expected a file with the suffix .csv, .csv.gz or .xlsx")
    with closing(rows):
        yield from _chunks(path, rows, mapping.source_columns, size)


def _chunks(
    path: Path, rows: Iterator[Sequence[str] | BadRow], wanted: Sequence[str], size: int
) -> Iterator[RawChunk]:
    header = next(rows, None)
    if header is None:
        raise UserError(f"{path}: the file is empty; expected a first row with names of columns")
    if isinstance(header, BadRow):
        raise UserError(f"{path}: the header cannot be read: {header.reason}")
    names = [cell.strip() for cell in header]
    places = _places(path, names, wanted)
    width, kept, chunk = len(names), [], RawChunk()
    number = 0
    for number, row in enumerate(rows, 1):
        if isinstance(row, BadRow):
            chunk.unsound.append((number, row.text, row.reason))
        elif len(row) != width:
            reason = f"has {len(row)} fields; expected {width}"
            # The row is not shown: nobody knows which of its cells is sensitive.
            chunk.unsound.append((number, "", reason))
        else:
            chunk.rows.append(number)
            kept.append(row)
        if chunk.read >= size:
            yield _filled(chunk, kept, places)
            kept, chunk = [], RawChunk()
    if chunk.read:
        yield _filled(chunk, kept, places)


def _filled(
    chunk: RawChunk, kept: Iterable[Sequence[str]], places: dict[str, int]
) -> RawChunk:
    kept = list(kept)
    chunk.cells = {name: [row[place] for row in kept] for name, place in places.items()}
    return chunk


def _places(path: Path, names: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    found = ", ".join(shown(name) for name in names[:50])
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UserError(
            f"{path}: column(s) {', '.join(map(repr, missing))} of the mapping are not in the "
            f"file. Its columns are: {found}. Mend the names, or source.delimiter and "
            "source.encoding in the mapping"
        )
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise UserError(f"{path}: column(s) {', '.join(map(repr, twice))} stand there twice")
    return {name: names.index(name) for name in wanted}


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[IO[str]]:
    # A byte that does not decode must cost its row alone, not the file.
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    with path.open("rb") as raw:
        unpacked = gzip.open(raw) if path.name.lower().endswith(".gz") else raw
        with io.TextIOWrapper(
            unpacked,  # type: ignore[arg-type]
            encoding,
            errors="surrogateescape",
            newline="",
        ) as text:
            yield text


def _csv_rows(path: Path, mapping: Mapping) -> Generator[Sequence[str] | BadRow, None, None]:
    number = 0
    try:
        with _text(path, mapping.source.encoding) as text:
            reader = csv.reader(text, delimiter=mapping.source.delimiter, strict=True)
            width = None
            while True:
                before = reader.line_num
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    if reader.line_num - before != 1 or "end of data" in str(error):
                        raise _torn(path, number) from error
                    number += 1
                    yield BadRow("", "the quotes of the row cannot be made out")
                    continue
                if row is None:
                    return
                if not row:
                    continue
                width = len(row) if width is None else width
                if len(row) != width and reader.line_num - before > 1:
                    raise _torn(path, number)
                yield row
                number += 1
    except _ERRORS as error:
        raise UserError(
            f"{path}: row {number}: cannot be read as CSV in {mapping.source.encoding} "
            f"({shown(str(error))}). Mend the file, or source.encoding in the mapping"
        ) from error


def _torn(path: Path, number: int) -> UserError:
    return UserError(
        f"{path}: row {number}: a quote is not closed, or a quoted cell with a line break stands "
        "in an unsound row, or a cell is longer than 131,072 characters. Rows after it cannot be "
        "told apart; mend the row and import again"
    )
