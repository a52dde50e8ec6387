"""``authopt log convert``: formats may change, what the log says may not."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from authopt.cli import main
from authopt.errors import CheckFailed, UserError
from authopt.logs.convert_command import convert
from authopt.logs.files import open_log, write_log, write_records
from authopt.logs.schema import PropensitySource
from tests.authopt.logs.log_cases import RECORDS, full_batch, values, with_column


def run(*arguments: object) -> str:
    result = CliRunner().invoke(convert, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def unsound(path: Path, rows: int = 2) -> Path:
    attempts = np.ones(60, np.int32)
    attempts[:rows] = 0
    records = with_column(RECORDS, "attempt", pa.array(attempts))
    write_records(path, [records], PropensitySource.LOGGED)
    return path


def test_a_round_through_all_formats_changes_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}{suffix}" for i, suffix in enumerate(
        (".parquet", ".csv", ".dsjson", ".csv.gz", ".json", ".parquet")
    )]  # fmt: skip
    write_log(paths[0], [full_batch()], PropensitySource.ESTIMATED)
    for source, target in pairwise(paths):
        run(source, target)
    assert values(open_log(paths[-1]).records()) == values(open_log(paths[0]).records())
    assert open_log(paths[-1]).propensity_source is PropensitySource.ESTIMATED


def test_unsound_rows_are_counted_and_written_to_a_file(tmp_path: Path) -> None:
    log = unsound(tmp_path / "log.parquet")
    rejects = tmp_path / "rejects.csv"
    answer = json.loads(run(log, tmp_path / "out.csv", "--rejects", rejects, "--json"))
    assert (answer["rows"], answer["rejected"]) == (58, 2)
    with rejects.open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [(each["row"], each["column"], each["value"]) for each in found] == [
        ("1", "attempt", "0"),
        ("2", "attempt", "0"),
    ]


def test_people_are_told_of_unsound_rows(tmp_path: Path) -> None:
    output = run(unsound(tmp_path / "log.parquet"), tmp_path / "out.csv")
    assert "58 rows written" in output
    assert "2 unsound rows left out" in output
    assert "expected at least 1" in output


def test_strict_writes_nothing(tmp_path: Path) -> None:
    log = unsound(tmp_path / "log.parquet")
    with pytest.raises(UserError, match="row 1, column 'attempt'"):
        run(log, tmp_path / "out.csv", "--strict")
    assert list(tmp_path.iterdir()) == [log]


def test_a_log_without_a_sound_row_fails(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="all 60 rows"):
        run(unsound(tmp_path / "log.parquet", 60), tmp_path / "out.csv")


def test_files_must_differ(tmp_path: Path) -> None:
    log = unsound(tmp_path / "log.parquet")
    with pytest.raises(UserError, match="different files"):
        run(log, log)


def test_the_command_ends_with_2_on_a_file_that_is_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit) as stopped:
        main(["log", "convert", str(path), str(tmp_path / "out.parquet")])
    assert stopped.value.code == 2
    assert "authopt log import" in capsys.readouterr().err
