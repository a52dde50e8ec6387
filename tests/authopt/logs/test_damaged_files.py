"""Whatever bytes a file holds: a user's mistake or rejections, never another exception."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.logs.arrow import from_arrow
from authopt.logs.files import open_log, write_log
from authopt.logs.rejects import Rejects
from tests.authopt.logs.log_cases import SUFFIXES, full_batch

ROWS = 12
LOG = full_batch(ROWS)

quick = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def read(path: Path) -> tuple[int, int] | None:
    """Sound rows and rejections; None where the file as a whole is a user's mistake."""
    rejects = Rejects()
    sound = 0
    try:
        for records in open_log(path).records(rejects=rejects):
            records.validate(full=True)
            sound += from_arrow(records).n
    except UserError:
        return None
    return sound, rejects.count


def valid(path: Path) -> bytes:
    write_log(path, [LOG])
    return path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.binary(max_size=300))
@quick
def test_random_bytes(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"log{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") and len(data) % 2 else data)
    read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.data())
@settings(quick, max_examples=25)
def test_a_valid_file_with_a_few_bytes_changed_cut_or_put_in(
    tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path / f"log{suffix}"
    content = bytearray(valid(path))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 8))
        content[start : start + length] = data.draw(st.binary(max_size=8))
    path.write_bytes(content)
    read(path)


@pytest.mark.parametrize("suffix", [".csv", ".dsjson"])
@given(data=st.data())
@quick
def test_a_changed_line_loses_no_neighbour(
    tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path / f"log{suffix}"
    lines = valid(path.with_name(f"plain{suffix}")).split(b"\n")
    # Line breaks within cells would make one row of several lines.
    lines = [line for line in lines if line]
    if suffix == ".csv":
        whole = [line for line in lines[2:] if line.count(b",") > 25 and b"line" not in line]
        lines = [*lines[:2], *whole]
    head = 2 if suffix == ".csv" else 1
    index = data.draw(st.integers(head, len(lines) - 1))
    line = bytearray(lines[index])
    start = data.draw(st.integers(0, len(line)))
    put_in = data.draw(st.binary(max_size=6))
    assume(not set(put_in) & set(b'"\r\n'))
    end = start + data.draw(st.integers(0, 6))
    assume(b'"' not in line[start:end])
    line[start:end] = put_in
    assume(line.strip())
    lines[index] = bytes(line)
    path.write_bytes(b"\n".join(lines) + b"\n")
    total = len(lines) - (2 if suffix == ".csv" else 0)
    result = read(path)
    assert result is not None
    assert sum(result) == total
    assert result[0] >= total - 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("own", [True, False])
@given(data=st.data())
@quick
def test_random_json_in_the_place_of_any_value(
    tmp_path: Path, own: bool, data: st.DataObject
) -> None:
    path = tmp_path / "log.dsjson"
    events: list[dict[str, Any]] = [json.loads(line) for line in valid(path).splitlines()]
    if not own:
        for event in events:
            del event["_authopt"]
    event = events[data.draw(st.integers(1, ROWS - 1))]
    place: Any = event
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [each for each in _children(place) if isinstance(each, dict | list) and each]
        if inner:
            place = data.draw(st.sampled_from(inner))
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(json_values)
    path.write_text("\n".join(json.dumps(each) for each in events) + "\n")
    result = read(path)
    assert result is not None
    assert sum(result) == ROWS
    assert result[0] >= ROWS - 1


def _children(place: Any) -> list[Any]:
    return list(place.values()) if isinstance(place, dict) else list(place)


@given(cell=st.text(max_size=20), column=st.integers(0, 20))
@quick
def test_random_text_in_the_place_of_any_cell(tmp_path: Path, cell: str, column: int) -> None:
    import csv

    assume("\0" not in cell)
    path = tmp_path / "log.csv"
    valid(path)
    with path.open(newline="") as stream:
        comment, *table = stream.readline(), *csv.reader(stream)
    table[3][column % len(table[3])] = cell.encode(errors="replace").decode()
    with path.open("w", newline="") as stream:
        stream.write(comment)
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    result = read(path)
    # With all cells quoted, a missing value reads as the empty text, which most columns refuse.
    assert result is not None
    assert sum(result) == ROWS


def test_records_that_were_read_can_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    valid(path)
    table = pa.Table.from_batches(open_log(path).records())
    assert table.num_rows == ROWS
