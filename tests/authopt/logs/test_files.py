"""Logs go to disk and come back; whatever else is on disk is a user's mistake, said plainly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.logs.arrow import to_arrow
from authopt.logs.files import open_log, read_log, write_log, write_records
from authopt.logs.rejects import Rejects
from authopt.logs.schema import VERSION_KEY, PropensitySource
from tests.authopt.logs.log_cases import (
    RECORDS,
    SUFFIXES,
    full_batch,
    read_leniently,
    values,
    with_column,
)
from tests.authopt.test_batch import MIXED, rows
from tests.factories import logged_batch


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("chunk_rows", [7, 65_536])
def test_a_log_comes_back_as_it_was_written(tmp_path: Path, suffix: str, chunk_rows: int) -> None:
    path = tmp_path / f"log{suffix}"
    batch = full_batch()
    assert write_log(path, [batch.take(slice(0, 25)), batch.take(slice(25, 60))]) == 60
    log = open_log(path)
    assert log.num_rows in (60, None)
    assert log.propensity_source is PropensitySource.LOGGED
    assert log.remarks == ()
    records = list(log.records(chunk_rows=chunk_rows))
    assert max(len(each) for each in records) <= chunk_rows
    assert values(records) == values([to_arrow(batch).select(records[0].schema.names)])
    assert [str(kind) for kind in records[0].schema.types] == [
        str(kind) for kind in to_arrow(batch).select(records[0].schema.names).schema.types
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_batches_hold_what_was_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    write_log(path, [MIXED])
    assert rows(read_log(path)) == rows(MIXED)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", list(PropensitySource))
def test_the_source_of_the_propensities_is_kept(
    tmp_path: Path, suffix: str, source: PropensitySource
) -> None:
    path = tmp_path / f"log{suffix}"
    write_log(path, [MIXED], source)
    assert open_log(path).propensity_source is source


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_log_without_propensities_says_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    bare = replace(MIXED, propensity=np.full(MIXED.n, np.nan), probability=None)
    write_log(path, [bare], PropensitySource.UNKNOWN)
    assert open_log(path).propensity_source is PropensitySource.UNKNOWN
    assert np.isnan(read_log(path).propensity).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_propensities_that_begin_later_in_the_log_are_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    first = replace(MIXED, propensity=np.full(MIXED.n, np.nan), probability=None)
    write_log(path, [first, MIXED])
    batch = read_log(path)
    np.testing.assert_array_equal(batch.propensity[MIXED.n :], MIXED.propensity)
    assert np.isnan(batch.propensity[: MIXED.n]).all()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_an_empty_log_can_be_written_and_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    assert write_log(path, []) == 0
    assert list(open_log(path).batches()) == []
    with pytest.raises(UserError, match="no decisions"):
        read_log(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_left_where_writing_fails_midway(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"

    def failing() -> Iterator[LoggedBatch]:
        yield MIXED
        raise UserError("the source broke")

    with pytest.raises(UserError, match="the source broke"):
        write_log(path, failing())
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_was_there_survives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    write_log(path, [MIXED])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="x_new"):
        write_records(
            path,
            [to_arrow(MIXED), to_arrow(MIXED).append_column("x_new", pa.nulls(MIXED.n))],
            PropensitySource.LOGGED,
        )
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_log_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    write_log(one, [full_batch()])
    write_log(two, [full_batch()])
    assert one.read_bytes() == two.read_bytes()


def test_a_place_that_does_not_exist_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/log\.csv: cannot be written"):
        write_log(tmp_path / "nowhere" / "log.csv", [MIXED])


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected one of \.parquet, \.csv"):
        write_log(tmp_path / "log.xlsx", [MIXED])
    (tmp_path / "log.xlsx").write_text("x")
    with pytest.raises(UserError, match="authopt log import"):
        open_log(tmp_path / "log.xlsx")


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dir.parquet").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        open_log(tmp_path / "dir.parquet")
    with pytest.raises(UserError, match="does not exist"):
        open_log(tmp_path / "log.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\n\n", b"PAR1", b"\x1f\x8b", b"\x00" * 100, b"{}\n"])
def test_other_content_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"log{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"log\."):
        open_log(path)


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz", ".dsjson.gz"])
def test_a_log_that_is_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    write_log(path, [logged_batch(5_000)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"cut off|cannot be read"):
        list(open_log(path).records())


def test_a_flipped_byte_in_a_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    write_log(path, [logged_batch(5_000)])
    data = bytearray(path.read_bytes())
    data[5_000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(open_log(path).records())


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    table = pa.Table.from_batches([RECORDS]).replace_schema_metadata({VERSION_KEY: b"99"})
    pq.write_table(table, path)
    with pytest.raises(UserError, match="version 99"):
        open_log(path)


def test_a_parquet_file_of_something_else_names_the_command_for_that(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UserError, match=r"not an attempt log.*authopt log import"):
        open_log(path)


def test_columns_that_stand_twice_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    twice = pa.Table.from_batches([RECORDS]).append_column("x_note", RECORDS["x_note"])
    pq.write_table(twice, path)
    with pytest.raises(UserError, match="x_note stand more than once"):
        open_log(path)


def test_without_rejects_the_first_unsound_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    attempts = np.ones(60, np.int32)
    attempts[[41, 50]] = 0
    records = with_column(RECORDS, "attempt", pa.array(attempts))
    write_records(path, [records.slice(0, 30), records.slice(30)], PropensitySource.LOGGED)
    with pytest.raises(UserError, match=r"row 42, column 'attempt'.*authopt log audit"):
        list(open_log(path).batches(chunk_rows=8))
    sound, rejects = read_leniently(path)
    assert len(sound) == 58
    assert [each.row for each in rejects.examples] == [42, 51]


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    write_log(path, [full_batch()])
    (batch,) = open_log(path).batches(columns={"network"})
    assert set(batch.context) == {"network"}
    assert set(batch.outcome) == {"approved"}
    assert not batch.action_features
    assert batch.probability is not None


def test_row_groups_of_any_size_and_different_vocabularies_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    batch = logged_batch(300)
    other = logged_batch(300, routes=("zoop", "adyen"), seed=1)
    schema = to_arrow(batch).schema
    with pq.ParquetWriter(path, schema) as writer:
        for part in (batch, other):
            writer.write_table(pa.Table.from_batches([to_arrow(part)]), row_group_size=70)
    assert rows(read_log(path)) == rows(batch) + rows(other)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(path: Path) -> int:
        before, most = pa.total_allocated_bytes(), 0
        for _ in open_log(path).records(chunk_rows=2_000):
            most = max(most, pa.total_allocated_bytes() - before)
        return most

    part = to_arrow(full_batch(2_000))
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    for path, count in ((small, 5), (large, 50)):
        with pq.ParquetWriter(path, part.schema) as writer:
            for _ in range(count):
                writer.write_batch(part)
    assert large.stat().st_size > 8 * small.stat().st_size
    # Arrow reads ahead on threads of its own, so a little more is in memory at times.
    assert peak(large) < 2 * peak(small)


def test_a_large_row_group_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    whole = to_arrow(logged_batch(300_000))
    pq.write_table(pa.Table.from_batches([whole]), path, row_group_size=300_000)
    held = whole.nbytes
    del whole
    before, most = pa.total_allocated_bytes(), 0
    for _ in open_log(path).records(chunk_rows=2_000):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < held * 2 / 3


def test_small_batches_make_large_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    part = logged_batch(100)
    write_log(path, (part for _ in range(200)))
    assert pq.ParquetFile(path).num_row_groups == 1


def test_rejects_go_on_where_strict_would_stop(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    bad = with_column(RECORDS, "attempt", pa.array(np.zeros(60, np.int32)))
    write_records(path, [bad], PropensitySource.LOGGED)
    rejects = Rejects()
    assert list(open_log(path).batches(rejects=rejects)) == []
    assert rejects.by_reason == {"expected at least 1": 60}
