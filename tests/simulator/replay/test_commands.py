"""``authopt replay`` in process: what it answers, what it writes, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.errors import UserError
from authopt.logs.files import open_log, read_log, write_log
from authopt.logs.schema import PropensitySource
from simulator.replay.commands import replay
from tests.factories import logged_batch
from tests.simulator.replay.small_logs import SEED, log

WORLD = ("--world", "small", "--seed", SEED)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "log.parquet"
    write_log(file, [log().batch])
    return file


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(replay, [str(each) for each in arguments])


def test_json_says_what_the_table_says(path: Path) -> None:
    table = run(path, "--policy", "uniform", *WORLD)
    told = run(path, "--policy", "uniform", *WORLD, "--json")
    assert table.exit_code == told.exit_code == 0
    answer = json.loads(told.stdout)
    assert answer["run"] == f"replay-{SEED}"
    assert answer["traffic"] is None
    assert f"{answer['replay']['decisions']:,}" in table.stdout
    assert f"{answer['replay']['per_payment']:.2%}" in table.stdout
    assert f"{answer['agreement']:.1%}" in table.stdout
    assert sum(answer["sources"].values()) == answer["replay"]["decisions"]
    assert max(map(len, table.stdout.splitlines())) <= 80


def test_what_is_written_is_an_attempt_log_with_exact_propensities(
    path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "replay.parquet"
    told = run(path, "--policy", "uniform", *WORLD, "--out", out, "--run", "mine", "--json")
    answer = json.loads(told.stdout)
    made = open_log(out)
    assert made.propensity_source is PropensitySource.LOGGED
    batch = read_log(out)
    assert batch.n == answer["replay"]["decisions"]
    assert all(name.startswith("mine-") for name in batch.decision_id.to_pylist())
    assert (np.diff(batch.decided_at.astype(np.int64)) >= 0).all()
    assert batch.reward.sum() == answer["replay"]["approved"]


def test_a_what_if_is_called_so_and_an_estimate_is_pointed_to(path: Path) -> None:
    said = " ".join(run(path, "--policy", "uniform", "--payments", 300).stdout.split())
    assert "A what-if, not an estimate" in said
    assert "authopt evaluate" in said


def test_the_logged_policy_brings_what_the_log_brought(path: Path) -> None:
    answer = json.loads(run(path, "--policy", "logged", *WORLD, "--json").stdout)
    assert answer["replay"] == answer["log"]
    assert answer["sources"] == {"log": answer["log"]["decisions"]}


def test_a_merchants_rules_are_kept(path: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("max_attempts = 1\n")
    told = run(path, "--policy", "uniform", *WORLD, "--rules", rules, "--json")
    answer = json.loads(told.stdout)
    assert answer["replay"]["attempts"] == answer["payments"]
    assert answer["log"]["attempts"] > answer["payments"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "either --policy SPEC"),
        (("--policy", "uniform", "--url", "http://127.0.0.1:1"), "either --policy SPEC"),
        (("--policy", "uniform", "--outcomes", "world"), "--world small"),
        (("--policy", "uniform", "--outcomes", "log", "--world", "small"), "goes with"),
        (("--policy", "uniform", "--speed", "2"), "--speed goes with --url"),
        (("--url", "http://127.0.0.1:1", "--slot", "60"), "--slot goes with --policy"),
        (("--url", "127.0.0.1:8000"), "expected such as http://127.0.0.1:8000"),
        (("--url", "http://127.0.0.1:1"), "Start the service with authopt serve"),
        (("--policy", "uniform", "--run", "a\nb"), "printable"),
        (("--policy", "nonsense"), "is not known"),
    ],
)
def test_a_mistake_is_explained(path: Path, options: tuple[str, ...], expected: str) -> None:
    error = run(path, *options).exception
    assert isinstance(error, UserError)
    assert expected in str(error)


def test_a_log_of_another_world_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    write_log(other, [logged_batch()])
    error = run(other, "--policy", "uniform", "--world", "small").exception
    assert isinstance(error, UserError)
    assert "not one of the world 'small'" in str(error)


def test_a_log_without_any_outcome_is_refused(tmp_path: Path) -> None:
    blank = tmp_path / "blank.parquet"
    write_log(blank, [dataclasses.replace(logged_batch(), outcome={})])
    error = run(blank, "--policy", "uniform").exception
    assert isinstance(error, UserError)
    assert "blank.parquet: the log has no outcome" in str(error)


def test_a_log_with_bare_necessities_is_replayed(tmp_path: Path) -> None:
    bare = tmp_path / "bare.parquet"
    write_log(bare, [logged_batch(400, with_stop=True)])
    told = run(bare, "--policy", "uniform", "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["payments"] == 200
    assert answer["sources"]["model"] > 50


def test_the_page_holds_the_figures_and_opens_offline(path: Path, tmp_path: Path) -> None:
    page = tmp_path / "replay.html"
    told = run(path, "--policy", "uniform", *WORLD, "--plot", page, "--json")
    answer = json.loads(told.stdout)
    text = page.read_text(encoding="utf-8")
    head, _, body = text.partition("<body>")
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", head)
    assert f"{answer['replay']['decisions']:,}" in body
    assert f"{answer['replay']['per_payment']:.1%}" in body
    for route in ("everywhere", "atlas", "stop"):
        assert f"<h4>{route}</h4>" in body
    assert "The world answers with its true chances" in body
    assert "https://" not in body.replace("https://www.w3.org", "")
