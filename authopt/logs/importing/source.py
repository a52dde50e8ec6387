"""The cells of a foreign file, as text, in chunks with exact row numbers."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from authopt.batch import IntArray
from authopt.errors import UserError
from authopt.logs.importing.mapping import Mapping
from authopt.logs.rejects import Rejection, Rejects, shown

CHUNK_ROWS = 50_000

BROKEN = (EOFError, OSError, zlib.error)
"""What reading a damaged file raises."""

WRONG_WIDTH = "has another number of cells than the header"


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Some rows of the source.

    Attributes
    ----------
    rows
        int64[n], their numbers in the file, from 1; the header and blank lines are not counted.
    columns
        the columns that the mapping reads, n texts each; "" where a cell is empty.
    """

    rows: IntArray
    columns: dict[str, list[str]]


@dataclass(slots=True)
class Count:
    """Rows read so far."""

    rows: int = 0


def read_cells(path: Path, mapping: Mapping, rejects: Rejects, count: Count) -> Iterator[Cells]:
    """The source, chunk by chunk; a row of the wrong width becomes a rejection.

    Raises
    ------
    UserError
        If the file cannot be read, or lacks a column that the mapping names.
    """
    opened = _workbook_rows if path.suffix.lower() == ".xlsx" else _csv_rows
    with opened(path, mapping) as rows:
        try:
            header = next(rows, None)
            if header is None:
                raise UserError(f"{path}: the file is empty; expected a header line and rows")
            places = _places(path, [name.strip() for name in header], mapping)
            while block := list(islice(rows, CHUNK_ROWS)):
                yield _cells(path, block, len(header), places, rejects, count)
        except UnicodeError as error:
            raise UserError(
                f"{path}: not far after row {count.rows} it is not {mapping.source.encoding} "
                f"({getattr(error, 'reason', error)}); say the file's encoding in source.encoding"
            ) from error
        except csv.Error as error:
            raise UserError(
                f"{path}: broken CSV after row {count.rows} ({error}); is a quote left open, or "
                "source.delimiter another one?"
            ) from error
        except BROKEN as error:
            raise UserError(f"{path}: cannot be read on ({error})") from error
    if not count.rows:
        raise UserError(f"{path}: the file has a header and no rows")


def _cells(
    path: Path,
    block: list[list[str]],
    width: int,
    places: dict[str, int],
    rejects: Rejects,
    count: Count,
) -> Cells:
    kept, numbers = [], []
    for row in block:
        if not row:
            # A blank line is no row.
            continue
        count.rows += 1
        if len(row) == width:
            kept.append(row)
            numbers.append(count.rows)
        else:
            value = shown(f"{len(row)} instead of {width}")
            rejects.add(Rejection(str(path), count.rows, "", value, WRONG_WIDTH))
    columns = {name: [row[place].strip() for row in kept] for name, place in places.items()}
    return Cells(np.array(numbers, np.int64), columns)


def _places(path: Path, header: list[str], mapping: Mapping) -> dict[str, int]:
    wanted = mapping.source_columns()
    missing = [name for name in wanted if name not in header]
    if missing:
        raise UserError(
            f"{path}: column(s) {', '.join(missing)} missing, which the mapping names. "
            f"Columns that the file has: {shown(', '.join(header))}"
        )
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} stands in the header more than once")
    return {name: header.index(name) for name in wanted}


@contextmanager
def _csv_rows(path: Path, mapping: Mapping) -> Iterator[Iterator[list[str]]]:
    encoding = mapping.source.encoding
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    try:
        with _text_file(path, encoding) as file:
            yield csv.reader(file, delimiter=mapping.source.delimiter, strict=True)
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _text_file(path: Path, encoding: str) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


@contextmanager
def _workbook_rows(path: Path, mapping: Mapping) -> Iterator[Iterator[list[str]]]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        # The package lets errors of zip, XML and its own parsing through, whatever is damaged.
        raise UserError(f"{path}: cannot be read as an XLSX workbook ({error})") from error
    try:
        if not book.sheetnames:
            raise UserError(f"{path}: the workbook has no sheet; save it again")
        name = mapping.source.sheet or book.sheetnames[0]
        if name not in book.sheetnames:
            names = ", ".join(book.sheetnames)
            raise UserError(f"{path}: no sheet {name!r} (source.sheet); it has {names}")
        yield _sheet_rows(path, book[name], mapping)
    finally:
        book.close()


def _sheet_rows(path: Path, sheet: Any, mapping: Mapping) -> Iterator[list[str]]:
    # The size that a sheet states of itself may be wrong.
    sheet.reset_dimensions()
    width = 0
    rows = sheet.iter_rows(values_only=True)
    while True:
        try:
            row = next(rows, None)
        except Exception as error:
            raise UserError(f"{path}: the sheet cannot be read on ({error})") from error
        if row is None:
            return
        cells = [_text(value, mapping) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        width = width or len(cells)
        # A sheet does not store the empty cells at the end of a row.
        yield cells + [""] * (width - len(cells)) if cells else []


def _text(value: Any, mapping: Mapping) -> str:
    """A cell as a CSV of this mapping would have it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() else repr(value)
        return text.replace(".", mapping.source.decimal)
    if isinstance(value, datetime | date):
        moment = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])
        return moment.replace(microsecond=0).strftime(mapping.time.format)
    return str(value)
