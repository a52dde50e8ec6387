"""``authopt log audit``: the verdict at a glance, exit codes, JSON and rejected rows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authopt.batch import LoggedBatch
from authopt.errors import CheckFailed, UserError
from authopt.logs.audit.report import AuditReport
from authopt.logs.audit.run import audit_log
from authopt.logs.audit_command import audit
from authopt.logs.files import open_log, write_log
from authopt.logs.schema import PropensitySource
from tests.authopt.logs.audit.faulty import clean, renamed, with_outcome, with_retries
from tests.factories import logged_batch


def run(*arguments: str | Path) -> None:
    audit.main([str(argument) for argument in arguments], standalone_mode=False)


def written(path: Path, batch: LoggedBatch, source: str = "logged") -> Path:
    write_log(path, [batch], PropensitySource(source))
    return path


def damaged(path: Path, batch: LoggedBatch, column: str, values: dict[int, object]) -> Path:
    """A log with impossible values, which authopt itself would not write."""
    table = pq.read_table(written(path, batch))
    at = table.schema.get_field_index(column)
    cells = table[column].to_pylist()
    for row, value in values.items():
        cells[row] = value
    pq.write_table(table.set_column(at, column, pa.array(cells, table[column].type)), path)
    return path


@pytest.fixture(autouse=True)
def _a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


def test_the_verdict_comes_last_and_lines_are_at_most_100_columns_wide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(written(tmp_path / "log.parquet", with_retries()))
    shown = capsys.readouterr().out
    verdict = shown[shown.index("verdict on") :]
    assert "This log can be trusted" in verdict
    assert "1/propensity averages 3.000 where 3.000 is expected" in " ".join(verdict.split())
    assert max(map(len, shown.splitlines())) <= 100
    for title in ("success by route", "support", "propensity check", "over time", "columns"):
        assert title in shown


def test_a_narrow_terminal_is_kept_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run(written(tmp_path / "log.parquet", with_retries()))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_impossible_values_are_shown_with_row_column_value_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = damaged(tmp_path / "log.parquet", clean(), "propensity", {16: 1.7, 17: 0.0, 18: -0.2})
    run(log)
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 of them cannot be used" in shown
    assert "17 propensity 1.7 expected a probability above 0 and at most 1" in shown
    assert "3 of 2,000 (0.1%) rows cannot be used" in shown


def test_all_rejected_rows_go_to_a_file_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = with_outcome(clean(), latency_ms=np.full(2_000, 120.0))
    log = damaged(
        tmp_path / "log.parquet", batch, "latency_ms", dict.fromkeys(range(200, 400), -5.0)
    )
    rejects = tmp_path / "rejected.csv"
    run(log, "--rejects", rejects, "--json")
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["sound"], report["rejected"]) == (2_000, 1_800, 200)
    assert report["rejections"] == [{"value": "expected at least 0", "count": 200}]
    with rejects.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(201, 401))


def test_card_numbers_are_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = damaged(tmp_path / "log.parquet", clean(), "payment_id", {3: "4111 1111 1111 1111"})
    run(log)
    run(log, "--json")
    shown = capsys.readouterr().out
    assert "looks like a card number" in shown
    assert "4111" not in shown


def test_json_is_the_whole_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = written(tmp_path / "log.parquet", renamed(with_retries(), "decision_id", [7], 3))
    run(log, "--json", "--by", "amount_minor")
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == set(AuditReport.__dataclass_fields__)
    assert answer["verdict"] == "problem"
    assert answer["findings"][0]["examples"] == ["d0-3"]
    by_amount = next(
        part for part in answer["segmentations"] if part["columns"][0].startswith("am")
    )
    assert sum(segment["attempts"] for segment in by_amount["segments"]) == 1_000


def test_strict_fails_on_a_problem_or_a_rejected_row_and_only_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(written(tmp_path / "sound.parquet", with_retries()), "--strict")
    doubled = written(tmp_path / "doubled.parquet", renamed(clean(), "decision_id", [7], 3))
    run(doubled)
    with pytest.raises(CheckFailed, match=r"1 problem\(s\), 0 row\(s\)"):
        run(doubled, "--strict")
    rejected = damaged(tmp_path / "rejected.parquet", clean(), "propensity", {0: 2.0})
    with pytest.raises(CheckFailed, match=r"0 problem\(s\), 1 row\(s\)"):
        run(rejected, "--strict")
    assert "verdict on" in capsys.readouterr().out


def test_a_log_without_propensities_is_said_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = replace(clean(), propensity=np.full(2_000, np.nan), probability=None)
    run(written(tmp_path / "log.parquet", batch, "unknown"))
    shown = " ".join(capsys.readouterr().out.split())
    assert "Do not trust this log yet: 1 problem." in shown
    assert "NO PROPENSITIES" in shown
    assert "authopt log propensities" in shown


def test_what_is_not_an_attempt_log_is_a_users_mistake(tmp_path: Path) -> None:
    text = tmp_path / "notes.parquet"
    text.write_text("not a log")
    with pytest.raises(UserError, match=r"notes\.parquet"):
        run(text)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    with pytest.raises(UserError, match="not an attempt log"):
        run(other)
    empty = written(tmp_path / "empty.parquet", clean().take(slice(0, 0)))
    with pytest.raises(UserError, match="no decisions"):
        run(empty)


def test_a_log_of_which_no_row_can_be_used_still_gets_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = damaged(tmp_path / "log.parquet", clean(50), "propensity", dict.fromkeys(range(50), 7.0))
    run(log)
    assert "50 of 50 (100.0%) rows cannot be used" in " ".join(capsys.readouterr().out.split())


def test_the_report_does_not_depend_on_the_size_of_chunks(tmp_path: Path) -> None:
    # Probabilities begin in the middle of the log, as they do in life.
    batch = clean(1_000)
    early = replace(batch.take(slice(0, 500)), probability=None)
    log = tmp_path / "log.parquet"
    write_log(log, [batch.take(slice(500, 1_000)), early])
    reports = [audit_log(open_log(log), chunk_rows=rows) for rows in (70, 1_000)]
    one, other = reports
    assert one.overlap.with_probabilities == other.overlap.with_probabilities == 500
    assert one.routes == other.routes
    assert one.faults == other.faults
    assert one.segmentations == other.segmentations
    assert one.inverse[0].z == pytest.approx(other.inverse[0].z, abs=1e-9)
    assert [found.level for found in one.findings] == [found.level for found in other.findings]


def test_delays_and_stop_are_audited_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = logged_batch(1_000, with_stop=True, attempts_per_payment=1, uniform_logging=True)
    delay = np.where(batch.is_stop, 0, 3600)
    run(written(tmp_path / "log.parquet", replace(batch, action_delay_s=delay)))
    assert "decisions to stop" in capsys.readouterr().out
