from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.cli import main
from authopt.learning.commands import LEARNERS, train
from authopt.logs.files import write_log
from authopt.logs.schema import PropensitySource
from authopt.policies.spec import load_policy
from authopt.policies.vw_manifest import read_manifest
from tests.factories import logged_batch


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("train") / "log.parquet"
    write_log(path, [logged_batch(400)])
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the whole command says when it fails, as a user's mistake."""
    with pytest.raises(SystemExit) as stopped:
        main(["train", *(str(argument) for argument in arguments)])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("policy", ["vw", "success-rate", *LEARNERS, "best-route", "best-time"])
def test_every_policy_trains_and_loads_by_the_spec_that_it_names(
    log: Path, tmp_path: Path, policy: str
) -> None:
    result = run(log, "--policy", policy, "--out", tmp_path / "model", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["rows"] == 400
    assert load_policy(answer["spec"]).name == policy


def test_the_table_says_what_was_learned_and_what_comes_next(log: Path, tmp_path: Path) -> None:
    result = run(log, "--out", tmp_path / "model.vw")
    assert result.exit_code == 0, result.output
    for said in ("400 decisions", "logging policy", "progressive value", "authopt evaluate"):
        assert said in result.stdout


def test_the_interval_of_the_value_while_it_learned_is_told_and_kept(
    log: Path, tmp_path: Path
) -> None:
    result = run(log, "--out", tmp_path / "model.vw", "--json")
    told = json.loads(result.stdout)["progressive"]
    manifest = read_manifest(tmp_path / "model.vw")
    assert manifest.progressive_value == told["value"]
    assert manifest.progressive_interval == (told["interval"]["lower"], told["interval"]["upper"])
    assert told["decisions"] == 350


@pytest.mark.parametrize(
    ("options", "targets", "completed"),
    [
        (("--later", "fitted"), "observed", "50% of what follows"),
        (("--targets", "dr"), "dr", None),
        (("--targets", "pessimistic"), "pessimistic", None),
    ],
)
def test_what_is_learned_can_be_chosen(
    log: Path, tmp_path: Path, options: tuple[str, ...], targets: str, completed: str | None
) -> None:
    result = run(log, "--out", tmp_path / "model.vw", "--json", *options)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)["completed"]
    assert said is None if completed is None else completed in said
    assert read_manifest(tmp_path / "model.vw").targets == targets


def test_the_manifest_names_the_log_and_its_checksum(log: Path, tmp_path: Path) -> None:
    import hashlib

    run(log, "--out", tmp_path / "model.vw")
    manifest = read_manifest(tmp_path / "model.vw")
    assert manifest.log.name == "log.parquet"
    assert manifest.log.sha256 == hashlib.sha256(log.read_bytes()).hexdigest()
    assert manifest.log.propensity_source == "logged"


def test_estimated_propensities_are_accepted_said_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "estimated.parquet"
    write_log(path, [logged_batch(100)], PropensitySource.ESTIMATED)
    result = run(path, "--out", tmp_path / "model.vw")
    assert result.exit_code == 0, result.output
    assert "ESTIMATED" in result.stderr
    assert read_manifest(tmp_path / "model.vw").log.propensity_source == "estimated"


def test_rows_left_out_are_said(tmp_path: Path) -> None:
    batch = logged_batch(100)
    approved = batch.reward.copy()
    approved[-2:] = np.nan
    path = tmp_path / "open.parquet"
    write_log(path, [replace(batch, outcome={"approved": approved})])
    result = run(path, "--out", tmp_path / "model.vw")
    assert "left out 2 rows: the outcome is not known" in result.stdout
    assert json.loads(run(path, "--out", tmp_path / "m.vw", "--json").stdout)["left_out"] == [
        {"reason": "the outcome is not known", "rows": 2}
    ]


def test_a_log_without_propensities_names_the_command_that_estimates_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = replace(logged_batch(20), propensity=np.full(20, np.nan), probability=None)
    path = tmp_path / "bare.parquet"
    write_log(path, [bare], PropensitySource.UNKNOWN)
    said = failed(capsys, path, "--out", tmp_path / "model.vw")
    assert "authopt log propensities" in said
    assert run(path, "--policy", "best-route", "--out", tmp_path / "best.json").exit_code == 0


def test_an_empty_log_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.parquet"
    write_log(path, [logged_batch(5).take(slice(0, 0))])
    for policy in ("vw", "success-rate", "best-route"):
        said = failed(capsys, path, "--policy", policy, "--out", tmp_path / "model")
        assert "empty.parquet" in said
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--policy", "oracle"), "oracle"),
        (("--policy", "ucb", "--keys", "window=10,discount=0.9"), "two ways to forget"),
        (("--policy", "ucb", "--window", 10), "--window does not apply to --policy ucb"),
        (("--policy", "spibb", "--live", "uniform"), "--candidate SPEC is missing"),
        (("--policy", "expected-money", "--bits", 18), "--bits applies to --model vw alone"),
        (("--policy", "expected-money", "--model", "vw", "--explorer", "bag"), "does not apply"),
        (("--policy", "expected-money"), "needs a reward in money"),
        (("--epsilon", -1), "epsilon"),
        (("--epsilon", 2), "epsilon"),
        (("--bits", 99), "bits"),
        (("--window", 10), "--window does not apply to --policy vw"),
        (("--policy", "best-route", "--epsilon", 0.1), "--epsilon does not apply"),
        (("--policy", "success-rate", "--no-reward-to-go"), "--reward-to-go does not apply"),
        (("--policy", "success-rate", "--dimensions", "colour"), "colour"),
        (("--reward", "money"), "money"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_wrong_options_are_refused(
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[object, ...],
    said: str,
) -> None:
    assert said in failed(capsys, log, "--out", tmp_path / "model.vw", *options)


def test_the_log_is_never_overwritten_and_a_missing_folder_is_named(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is the log itself" in failed(capsys, log, "--out", log)
    assert "does not exist" in failed(capsys, log, "--out", tmp_path / "no" / "model.vw")
