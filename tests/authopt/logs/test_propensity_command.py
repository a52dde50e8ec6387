"""``authopt log propensities``: the log again, with estimated propensities, said loudly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.errors import CheckFailed, UserError
from authopt.logs.files import open_log, read_log, write_log
from authopt.logs.propensity_command import propensities
from authopt.logs.schema import PropensitySource
from tests.factories import logged_batch


def unknown(batch: LoggedBatch) -> LoggedBatch:
    return replace(batch, propensity=np.full(batch.n, np.nan), probability=None)


LOG = unknown(logged_batch(n=2_000, uniform_logging=True))
ALWAYS_THE_SAME = replace(LOG, chosen=np.zeros(LOG.n, np.int64))


def written(path: Path, batch: LoggedBatch) -> Path:
    write_log(path, [batch], PropensitySource.UNKNOWN)
    return path


def run(*arguments: str | Path) -> None:
    propensities.main([str(argument) for argument in arguments], standalone_mode=False)


def test_the_log_is_written_again_with_estimated_propensities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = written(tmp_path / "log.parquet", LOG), tmp_path / "filled.parquet"
    run(log, "--out", out)
    assert open_log(out).propensity_source is PropensitySource.ESTIMATED
    filled = read_log(out)
    assert filled.decision_id.equals(LOG.decision_id)
    assert filled.probability is not None
    np.testing.assert_allclose(filled.sum_by_decision(filled.probability), 1.0)
    assert (filled.propensity == filled.probability[filled.chosen_action]).all()
    np.testing.assert_allclose(filled.probability, 1 / 3, atol=0.1)
    shown = capsys.readouterr().out
    assert "ESTIMATED, not logged" in shown
    assert "smallest p, quantiles" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_json_holds_the_whole_report_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = written(tmp_path / "log.parquet", LOG), tmp_path / "filled.parquet"
    run(log, "--out", out, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["propensity_source"] == "estimated"
    assert answer["shortcomings"] == []
    assert [action["action"] for action in answer["report"]["actions"]] == [
        "adyen",
        "braintree",
        "checkout",
    ]
    assert sum(one["count"] for one in answer["report"]["actions"][0]["reliability"]) == LOG.n


def test_propensities_that_are_there_are_only_replaced_on_request(tmp_path: Path) -> None:
    log, out = tmp_path / "log.parquet", tmp_path / "filled.parquet"
    write_log(log, [logged_batch(n=300)])
    with pytest.raises(UserError, match=r"has propensities already \(logged\).*--overwrite"):
        run(log, "--out", out)
    assert not out.exists()
    run(log, "--out", out, "--overwrite")
    assert open_log(out).propensity_source is PropensitySource.ESTIMATED


def test_the_log_itself_is_never_the_output(tmp_path: Path) -> None:
    log = written(tmp_path / "log.parquet", LOG)
    before = log.read_bytes()
    with pytest.raises(UserError, match="--out is the log itself"):
        run(log, "--out", log)
    assert log.read_bytes() == before


def test_strict_writes_nothing_where_overlap_is_poor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = written(tmp_path / "log.parquet", ALWAYS_THE_SAME), tmp_path / "filled.parquet"
    with pytest.raises(CheckFailed, match=r"nothing was written.*100\.0% of the decisions"):
        run(log, "--out", out, "--strict")
    assert not out.exists()
    assert "one and the same action" in " ".join(capsys.readouterr().out.split())


def test_without_strict_a_deterministic_log_is_filled_with_ones(tmp_path: Path) -> None:
    log, out = written(tmp_path / "log.parquet", ALWAYS_THE_SAME), tmp_path / "filled.parquet"
    run(log, "--out", out)
    assert (read_log(out).propensity == 1).all()


def test_an_empty_log_is_a_users_mistake(tmp_path: Path) -> None:
    log = written(tmp_path / "log.parquet", LOG.take(slice(0, 0)))
    with pytest.raises(UserError, match="no decisions"):
        run(log, "--out", tmp_path / "filled.parquet")


def test_a_poor_estimate_is_reported_even_where_nothing_is_written(tmp_path: Path) -> None:
    log, out = written(tmp_path / "log.parquet", ALWAYS_THE_SAME), tmp_path / "filled.parquet"
    page = tmp_path / "report.html"
    with pytest.raises(CheckFailed):
        run(log, "--out", out, "--strict", "--report", page)
    assert not out.exists()
    assert "falls short" in page.read_text(encoding="utf-8")
