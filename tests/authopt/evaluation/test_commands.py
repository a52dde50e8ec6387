from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.cli import main
from authopt.evaluation.commands import evaluate
from authopt.logs.files import write_log
from authopt.logs.schema import PropensitySource
from tests.factories import logged_batch


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluate") / "log.parquet"
    write_log(path, [logged_batch(600)])
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def test_json_has_the_logging_policy_first_and_every_estimator(log: Path) -> None:
    result = run(log, "--policy", "uniform", "--bootstrap", 50, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    own, uniform = answer["policies"]
    assert own["is_logging_policy"]
    assert own["estimates"][0]["value"] == pytest.approx(logged_batch(600).reward.mean())
    assert [each["estimator"] for each in uniform["estimates"]] == [
        *("ips", "clipped-ips", "snips", "clipped-snips", "sg-ips"),
        *("dm", "dr", "sndr", "sg-dr", "switch-dr", "dr-os"),
    ]
    assert uniform["spec"] == "uniform"
    assert answer["log"]["propensity_source"] == "logged"


def test_without_a_reward_model_nothing_is_fitted(log: Path) -> None:
    result = run(log, "--policy", "uniform", "--no-reward-model", "--json")
    answer = json.loads(result.stdout)
    assert answer["reward_model"] is None
    assert [each["estimator"] for each in answer["policies"][1]["estimates"]] == [
        *("ips", "clipped-ips", "snips", "clipped-snips", "sg-ips"),
    ]


def test_the_same_seed_gives_the_same_answer(log: Path) -> None:
    first, second = (run(log, "--policy", "uniform", "--json").stdout for _ in range(2))
    assert first == second


def test_a_policy_that_learns_can_be_followed_or_frozen(log: Path) -> None:
    options = ("--policy", "success-rate", "--no-reward-model", "--json")
    followed = json.loads(run(log, *options, "--learn-every", 50).stdout)
    frozen = json.loads(run(log, *options, "--frozen").stdout)
    assert followed["policies"][1]["learns"]
    assert not frozen["policies"][1]["learns"]


def test_the_table_and_the_report_show_every_policy(log: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    result = run(log, "--policy", "uniform", "--no-reward-model", "--report", report)
    assert result.exit_code == 0, result.output
    assert "uniform" in result.stdout
    assert "uniform" in report.read_text()


def test_a_log_without_propensities_names_the_command_that_estimates_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    batch = logged_batch(20)
    path = tmp_path / "bare.parquet"
    bare = replace(batch, propensity=np.full(20, np.nan), probability=None)
    write_log(path, [bare], PropensitySource.UNKNOWN)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", str(path), "--policy", "uniform"])
    assert stopped.value.code == 2
    assert "authopt log propensities" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [("--confidence", 1), ("--bootstrap", -1), ("--max-weight", 0.5), ("--folds", 1)]
)
def test_impossible_options_are_refused(log: Path, wrong: tuple[str, object]) -> None:
    assert run(log, *wrong).exit_code == 2
