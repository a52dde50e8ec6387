"""A Parquet log is read in parts that make up the whole, rows numbered as in the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.logs.arrow import to_arrow
from authopt.logs.chunks import Span
from authopt.logs.files import open_log, write_log
from authopt.logs.rejects import Rejects
from tests.authopt.logs.log_cases import values
from tests.factories import logged_batch

ROWS = 60


def in_groups(path: Path, rows_per_group: int, rows: int = ROWS) -> Path:
    table = pa.Table.from_batches([to_arrow(logged_batch(rows))])
    pq.write_table(table, path, row_group_size=rows_per_group)
    return path


def test_spans_are_whole_row_groups_that_follow_each_other(tmp_path: Path) -> None:
    log = open_log(in_groups(tmp_path / "log.parquet", 8))
    assert log.spans(20) == [Span(0, 24, (0, 3)), Span(24, 24, (3, 6)), Span(48, 12, (6, 8))]
    assert log.spans(1) == [Span(8 * i, min(8, ROWS - 8 * i), (i, i + 1)) for i in range(8)]
    assert log.spans() == [Span(0, ROWS, (0, 8))]


@given(per_group=st.integers(1, 70), rows=st.integers(1, 70), chunk=st.integers(1, 70))
@settings(max_examples=25)
def test_the_spans_together_are_the_log(
    tmp_path_factory: pytest.TempPathFactory, per_group: int, rows: int, chunk: int
) -> None:
    log = open_log(in_groups(tmp_path_factory.mktemp("log") / "log.parquet", per_group))
    spans = log.spans(rows)
    assert spans is not None
    parts = [part for span in spans for part in log.records(span=span, chunk_rows=chunk)]
    assert values(parts) == values(list(log.records()))
    assert sum(span.rows for span in spans) == ROWS


def test_a_span_can_be_read_as_batches_of_the_columns_asked_for(tmp_path: Path) -> None:
    log = open_log(in_groups(tmp_path / "log.parquet", 8))
    (batch,) = log.batches(span=Span(8, 8, (1, 2)), columns=["network"])
    assert batch.decision_id.to_pylist() == [f"d0-{row}" for row in range(8, 16)]
    assert list(batch.context) == ["network"]
    assert list(batch.outcome) == ["approved"]


def test_unsound_rows_keep_their_numbers(tmp_path: Path) -> None:
    batch = logged_batch(40)
    batch.propensity[29] = 2.0
    path = tmp_path / "log.parquet"
    pq.write_table(
        pa.Table.from_batches([to_arrow(replace(batch, probability=None))]), path, row_group_size=10
    )
    log, rejects = open_log(path), Rejects()
    for span in log.spans(10) or ():
        list(log.records(rejects=rejects, span=span))
    assert [rejection.row for rejection in rejects.examples] == [30]
    with pytest.raises(UserError, match="row 30"):
        list(log.records(span=Span(20, 10, (2, 3))))


def test_an_empty_log_has_no_spans(tmp_path: Path) -> None:
    write_log(tmp_path / "log.parquet", [])
    assert open_log(tmp_path / "log.parquet").spans() == []


def test_other_formats_have_no_spans(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv", [logged_batch(5)])
    log = open_log(tmp_path / "log.csv")
    assert log.spans() is None
    with pytest.raises(ValueError, match="cannot be read in parts"):
        next(log.records(span=Span(0, 5, (0, 1))))
