"""A candidate is held to the live policy by a log, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.cli import main
from authopt.learning.commands import train
from authopt.learning.gate.trained_on import fingerprint_of, trained_on
from authopt.logs.files import write_log
from authopt.policies.spec import load_policy
from tests.factories import logged_batch

LIVE = "priority:routes=adyen,braintree,epsilon=0.2"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spibb") / "log.parquet"
    write_log(path, [logged_batch(400)])
    return path


def run(log: Path, out: Path, *more: object, candidate: str = "uniform") -> Result:
    words = (log, "--policy", "spibb", "--candidate", candidate, "--live", LIVE, "--out", out)
    return CliRunner().invoke(train, [str(word) for word in (*words, *more)])


def failed(capsys: pytest.CaptureFixture[str], log: Path, out: Path, *more: object) -> str:
    words = (log, "--policy", "spibb", "--live", LIVE, "--out", out, *more)
    with pytest.raises(SystemExit) as stopped:
        main(["train", *map(str, words)])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_it_is_made_and_says_how_far_the_log_supports_the_candidate(
    log: Path, tmp_path: Path
) -> None:
    out = tmp_path / "safe.json"
    answer = json.loads(run(log, out, "--classes", "network", "--least", 66, "--json").stdout)
    assert (answer["candidate"], answer["live"], answer["least"]) == ("uniform", LIVE, 66)
    assert answer["rows"] == 400
    assert 0 < answer["certain"] < answer["actions"]
    assert load_policy(answer["spec"]).name == "spibb"


def test_the_table_says_so_too(log: Path, tmp_path: Path) -> None:
    said = run(log, tmp_path / "safe.json", "--classes", "network").stdout
    for words in ("400 decisions", LIVE, "classes by network", "of the decisions", "authopt eval"):
        assert words in said


def test_with_enough_of_everything_it_is_the_candidate(log: Path, tmp_path: Path) -> None:
    run(log, tmp_path / "safe.json", "--classes", "", "--least", 1)
    batch = logged_batch(50, seed=9).decisions()
    found = load_policy(f"spibb:{tmp_path / 'safe.json'}").probabilities(batch)
    assert np.allclose(found, load_policy("uniform").probabilities(batch))


def test_that_nothing_is_certain_is_said_aloud(log: Path, tmp_path: Path) -> None:
    result = run(log, tmp_path / "safe.json", "--least", 1000)
    assert result.exit_code == 0
    assert "took no action 1000 times in any class" in result.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--candidate", "uniform", "--classes", "colour"), "no context column 'colour'"),
        # Known only afterwards, so that all decisions would be of one class.
        (("--candidate", "uniform", "--classes", "approved"), "no context column 'approved'"),
        (("--candidate", "vw:gone.vw"), "gone.vw"),
        (("--candidate", "nonsense"), "nonsense"),
    ],
)
def test_mistakes_are_said(
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    said: str,
) -> None:
    assert said in failed(capsys, log, tmp_path / "safe.json", *more)
    assert not (tmp_path / "safe.json").exists()


def test_the_file_of_a_policy_that_it_is_made_of_is_never_overwritten(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "best.json"
    CliRunner().invoke(train, [str(log), "--policy", "best-route", "--out", str(out)])
    before = out.read_bytes()
    assert "another name" in failed(capsys, log, out, "--candidate", f"best-route:{out}")
    assert out.read_bytes() == before


def test_the_gate_knows_what_its_policies_learned_from(log: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model.vw", tmp_path / "safe.json"
    CliRunner().invoke(train, [str(log), "--out", str(model)])
    short = tmp_path / "short.parquet"
    write_log(short, [logged_batch(40)])
    run(short, out, candidate=f"vw:{model}")
    spec, of_model = f"spibb:{out}", trained_on(f"vw:{model}")
    assert trained_on(spec) == of_model
    assert of_model is not None
    before = fingerprint_of(spec)
    CliRunner().invoke(train, [str(log), "--out", str(model), "--learning-rate", "0.1"])
    assert fingerprint_of(spec) != before
