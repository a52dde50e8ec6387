"""The formats of an attempt log, by the suffix of the file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from authopt.errors import UserError
from authopt.logs.chunks import LogReader, LogSink
from authopt.logs.csv_files import CsvReader, CsvSink
from authopt.logs.dsjson_files import DsjsonReader, DsjsonSink
from authopt.logs.parquet_files import ParquetReader, ParquetSink
from authopt.logs.schema import PropensitySource

SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".dsjson": "dsjson",
    ".dsjson.gz": "dsjson",
    ".json": "dsjson",
    ".json.gz": "dsjson",
}


def format_of(path: Path) -> str:
    """``parquet``, ``csv`` or ``dsjson``.

    Raises
    ------
    UserError
        If the suffix belongs to none of them.
    """
    name = path.name.lower()
    for suffix, found in SUFFIXES.items():
        if name.endswith(suffix):
            return found
    raise UserError(
        f"{path}: the format goes by the suffix; expected one of {', '.join(SUFFIXES)}. "
        "Bring a foreign file into the form with: authopt log import"
    )


def reader_of(path: Path) -> LogReader:
    """The reader of a file.

    Raises
    ------
    UserError
        If the file is of an unknown format, or not an attempt log.
    """
    found = format_of(path)
    if found == "parquet":
        return ParquetReader(path)
    return CsvReader(path) if found == "csv" else DsjsonReader(path)


def sink_of(path: Path, name: Path, schema: pa.Schema, source: PropensitySource) -> LogSink:
    """What writes to ``path`` in the format that ``name`` asks for."""
    found, zipped = format_of(name), name.name.lower().endswith(".gz")
    if found == "parquet":
        return ParquetSink(path, schema)
    if found == "csv":
        return CsvSink(path, schema, source, zipped)
    return DsjsonSink(path, schema, source, zipped)
