"""``authopt leaderboard``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authopt.errors import UserError
from simulator.leaderboard.commands import leaderboard

SMALL = ("small", "--payments", 150, "--seeds", 2)
THREE = ("--only", "--policy", "success-rate", "--policy", "uniform")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(
        leaderboard, [str(argument) for argument in arguments], env={"COLUMNS": "200"}
    )


def test_a_run_prints_the_standings_and_writes_two_pictures(tmp_path: Path) -> None:
    result = run(*SMALL, *THREE, "--folder", tmp_path)
    assert result.exit_code == 0, result.output
    assert "small: 150 payments, those from number 37 on count; 2 seeds" in result.stdout
    assert "'success-rate' gets" in result.stdout
    for name in ("oracle", "uniform", "> ", "±"):
        assert name in result.stdout
    for name in ("value-small.png", "regret-small.png"):
        assert (tmp_path / name).stat().st_size > 20_000


def test_json_holds_the_figures_and_a_second_run_gives_them_without_running_a_cell(
    tmp_path: Path,
) -> None:
    result = run(*SMALL, *THREE, "--folder", tmp_path, "--dark", "--json")
    assert result.exit_code == 0, result.output
    (board,) = json.loads(result.stdout)["boards"]
    assert board["reference"] == "success-rate"
    by_label = {each["label"]: each for each in board["standings"]}
    assert set(by_label) == {"success-rate", "uniform", "oracle"}
    assert by_label["success-rate"]["difference"] is None
    difference = by_label["uniform"]["difference"]
    assert difference["lower"] <= difference["mean"] <= difference["upper"]
    assert len(board["curves"]["uniform"]) == 150
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("cells/**/*.json")}
    assert len(written) == 6
    again = run(*SMALL, *THREE, "--folder", tmp_path, "--dark", "--json")
    assert again.stdout == result.stdout
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("moon",), "expected one of small, cards"),
        (("small", "small"), "named twice"),
        (("small", "--policy", "nonsense"), "nonsense"),
        (("small", "--policy", "logged"), "has none to read"),
        (("small", "--payments", 10, "--after", 10), "none would"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_before_anything_runs(
    arguments: tuple[object, ...], said: str, tmp_path: Path
) -> None:
    result = run(*arguments, "--folder", tmp_path / "new")
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert not (tmp_path / "new").exists()
