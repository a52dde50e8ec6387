"""``authopt scenario``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authopt.errors import UserError
from authopt.logs.files import open_log
from simulator.scenarios import SCENARIOS
from simulator.scenarios.commands import scenario


def run(*arguments: object) -> Result:
    return CliRunner().invoke(scenario, [str(argument) for argument in arguments])


@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_the_scenarios_are_listed_with_a_sentence_each(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    for name in SCENARIOS:
        assert name in result.stdout


def test_a_run_prints_its_finding_and_writes_picture_and_log(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    result = run("fraud", "--out", tmp_path / "new", "--payments", 800, "--log", log)
    assert result.exit_code == 0, result.output
    assert "no rule" in result.stdout
    assert (tmp_path / "new" / "fraud.png").stat().st_size > 20_000
    assert open_log(log).num_rows >= 800


def test_json_holds_the_answer_and_the_series(tmp_path: Path) -> None:
    options = ("--out", tmp_path, "--payments", 600, "--format", "svg", "--seed", 5, "--json")
    result = run("steady", *options)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["scenario"] == "steady"
    assert answer["seed"] == 5
    assert {row["policy"] for row in answer["answer"]} >= {"uniform", "oracle"}
    assert sum(answer["series"][0]["first"]) == 600
    assert answer["picture"] == str(tmp_path / "steady.svg")
    assert (tmp_path / "steady.svg").read_text().startswith("<?xml")


def test_a_name_that_is_not_known_is_answered_with_those_that_are() -> None:
    result = run("storm", "--out", "nowhere")
    assert isinstance(result.exception, UserError)
    assert "outage" in str(result.exception)


def test_a_run_without_a_place_for_its_picture_says_what_to_add() -> None:
    result = run("steady")
    assert isinstance(result.exception, UserError)
    assert "--out" in str(result.exception)


def test_a_policy_that_is_not_known_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    result = run("steady", "--out", tmp_path / "new", "--policy", "nonsense")
    assert isinstance(result.exception, UserError)
    assert not (tmp_path / "new").exists()
