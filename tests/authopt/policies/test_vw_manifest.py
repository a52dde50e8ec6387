from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.features.vw_features import learn_vw_features
from authopt.learning.train_vw import train_vw
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import manifest_path, probes_of, read_manifest
from authopt.policies.vw_options import Explorer, VwOptions
from tests.factories import logged_batch

TABLE = {"adyen": {"countries": "DE", "cost": 1.0}}
NEW_IN_2 = (
    *("cb_type", "weighting", "parameters", "floor", "cost_scale"),
    *("targets", "progressive_interval", "ancestors"),
)


def model(folder: Path, explorer: Explorer = "epsilon") -> Path:
    out = folder / "model.vw"
    train_vw(lambda _: [logged_batch(300)], out, VwOptions(explorer=explorer, epsilon=0.1))
    return out


def rewritten(path: Path, version: int, *without: str) -> None:
    """The manifest as another version would have written it."""
    told = msgspec.json.decode(manifest_path(path).read_bytes())
    told = {name: value for name, value in told.items() if name not in without}
    for probe in told["probes"]:
        if "decided_at" in without:
            probe.pop("decided_at")
    manifest_path(path).write_bytes(msgspec.json.encode(told | {"version": version}))


def test_it_says_how_the_model_learns_and_explores(tmp_path: Path) -> None:
    manifest = read_manifest(model(tmp_path, "squarecb"))
    assert manifest.version == 2
    assert (manifest.explorer, manifest.cb_type, manifest.weighting) == (
        "squarecb",
        "mtr",
        "regression",
    )
    assert manifest.parameters == ("--squarecb", "--gamma_scale", "100", "--gamma_exponent", "0.25")
    assert manifest.floor == manifest.epsilon == 0.1
    assert manifest.cost_scale == 1.0


@pytest.mark.parametrize(
    ("explorer", "weighting"), [("epsilon", "ips"), ("squarecb", "regression")]
)
def test_version_1_still_reads_and_decides_the_same(
    tmp_path: Path, explorer: Explorer, weighting: str
) -> None:
    path = model(tmp_path, explorer)
    batch = logged_batch(50, seed=3).decisions()
    before = VwPolicy.load(path).probabilities(batch)
    rewritten(path, 1, *NEW_IN_2, "decided_at")
    policy = VwPolicy.load(path)
    assert np.array_equal(policy.probabilities(batch), before)
    manifest = policy.manifest
    assert (manifest.cb_type, manifest.weighting, manifest.floor) == ("mtr", weighting, 0.1)
    assert manifest.cost_scale is None


@pytest.mark.parametrize(
    ("version", "without", "said"),
    [
        (3, (), "Invalid enum value 3"),
        (1, (), "unknown field"),
        (2, ("floor",), "missing required"),
    ],
)
def test_a_manifest_of_no_known_form_is_refused_with_the_reason(
    tmp_path: Path, version: int, without: tuple[str, ...], said: str
) -> None:
    path = model(tmp_path)
    rewritten(path, version, *without)
    with pytest.raises(UserError, match=f"not a model's manifest: .*{said}.*authopt train"):
        read_manifest(path)


def test_a_probe_is_the_decision_that_the_features_see(tmp_path: Path) -> None:
    from authopt.features.vw_text import VwText

    batch = logged_batch(40)
    rng = np.random.default_rng(1)
    batch = replace(
        batch,
        decided_at=batch.decided_at + np.timedelta64(29, "D"),
        action_delay_s=rng.choice([0, 3600, 86_400], batch.m),
        context={
            **batch.context,
            "local_hour": rng.integers(0, 24, batch.n).astype(np.float64),
            "issuer_country": Categorical.from_values(["DE", "US"] * 20),
            "seconds_since_first_attempt": rng.choice([np.nan, 60.0], batch.n),
        },
    )
    writer = VwText(learn_vw_features(batch, TABLE, attempt_times=True))
    assert {"attempt_hour", "domestic"} <= {each.name for each in writer.features.action}
    few = batch.take(slice(0, 8)).decisions()
    probes = probes_of(few, writer.features, np.zeros(few.m))
    for row, probe in enumerate(probes):
        again = msgspec.json.decode(msgspec.json.encode(probe), type=type(probe))
        assert writer.one(again.batch()) == writer.one(few.take(slice(row, row + 1)))
