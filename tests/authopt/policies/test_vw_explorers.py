"""Every explorer with everything it can learn from, trained, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.features.vw_features import learn_vw_features
from authopt.features.vw_text import VwText
from authopt.learning.train_vw import train_vw
from authopt.policies.protocol import Policy
from authopt.policies.uniform import uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_labels import labels
from authopt.policies.vw_manifest import read_manifest
from authopt.policies.vw_options import CB_TYPES, CbType, Explorer, VwOptions
from authopt.policies.vw_workspace import VwWorkspace
from tests.factories import logged_batch

EPSILON = 0.06
LOG = logged_batch(300, with_stop=True)
LATER = logged_batch(60, seed=4, with_stop=True).decisions()


def options(explorer: Explorer, cb_type: CbType = "mtr", **others: object) -> VwOptions:
    weighting = "regression" if cb_type == "mtr" else "ips"
    return VwOptions(
        explorer=explorer,
        cb_type=cb_type,
        weighting=weighting,
        epsilon=EPSILON,
        bits=14,
        **others,  # type: ignore[arg-type]
    )


def trained(folder: Path, chosen: VwOptions) -> Path:
    out = folder / "model.vw"
    train_vw(lambda _: [LOG], out, chosen)
    return out


def assert_keeps_the_contract(policy: Policy) -> None:
    probability = policy.probabilities(LATER)
    assert (probability >= EPSILON * uniform(LATER) - 1e-15).all()
    assert np.abs(LATER.sum_by_decision(probability) - 1.0).max() < 1e-12
    assert np.array_equal(policy.probabilities(LATER), probability)
    for row in (7, 0):
        one = policy.probabilities(LATER.take(slice(row, row + 1)))
        assert one == pytest.approx(probability[4 * row : 4 * row + 4], abs=1e-12)


COMBINATIONS = [(explorer, cb_type) for explorer, types in CB_TYPES.items() for cb_type in types]


def assert_trains_and_loads(folder: Path, chosen: VwOptions) -> None:
    path = trained(folder, chosen)
    manifest = read_manifest(path)
    told = (manifest.explorer, manifest.cb_type, manifest.weighting, manifest.floor)
    assert told == (chosen.explorer, chosen.cb_type, chosen.weighting, EPSILON)
    assert manifest.probes
    policy, again = VwPolicy.load(path), VwPolicy.load(path)
    assert policy.may_log
    assert_keeps_the_contract(policy)
    assert np.array_equal(again.probabilities(LATER), policy.probabilities(LATER))


@pytest.mark.parametrize("explorer", CB_TYPES)
def test_it_keeps_the_floor_sums_to_one_and_answers_the_same_after_every_load(
    tmp_path: Path, explorer: Explorer
) -> None:
    assert_trains_and_loads(tmp_path, options(explorer))


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [
        *(options(*each) for each in COMBINATIONS if each[1] != "mtr"),
        options("regcb", optimistic=False),
    ],
    ids=lambda each: f"{each.explorer}-{each.cb_type}",
)
def test_so_it_does_whatever_it_learns_from(tmp_path: Path, chosen: VwOptions) -> None:
    assert_trains_and_loads(tmp_path, chosen)


def taught(chosen: VwOptions, log: LoggedBatch, writer: VwText) -> Any:
    """A workspace that learned the log here, and not in the driver."""
    from vowpalwabbit import Workspace

    vw = Workspace(arg_list=[*chosen.arguments(writer.features), "--quiet"])
    probability = chosen.label_probability(log.propensity)
    for block in writer.blocks(log, labels(0.0 - log.reward, probability)):
        for text in block.to_pylist():
            vw.learn(text)
    return vw


@pytest.mark.parametrize(("explorer", "cb_type"), COMBINATIONS)
def test_the_same_seed_learns_the_same_model_and_saving_changes_no_answer(
    tmp_path: Path, explorer: Explorer, cb_type: CbType
) -> None:
    writer = VwText(learn_vw_features(LOG))
    texts = [text for block in writer.blocks(LATER) for text in block.to_pylist()]
    answers = []
    for name in ("one", "other"):
        vw = taught(options(explorer, cb_type), LOG, writer)
        answers.append([vw.predict(text) for text in texts])
        vw.save(str(tmp_path / name))
        vw.finish()
        loaded = VwWorkspace(tmp_path / name)
        answers.append([loaded.probabilities(text) for text in texts])
    assert all(each == answers[0] for each in answers)
