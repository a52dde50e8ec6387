from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.batch import concat
from authopt.errors import UserError
from authopt.learning.tune import trial
from authopt.learning.tune import tune as tuning
from authopt.learning.tune.commands import tune
from authopt.learning.tune.judging import exam_of, judge
from authopt.learning.tune.slices import cut
from authopt.logs.files import open_log, read_log, write_log
from authopt.policies.spec import load_policy
from authopt.policies.uniform import Uniform
from authopt.rewards import DEFAULT_REWARD
from authopt.terminal import tracked
from tests.factories import logged_batch


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tune") / "log.parquet"
    write_log(path, [logged_batch(400)])
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(tune, [str(argument) for argument in arguments])


def test_slices_hold_whole_payments_in_the_order_in_which_they_began(
    log: Path, tmp_path: Path
) -> None:
    slices = cut(open_log(log), 4, tmp_path, tracked)
    parts = [read_log(file) for file in slices.files]
    assert concat(parts).n == 400
    assert slices.rows == tuple(part.n for part in parts)
    began = [part.decided_at[part.attempt == 1] for part in parts]
    for before, after in pairwise(began):
        assert before.max() < after.min()
    payments = [set(part.payment_id.to_pylist()) for part in parts]
    assert sum(map(len, payments)) == len(set.union(*payments))


def test_a_log_that_is_too_short_for_its_slices_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.parquet"
    write_log(path, [logged_batch(2)])
    with pytest.raises(UserError, match="would be empty"):
        cut(open_log(path), 3, tmp_path, tracked)


def test_a_policy_is_judged_with_and_without_its_exploration() -> None:
    exam = exam_of([logged_batch(150, uniform_logging=True)], DEFAULT_REWARD, False, 0)
    assert exam is not None
    judged = judge(exam, Uniform())
    assert judged.floored.value == pytest.approx(exam.batch.reward.mean(), abs=0.02)
    assert judged.greedy.value != judged.floored.value


def test_decisions_that_cannot_judge_are_counted() -> None:
    batch = logged_batch(100, attempts_per_payment=1)
    reward, propensity = batch.reward.copy(), batch.propensity.copy()
    reward[:3], propensity[3:5] = np.nan, np.nan
    bad = replace(batch, reward=reward, propensity=propensity, probability=None)
    exam = exam_of([bad], DEFAULT_REWARD, False, 0)
    assert exam is not None
    assert exam.batch.n == 95
    assert sorted(exam.left_out.values()) == [2, 3]
    nothing = replace(batch, reward=np.full(100, np.nan))
    assert exam_of([nothing], DEFAULT_REWARD, False, 0) is None


def test_the_winner_is_judged_on_a_slice_that_took_no_part_and_its_model_loads(
    log: Path, tmp_path: Path
) -> None:
    out, work = tmp_path / "model.vw", tmp_path / "work"
    arguments = (log, "--out", out, "--rungs", 2, "--grid", "--over", "learning_rate=0.5")
    result = run(*arguments, "--work", work, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert [row["rung"] for row in answer["rungs"]] == [1, 1, 2]
    assert [row["kept"] for row in answer["rungs"]] == [True, False, True]
    assert answer["rungs"][2]["candidate"] == answer["winner"] == answer["rungs"][0]["candidate"]
    assert answer["rungs"][2]["trial"]["rows"] > answer["rungs"][0]["trial"]["rows"]
    last = read_log(work / "slice-3.parquet")
    assert answer["final"]["decisions"] == last.n == answer["slices"][3]["decisions"]
    greedy = answer["final"]["greedy"]
    assert greedy["lower"] < greedy["value"] < greedy["upper"]
    assert load_policy(answer["spec"]).name == "vw"
    again = run(*arguments, "--work", work)
    assert again.exit_code == 0, again.output
    for said in ("winner", "which took no part", "with its floor", "does not show"):
        assert said in again.stdout
    other = run(*arguments, "--work", work, "--bits", 12)
    assert isinstance(other.exception, UserError)
    assert "another" in str(other.exception)


def test_trials_that_are_on_disk_are_not_run_again(log: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    arguments = (log, "--out", tmp_path / "m.vw", "--rungs", 1, "--candidates", 1, "--work", work)
    assert run(*arguments).exit_code == 0
    (kept,) = (each for each in work.glob("rung-0-*.json") if ".vw" not in each.suffixes)
    trial = json.loads(kept.read_text())
    kept.write_text(json.dumps({**trial, "rows": 7}))
    answer = json.loads(run(*arguments, "--json").stdout)
    assert answer["rungs"][0]["trial"]["rows"] == 7


@pytest.mark.slow
def test_workers_find_what_one_process_finds(log: Path, tmp_path: Path) -> None:
    def found(workers: int) -> object:
        out = tmp_path / f"{workers}.vw"
        result = run(
            log, "--out", out, "--candidates", 3, "--rungs", 1, "--workers", workers, "--json"
        )
        assert result.exit_code == 0, result.output
        answer = json.loads(result.stdout)
        return [(row["candidate"], row["trial"]["judged"]) for row in answer["rungs"]]

    assert found(1) == found(2)


def test_a_candidate_that_vowpal_wabbit_refuses_does_not_end_the_others(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> int:
        raise UserError("Vowpal Wabbit ended with status 1")

    assert tuning.train_on is trial.train_on
    monkeypatch.setattr(trial, "train_on", refused)
    result = run(log, "--out", tmp_path / "m.vw", "--candidates", 1, "--rungs", 1)
    assert isinstance(result.exception, UserError)
    assert "every candidate failed" in str(result.exception)
