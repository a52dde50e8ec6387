from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.features.vw_text import VwText
from authopt.learning import progressive as module
from authopt.learning.progressive import DECISIONS, STRETCHES, Progress
from authopt.learning.train_vw import Trained, train_vw
from authopt.learning.training_text import TrainingText
from authopt.learning.vw_driver import run_driver
from authopt.policies.uniform import Uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from authopt.policies.vw_workspace import VwWorkspace
from tests.factories import logged_batch


def log_of(n: int, seed: int = 0) -> LoggedBatch:
    return logged_batch(n, seed=seed, attempts_per_payment=1)


def train(folder: Path, log: LoggedBatch, **options: object) -> Trained:
    return train_vw(lambda _: [log], folder / "model.vw", VwOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [7, 100, 1000])
def test_stretches_are_equal_and_each_but_the_first_is_marked_once(
    tmp_path: Path, size: int
) -> None:
    log = log_of(403)
    progress = Progress(log.n, tmp_path, lambda _: Uniform())
    begins, rows = [], 0
    for start in range(0, log.n, size):
        for part in progress.stretches(log.take(slice(start, start + size))):
            begins += [rows for _ in progress.marks()]
            rows += part.n
    assert rows == log.n
    assert begins == [each * log.n // STRETCHES for each in range(1, STRETCHES)]


def test_each_stretch_is_judged_by_the_model_that_learned_what_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stretches = 3
    monkeypatch.setattr(module, "STRETCHES", stretches)
    log = log_of(600)
    trained = train(tmp_path, log)
    progressive, manifest = trained.progressive, trained.manifest
    assert progressive is not None
    weighted = []
    for stretch in range(1, stretches):
        begin, end = stretch * log.n // stretches, (stretch + 1) * log.n // stretches
        past, here = log.take(slice(0, begin)), log.take(slice(begin, end))
        model = tmp_path / "past.vw"
        text = TrainingText(VwText(manifest.features), None, 1.0, VwOptions())
        arguments = [*manifest.vw_arguments, "--final_regressor", str(model)]
        run_driver(arguments, text.pieces([past]))
        policy = VwPolicy(manifest, VwWorkspace(model), VwText(manifest.features))
        given = policy.probabilities(here.decisions())[here.chosen_action]
        weighted += (given / here.propensity).tolist()
    weight, got = np.array(weighted), log.reward[log.n // stretches :]
    assert progressive.decisions == len(weight)
    assert progressive.estimator == "snips"
    assert progressive.value == pytest.approx((weight * got).sum() / weight.sum(), abs=1e-6)


@pytest.mark.parametrize("explorer", ["squarecb", "cover"])
def test_it_is_defined_for_every_explorer_and_lies_in_its_interval(
    tmp_path: Path, explorer: str
) -> None:
    trained = train(tmp_path, log_of(800), explorer=explorer)
    progressive = trained.progressive
    assert progressive is not None
    assert progressive.value is not None
    assert progressive.interval.lower < progressive.value < progressive.interval.upper
    assert trained.manifest.progressive_value == progressive.value


def test_several_passes_have_none(tmp_path: Path) -> None:
    assert train(tmp_path, log_of(200), passes=2).progressive is None


def test_saving_models_on_the_way_does_not_change_the_last_one(tmp_path: Path) -> None:
    log = log_of(300)
    train(tmp_path, log)
    before = (tmp_path / "model.vw").read_bytes()
    train_vw(lambda _: [log], tmp_path / "model.vw", judge=False)
    assert (tmp_path / "model.vw").read_bytes() == before


def test_of_a_long_log_a_sample_of_whole_payments_is_judged(tmp_path: Path) -> None:
    log = logged_batch(20 * DECISIONS, attempts_per_payment=2)
    log = replace(log, probability=None)
    progress = Progress(log.n, tmp_path, lambda _: Uniform())
    for part in progress.stretches(log):
        for mark in progress.marks():
            (tmp_path / mark.decode().strip("|\n").removeprefix("save_")).touch()
        progress.keep(part, part.reward)
    judged = progress.value((0.0, 1.0))
    assert judged is not None
    assert judged.decisions == pytest.approx(DECISIONS, rel=0.05)
    assert judged.decisions % 2 == 0
