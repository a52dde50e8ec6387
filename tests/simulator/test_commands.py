"""``authopt simulate``, and the sample that it made."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result

from authopt.logs.files import open_log
from authopt.logs.schema import PropensitySource
from simulator.commands import simulate

SAMPLE = Path(__file__).parents[2] / "data" / "sample.parquet"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


def test_the_shipped_sample_is_what_the_command_makes(tmp_path: Path) -> None:
    made = tmp_path / "sample.parquet"
    assert run("--payments", 20_000, "--seed", 1, "--out", made).exit_code == 0
    ours, shipped = pq.read_table(made), pq.read_table(SAMPLE)
    assert ours.schema.names == shipped.schema.names
    for name in ours.schema.names:
        left, right = ours[name], shipped[name]
        if pa.types.is_floating(left.type) or pa.types.is_list(left.type):
            assert left.to_pylist() == right.to_pylist(), name
        else:
            assert left.cast(pa.string()).equals(right.cast(pa.string())), name


def test_the_shipped_sample_is_small_and_holds_exact_propensities() -> None:
    assert SAMPLE.stat().st_size < 3_000_000
    log = open_log(SAMPLE)
    assert log.propensity_source is PropensitySource.LOGGED
    assert sum(batch.n for batch in log.batches()) == log.num_rows


def test_json_has_the_summary_and_the_true_values(tmp_path: Path) -> None:
    options = ("--payments", 500, "--out", tmp_path / "log.parquet")
    result = run(*options, "--true-value", "uniform", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["summary"]["payments"] == 500
    assert answer["true_values"][0]["policy"] == "uniform"
    assert 0.5 < answer["true_values"][0]["per_decision"] < 0.9


def test_the_table_shows_every_attempt(tmp_path: Path) -> None:
    result = run("--payments", 800, "--out", tmp_path / "log.parquet", "--policy", "uniform")
    assert result.exit_code == 0, result.output
    assert "800 payments" in result.stdout
    assert "attempt" in result.stdout


def test_impossible_options_are_refused(tmp_path: Path) -> None:
    assert run("--payments", 0, "--out", tmp_path / "log.parquet").exit_code == 2
    assert run("--start", "yesterday", "--out", tmp_path / "log.parquet").exit_code == 2
