"""``authopt simulate``, and the sample that it made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from authopt.errors import UserError
from authopt.evaluation.engine import evaluate
from authopt.logs.audit_command import audit
from authopt.logs.files import open_log
from authopt.logs.schema import PropensitySource
from authopt.policies.uniform import Uniform
from simulator.commands import simulate

SAMPLE = Path(__file__).parents[2] / "data" / "sample.parquet"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


def test_the_shipped_sample_is_what_the_command_makes(tmp_path: Path) -> None:
    made = tmp_path / "sample.parquet"
    options = ("--world", "small", "--payments", 20_000, "--seed", 1)
    assert run(*options, "--out", made).exit_code == 0
    ours, shipped = pq.read_table(made), pq.read_table(SAMPLE)
    assert ours.schema.names == shipped.schema.names
    for name in ours.schema.names:
        left, right = ours[name].combine_chunks(), shipped[name].combine_chunks()
        if pa.types.is_list(left.type):
            assert left.value_lengths().equals(right.value_lengths()), name
            left, right = left.flatten(), right.flatten()
        if pa.types.is_floating(left.type):
            # Processors differ in the last bits of an exponential.
            assert np.allclose(left, right, rtol=1e-12, atol=0.0, equal_nan=True), name
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
    value = answer["true_values"][0]
    assert 0.5 < value["per_decision"] < 0.9
    assert (
        value["per_payment_interval"][0] < value["per_payment"] < value["per_payment_interval"][1]
    )
    assert answer["world"] == "cards"
    assert answer["oracle"] is None


def test_the_true_value_on_the_log_is_what_evaluation_of_the_log_estimates(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    options = ("--world", "small", "--out", out, "--true-value", "uniform", "--json")
    answer = json.loads(run(*options).stdout)
    truth = answer["true_values"][0]["on_this_log"]
    judged = evaluate(open_log(out).batches(), [Uniform()], bootstrap=0).policies[1].value
    assert judged.interval.lower < truth < judged.interval.upper
    assert judged.value == pytest.approx(truth, abs=0.02)


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.parquet", "other.parquet", "one.csv", "other.csv"):
        assert run("--payments", 300, "--seed", 8, "--out", tmp_path / name).exit_code == 0
    for suffix in ("parquet", "csv"):
        one, other = (tmp_path / f"{name}.{suffix}" for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_the_table_shows_every_attempt(tmp_path: Path) -> None:
    options = ("--world", "small", "--payments", 800, "--policy", "uniform")
    result = run(*options, "--out", tmp_path / "log.parquet")
    assert result.exit_code == 0, result.output
    assert "800 payments" in result.stdout
    for heading in ("attempt", "network", "initiator", "route", "decline code"):
        assert heading in result.stdout
    for name in ("visa", "mastercard", "mit", "atlas", "everywhere", "51", "05"):
        assert name in result.stdout


def test_the_summary_adds_up(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    summary = json.loads(run("--payments", 600, "--out", out, "--json").stdout)["summary"]
    made = sum(row["made"] for row in summary["attempts"])
    stopped = sum(row["stopped"] for row in summary["attempts"])
    assert made + stopped == summary["decisions"] == pq.read_metadata(out).num_rows
    for groups in ("networks", "routes", "initiators"):
        assert sum(row["made"] for row in summary[groups]) == made
        assert sum(row["first_made"] for row in summary[groups]) == 600
        approved = sum(row["made"] * row["approved"] for row in summary[groups])
        assert round(approved) == round(summary["paid"] * 600)


def test_decline_codes_are_counted_with_their_shares(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    summary = json.loads(run("--payments", 600, "--out", out, "--json").stdout)["summary"]
    rows = summary["decline_codes"]
    declines = sum(row["made"] for row in summary["attempts"]) - round(summary["paid"] * 600)
    assert sum(row["declines"] for row in rows) == declines
    for share in ("share", "first_share"):
        assert sum(row[share] for row in rows) == pytest.approx(1.0)
    assert "00" not in {row["code"] for row in rows}


def test_the_oracles_stand_above_the_policy_and_below_the_bound(tmp_path: Path) -> None:
    options = ("--world", "small", "--payments", 400, "--true-value", "uniform", "--oracle")
    out = tmp_path / "log.parquet"
    answer = json.loads(run(*options, "--out", out, "--json").stdout)
    oracle, uniform = answer["oracle"], answer["true_values"][0]
    assert uniform["per_payment"] < oracle["greedy"]["per_payment"]
    assert uniform["per_payment"] < oracle["planning"]["per_payment"]
    assert oracle["foresight"]["paid"] <= oracle["foresight"]["bound"]
    table = run(*options, "--out", out).stdout
    assert "bound on every policy" in table
    assert "planning ahead" in table


def test_the_merchants_rules_hold_in_the_log(tmp_path: Path) -> None:
    rules = tmp_path / "merchant.toml"
    rules.write_text("max_attempts = 2\n")
    out = tmp_path / "log.parquet"
    options = ("--payments", 500, "--rules", rules, "--out", out, "--json")
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert [row["attempt"] for row in json.loads(result.stdout)["summary"]["attempts"]] == [1, 2]


def test_part_of_a_day_may_start_at_any_second(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    options = ("--world", "small", "--start", "2026-03-01T12:00:05", "--days", 0.01)
    assert run(*options, "--payments", 200, "--out", out).exit_code == 0
    batch = next(open_log(out).batches())
    first = batch.decided_at[batch.attempt == 1]
    start = np.datetime64("2026-03-01T12:00:05")
    assert first.min() >= start
    assert first.max() <= start + np.timedelta64(864, "s")


def test_a_policy_that_is_not_known_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    for option in ("--policy", "--true-value"):
        result = run("--out", out, option, "nonsense")
        assert isinstance(result.exception, UserError)
        assert "uniform" in str(result.exception)
        assert not out.exists()


def test_simulated_logs_pass_the_audit(tmp_path: Path) -> None:
    for seed in (1, 2):
        out = tmp_path / f"{seed}.parquet"
        assert run("--payments", 3_000, "--seed", seed, "--out", out).exit_code == 0
        result = CliRunner().invoke(audit, [str(out), "--json"])
        assert result.exit_code == 0, result.output


def test_impossible_options_are_refused(tmp_path: Path) -> None:
    assert run("--payments", 0, "--out", tmp_path / "log.parquet").exit_code == 2
    assert run("--days", 0, "--out", tmp_path / "log.parquet").exit_code == 2
    assert run("--world", "flat", "--out", tmp_path / "log.parquet").exit_code == 2
    assert run("--start", "yesterday", "--out", tmp_path / "log.parquet").exit_code == 2
