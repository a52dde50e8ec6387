"""A log file judged in parts gives what one pass over all of it gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.evaluation import evaluate_log as module
from authopt.evaluation.engine import evaluate
from authopt.evaluation.evaluate_log import Lateness, evaluate_log
from authopt.evaluation.result import Evaluation
from authopt.logs.files import open_log, write_log
from authopt.policies.spec import load_policy
from tests.factories import logged_batch
from tests.same import assert_same

SPECS = ("uniform", "priority:routes=braintree,adyen")
QUICK = {"bootstrap": 20, "segments": ("network",)}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL_SPAN_ROWS", 300)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parts") / "log.parquet"
    write_log(path, [logged_batch(1_000)])
    pq.write_table(pq.read_table(path), path, row_group_size=250)
    return path


def judged(log: Path, **options: object) -> Evaluation:
    return evaluate_log(log, SPECS, **{**QUICK, **options})  # type: ignore[arg-type]


def test_a_log_in_parts_gives_what_one_pass_gives(log: Path) -> None:
    source = open_log(log)
    policies = [load_policy(spec) for spec in SPECS]
    whole = evaluate(source.batches(), policies, specs=SPECS, path=log, **QUICK)  # type: ignore[arg-type]
    assert len(source.spans(300) or []) > 1
    assert_same(judged(log).as_json(), whole.as_json())


def test_two_processes_give_what_one_gives_to_the_last_bit(log: Path) -> None:
    assert judged(log, workers=2) == judged(log)


def test_a_finished_run_is_read_back_from_its_file(log: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.npz"
    first = judged(log, resume=kept, payments=False)
    assert judged(log, resume=kept, payments=False) == first
    assert judged(log, payments=False) == first


@pytest.mark.parametrize(
    ("specs", "options", "what"),
    [
        (("uniform",), {}, "the policies"),
        (SPECS, {"segments": ()}, "what is added up"),
        (SPECS, {"cluster": "decision_id"}, "the clusters"),
    ],
)
def test_a_file_of_another_evaluation_is_refused_and_what_differs_is_said(
    log: Path, tmp_path: Path, specs: tuple[str, ...], options: dict[str, object], what: str
) -> None:
    kept = tmp_path / "kept.npz"
    judged(log, resume=kept, payments=False)
    asked = {**QUICK, "payments": False, "resume": kept, **options}
    with pytest.raises(UserError, match=rf"another evaluation.*{what}"):
        evaluate_log(log, specs, **asked)  # type: ignore[arg-type]


def test_what_learns_from_the_log_or_is_not_parquet_cannot_be_resumed(
    log: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"policy 'success-rate' learns from it.*--frozen"):
        evaluate_log(log, ["success-rate"], resume=tmp_path / "kept.npz")
    text = tmp_path / "log.csv"
    write_log(text, [logged_batch(20)])
    with pytest.raises(UserError, match="it is not Parquet"):
        evaluate_log(text, ["uniform"], resume=tmp_path / "kept.npz")


def late(n: int = 4_000) -> tuple[LoggedBatch, float]:
    """A log whose first route answers late: at its end, those outcomes are still missing."""
    batch = logged_batch(n, attempts_per_payment=1, uniform_logging=True)
    truth = float(batch.reward.mean())
    slow = batch.action_route[batch.chosen_action] == 0
    minutes = np.where(slow, np.random.default_rng(1).integers(0, n, n), 1)
    came = batch.decided_at + minutes * np.timedelta64(60, "s")
    open_still = came > batch.decided_at[-1]
    reward = np.where(open_still, np.nan, batch.reward)
    outcome = {"approved": reward, "outcome_at": np.where(open_still, np.datetime64("NaT"), came)}
    return replace(batch, reward=reward, outcome=outcome), truth


def test_rows_that_have_an_outcome_stand_for_those_that_have_none_yet(tmp_path: Path) -> None:
    batch, truth = late()
    path = tmp_path / "late.parquet"
    write_log(path, [batch])
    lateness = Lateness(4_000 * 60.0)
    naive = evaluate_log(path, [], bootstrap=0, payments=False)
    mended = evaluate_log(path, [], bootstrap=0, payments=False, lateness=lateness)
    value = mended.policies[0].value.value
    assert value is not None
    assert naive.log.rows < mended.log.rows
    assert abs(value - truth) < 0.02 < abs(float(naive.log.mean_reward or 0.0) - truth)
    assert (mended.log.reward_low, mended.log.reward_high) == (0.0, 1.0)
    assert any("younger than the wait" in remark.text for remark in mended.remarks)
