"""``authopt gate`` and ``authopt train --gate``, as they are run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authopt.errors import CheckFailed, UserError
from authopt.learning.commands import train
from authopt.learning.gate.commands import gate
from authopt.learning.gate.verdict import read_verdict, verdict_path
from authopt.logs.files import write_log
from tests.authopt.learning.gate.cases import LOG

FORGIVING = "exploration_budget = 0.1\nlargest_route_share = 1.0\nleast_epsilon = 0.0\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.parquet"
    write_log(path, [LOG])
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(FORGIVING, "utf-8")
    return path


def asked(log: Path, candidate: str, *options: object) -> Result:
    arguments = [log, "--candidate", candidate, "--live", "logged", "--no-reward-model", *options]
    return CliRunner().invoke(gate, [str(each) for each in arguments])


BEST, WORST = "priority:routes=checkout", "priority:routes=adyen"


def test_a_candidate_that_passes_is_said_to_and_written_down(
    log: Path, settings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "verdict.json"
    result = asked(log, BEST, "--settings", settings, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("PASS")
    assert json.loads(out.read_text())["verdict"] == "PASS"
    assert read_verdict(out).admitted


@pytest.mark.slow
def test_a_second_run_into_the_same_file_is_a_second_look(
    log: Path, settings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "verdict.json"
    for number in (1, 2):
        asked(log, BEST, "--settings", settings, "--out", out)
        assert len(read_verdict(out).looks) == number
    asked(log, WORST, "--settings", settings, "--out", out)
    assert len(read_verdict(out).looks) == 1


def test_one_that_fails_is_a_failed_check_with_its_reasons(log: Path, settings: Path) -> None:
    result = asked(log, WORST, "--settings", settings)
    assert result.output.startswith("FAIL")
    assert isinstance(result.exception, CheckFailed)
    assert "gain over the live policy" in str(result.exception)


def test_a_person_may_let_it_through_and_stands_in_the_verdict(
    log: Path, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    out = tmp_path / "verdict.json"
    why = "adyen asked for a day of traffic"
    result = asked(log, WORST, "--settings", settings, "--out", out, "--override", why)
    assert result.exit_code == 0, result.output
    verdict = read_verdict(out)
    assert (verdict.word, verdict.passed, verdict.admitted) == ("OVERRIDDEN", False, True)
    assert verdict.override is not None
    assert (verdict.override.who, verdict.override.why) == ("ada", why)


def test_json_is_the_whole_verdict(log: Path, settings: Path) -> None:
    result = asked(log, BEST, "--settings", settings, "--json")
    found = json.loads(result.stdout)
    assert found["admitted"] is True
    assert {check["outcome"] for check in found["result"]["checks"]} <= {"pass", "unknown"}


def test_a_log_without_propensities_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    from authopt.logs.schema import PropensitySource

    write_log(path, [replace(LOG, probability=None)], PropensitySource.UNKNOWN)
    result = asked(path, BEST)
    assert isinstance(result.exception, UserError)
    assert "authopt log propensities" in str(result.exception)


def trained(log: Path, out: Path, *options: object) -> Result:
    arguments = [log, "--out", out, "--gate", "logged", *options]
    return CliRunner().invoke(train, [str(each) for each in arguments])


def test_training_learns_from_the_earlier_part_and_is_judged_on_the_later(
    log: Path, settings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model.vw"
    result = trained(log, out, "--gate-settings", settings)
    assert result.exit_code == 0, result.output
    verdict = read_verdict(verdict_path(out))
    assert verdict.passed
    assert verdict.log.decisions == round(0.3 * LOG.n)
    fresh = next(check for check in verdict.checks if check.name == "freshness")
    assert fresh.outcome == "pass"


def test_a_model_that_fails_is_written_all_the_same_and_the_command_fails(
    log: Path, settings: Path, tmp_path: Path
) -> None:
    settings.write_text(FORGIVING + "margin = 0.9\n", "utf-8")
    out = tmp_path / "model.vw"
    result = trained(log, out, "--gate-settings", settings)
    assert isinstance(result.exception, CheckFailed)
    assert out.is_file()
    assert not read_verdict(verdict_path(out)).admitted


def test_what_was_learned_from_cannot_judge(log: Path, tmp_path: Path) -> None:
    result = trained(log, tmp_path / "model.vw", "--gate-log", log)
    assert isinstance(result.exception, UserError)
    assert "--gate-log is LOG itself" in str(result.exception)


def test_options_of_the_gate_need_the_gate(log: Path, tmp_path: Path) -> None:
    arguments = [str(log), "--out", str(tmp_path / "model.vw"), "--override", "why not"]
    result = CliRunner().invoke(train, arguments)
    assert result.exit_code == 2
    assert "belong to --gate" in result.output
