"""Refunds and chargebacks that come late are applied once, and change the reward."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.batch import LoggedBatch
from authopt.logs.commands import log as log_commands
from authopt.logs.correcting import correct_log
from authopt.logs.corrections import read_corrections
from authopt.logs.files import open_log, read_log, write_log
from authopt.logs.rejects import Rejects
from tests.authopt.rewards.money_cases import REWARD, decisions, money_reward

HEADER = "decision_id,payment_id,kind,amount_minor,currency,at,id\n"
CHARGEBACKS = "\n[chargebacks]\nfee_minor = 1_500\nfraud_score = 0.0\n"


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "log.parquet"
    write_log(path, [decisions(*rows)])
    return path


def corrections(folder: Path, *rows: str, name: str = "corrections.csv") -> Path:
    path = folder / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")
    return path


def run(log: Path, file: Path, out: Path, *options: str) -> Result:
    arguments = ["correct", str(log), "--corrections", str(file), "--out", str(out), *options]
    return CliRunner().invoke(log_commands, arguments, catch_exceptions=False)


def summary(log: Path, file: Path, out: Path, *options: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(log, file, out, "--json", *options).stdout)
    return answer


def column(log: LoggedBatch, name: str) -> list[float]:
    return np.asarray(log.outcome[name]).tolist()


def test_a_correction_changes_the_reward_of_its_decision_alone(tmp_path: Path) -> None:
    reward = money_reward(tmp_path, REWARD + CHARGEBACKS)
    log = written(tmp_path, {}, {}, {}, {"approved": 0.0})
    file = corrections(
        tmp_path,
        "d0,,refund,4000,EUR,2026-04-01T00:00:00Z,",
        ",p1,chargeback,10000,EUR,2026-04-01T00:00:00Z,",
    )
    out = tmp_path / "out.parquet"
    run(log, file, out)
    before, after = read_log(log, reward).reward, read_log(out, reward).reward
    assert (after - before).tolist() == [-400, -11_500, 0, 0]


def test_refunds_add_up_and_of_chargebacks_the_latest_stands(tmp_path: Path) -> None:
    log = written(tmp_path, {}, {}, {"refunded_minor": 1_000.0})
    file = corrections(
        tmp_path,
        "d0,,refund,300,EUR,2026-04-02T00:00:00Z,",
        "d0,,refund,200,EUR,2026-04-01T00:00:00Z,",
        "d1,,representment-won,,,2026-05-02T00:00:00Z,",
        "d1,,chargeback,,,2026-05-01T00:00:00Z,",
        "d2,,refund,500,EUR,2026-04-01T02:00:00+02:00,",
    )
    run(log, file, tmp_path / "out.parquet")
    corrected = read_log(tmp_path / "out.parquet")
    np.testing.assert_array_equal(column(corrected, "refunded_minor"), [500, np.nan, 1_500])
    np.testing.assert_array_equal(column(corrected, "charged_back"), [np.nan, 0.0, np.nan])
    assert np.asarray(corrected.outcome["corrected_at"]).astype("M8[s]").astype(str).tolist() == [
        "2026-04-02T00:00:00",
        "2026-05-02T00:00:00",
        "2026-04-01T00:00:00",
    ]


def test_what_is_said_twice_is_applied_once_and_counted(tmp_path: Path) -> None:
    log = written(tmp_path, {})
    file = corrections(
        tmp_path,
        "d0,,refund,300,EUR,2026-04-01T00:00:00Z,",
        "d0,,refund,300,EUR,2026-04-01T00:00:00Z,",
        "d0,,refund,100,EUR,2026-04-01T00:00:00Z,r1",
        "d0,,refund,100,EUR,2026-04-01T00:00:00Z,r1",
        "d0,,refund,100,EUR,2026-04-01T00:00:00Z,r2",
    )
    found = summary(log, file, tmp_path / "out.parquet")["summary"]
    assert (found["read"], found["duplicates"], found["applied"]) == (5, 2, {"refund": 3})
    assert column(read_log(tmp_path / "out.parquet"), "refunded_minor") == [500]


def test_a_file_that_is_applied_again_changes_nothing(tmp_path: Path) -> None:
    log = written(tmp_path, {}, {})
    file = corrections(
        tmp_path,
        "d0,,refund,300,EUR,2026-04-01T00:00:00Z,",
        "d1,,chargeback,,,2026-04-01T00:00:00Z,",
    )
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    run(log, file, once)
    found = summary(once, file, twice)["summary"]
    assert (found["applied"], found["applied_before"]) == ({}, 2)
    assert open_log(once).columns == open_log(twice).columns
    assert read_log(once).outcome.keys() == read_log(twice).outcome.keys()
    assert column(read_log(twice), "refunded_minor")[0] == 300


def test_a_corrected_log_can_be_corrected_on(tmp_path: Path) -> None:
    log = written(tmp_path, {})
    first = corrections(tmp_path, "d0,,refund,300,EUR,2026-04-01T00:00:00Z,", name="1.csv")
    then = corrections(tmp_path, "d0,,refund,50,EUR,2026-04-02T00:00:00Z,", name="2.csv")
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    run(log, first, once)
    run(once, then, twice)
    assert column(read_log(twice), "refunded_minor") == [350]


@pytest.mark.parametrize(
    ("row", "column_name", "reason"),
    [
        ("d9,,refund,1,EUR,2026-04-01T00:00:00Z,", "decision_id", "the log has no such decision"),
        (",p1,refund,1,EUR,2026-04-01T00:00:00Z,", "payment_id", "the log has no such decision"),
        ("d1,,refund,1,EUR,2026-04-01T00:00:00Z,", "kind", "was not approved"),
        ("d0,,refund,1,USD,2026-04-01T00:00:00Z,", "currency", "not the currency of the payment"),
        ("d0,,refund,10001,EUR,2026-04-01T00:00:00Z,", "amount_minor", "more than the payment"),
        ("d0,,refund,,EUR,2026-04-01T00:00:00Z,", "amount_minor", "expected a whole number"),
        ("d0,,refund,1.5,EUR,2026-04-01T00:00:00Z,", "amount_minor", "expected a whole number"),
        ("d0,,refund,1,,2026-04-01T00:00:00Z,", "currency", "expected an ISO 4217 code"),
        ("d0,,return,1,EUR,2026-04-01T00:00:00Z,", "kind", "expected one of: refund"),
        ("d0,,refund,1,EUR,2026-04-01T00:00:00,", "at", "expected a time with its zone"),
        (",,refund,1,EUR,2026-04-01T00:00:00Z,", "", "names neither"),
    ],
)
def test_what_cannot_be_applied_is_counted_and_written_to_the_rejects(
    tmp_path: Path, row: str, column_name: str, reason: str
) -> None:
    log = written(tmp_path, {}, {"approved": 0.0})
    rejects, out = tmp_path / "rejects.csv", tmp_path / "out.parquet"
    found = summary(log, corrections(tmp_path, row), out, "--rejects", str(rejects))
    assert found["rejected"] == 1
    assert found["summary"]["applied"] == {}
    (line,) = rejects.read_text("utf-8").splitlines()[1:]
    assert f",1,{column_name}," in line
    assert reason in line
    assert read_log(out).n == 2


def test_strict_stops_at_the_first_and_writes_nothing(tmp_path: Path) -> None:
    log, out = written(tmp_path, {}), tmp_path / "out.parquet"
    file = corrections(tmp_path, "d0,,return,1,EUR,2026-04-01T00:00:00Z,")
    arguments = ["correct", str(log), "--corrections", str(file), "--out", str(out), "--strict"]
    stopped = CliRunner().invoke(log_commands, arguments)
    assert "corrections.csv: row 1, column 'kind'" in str(stopped.exception)
    assert not out.exists()


def test_a_chargeback_of_less_than_the_amount_is_held_as_whole_and_said(tmp_path: Path) -> None:
    file = corrections(tmp_path, "d0,,chargeback,400,EUR,2026-04-01T00:00:00Z,")
    answer = run(written(tmp_path, {}), file, tmp_path / "out.parquet")
    assert "1 chargebacks of less than the amount, held as whole" in answer.stdout


def test_a_header_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "corrections.csv"
    file.write_text("decision_id,kind,amount,currency,at\n", "utf-8")
    arguments = ["correct", str(written(tmp_path, {})), "--corrections", str(file)]
    stopped = CliRunner().invoke(log_commands, [*arguments, "--out", str(tmp_path / "o.parquet")])
    message = str(stopped.exception)
    assert "column(s) amount_minor missing; unknown column(s) amount" in message


def test_chunks_make_no_difference(tmp_path: Path) -> None:
    rows = [{"payment_id": f"p{i // 2}", "attempt": 1 + i % 2, "approved": float(i % 2)}
            for i in range(40)]  # fmt: skip
    batch = decisions(*rows)
    log, out = tmp_path / "log.csv", tmp_path / "out.csv"
    write_log(log, [batch.take(slice(start, start + 7)) for start in range(0, 40, 7)])
    file = corrections(
        tmp_path, *(f",p{i},refund,{i + 1},EUR,2026-04-01T00:00:00Z," for i in range(20))
    )
    rejects = Rejects(strict=True)
    found = correct_log(open_log(log), read_corrections(file, rejects), file, out, rejects)
    assert (found.decisions, found.corrected, found.unmatched) == (40, 20, 0)
    refunded = np.asarray(read_log(out).outcome["refunded_minor"])
    np.testing.assert_array_equal(refunded[1::2], np.arange(1.0, 21.0))
    assert np.isnan(refunded[::2]).all()
