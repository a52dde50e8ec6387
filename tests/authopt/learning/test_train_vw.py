from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.engine import evaluate
from authopt.features.vw_text import VwText
from authopt.learning import train_vw as module
from authopt.learning.train_vw import train_vw
from authopt.learning.training_text import (
    BAD_PROPENSITY,
    BAD_REWARD,
    NO_OUTCOME,
    NO_PROPENSITY,
)
from authopt.learning.vw_driver import run_driver
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import VwManifest, manifest_path
from authopt.policies.vw_options import VwOptions
from tests.factories import logged_batch

SUCCESS = 0.3 + 0.5 * np.random.default_rng(7).random((2, 3))
"""The success rates of tests.factories, by network and route."""


def chunks(batch: LoggedBatch, size: int = 1000) -> list[LoggedBatch]:
    return [batch.take(slice(start, start + size)) for start in range(0, batch.n, size)]


def train(folder: Path, log: Iterable[LoggedBatch], **options: object) -> VwManifest:
    kept = list(log)
    own = ("reward_to_go", "later", "targets")
    known = {name: options.pop(name) for name in own if name in options}
    return train_vw(lambda _: kept, folder / "model.vw", VwOptions(**options), **known).manifest  # type: ignore[arg-type]


def value(folder: Path, n: int = 2000) -> float:
    """True approval rate of the model."""
    batch = logged_batch(n, seed=5).decisions()
    probability = VwPolicy.load(folder / "model.vw").probabilities(batch).reshape(-1, 3)
    network = batch.context["network"]
    return float((probability * SUCCESS[network.codes]).sum(1).mean())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("explorer", "targets", "rows"),
    [
        ("epsilon", "observed", 8000),
        ("squarecb", "observed", 8000),
        pytest.param("epsilon", "dr", 3000, marks=pytest.mark.slow),
    ],
)
def test_it_learns_the_best_route_of_each_network(
    tmp_path: Path, explorer: str, targets: str, rows: int
) -> None:
    log = logged_batch(rows, attempts_per_payment=1)
    train(tmp_path, [log], explorer=explorer, targets=targets)
    best = SUCCESS.max(1).mean()
    assert value(tmp_path) > best - 0.02 > SUCCESS.mean() + 0.1


def test_regret_falls_with_more_data(tmp_path: Path) -> None:
    values = []
    for rows in (20, 10_000):
        train(tmp_path, [logged_batch(rows, attempts_per_payment=1)])
        values.append(value(tmp_path))
    assert values[0] < values[1] - 0.02
    assert values[1] > SUCCESS.max(1).mean() - 0.02


def test_the_same_seed_gives_the_same_bytes_whatever_the_chunks(tmp_path: Path) -> None:
    made = []
    for size in (5000, 700):
        train(tmp_path, chunks(logged_batch(2000), size))
        model = tmp_path / "model.vw"
        made.append((model.read_bytes(), manifest_path(model).read_bytes()))
    assert made[0] == made[1]


def test_the_driver_reads_exactly_what_serving_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = logged_batch(300)
    written: list[bytes] = []

    def kept(arguments: list[str], text: Iterable[memoryview], *rest: Any) -> object:
        pieces = [bytes(piece) for piece in text]
        written.extend(piece for piece in pieces if not piece.startswith(b"save_"))
        return run_driver(arguments, pieces, *rest)

    monkeypatch.setattr(module, "run_driver", kept)
    manifest = train(tmp_path, chunks(batch, 100))
    writer = VwText(manifest.features)
    examples = b"".join(written).decode().split("\n\n")[:-1]
    assert len(examples) == 300
    for row, example in enumerate(examples):
        serving = writer.one(batch.decisions().take(slice(row, row + 1)))
        lines = [line.split("|", 1) for line in example.split("\n")]
        assert "\n".join(f"|{rest}" for _, rest in lines) == serving.strip("\n").removeprefix(
            "shared "
        )
        labels = [label for label, _ in lines]
        assert labels[0] == "shared "
        cost, probability = labels[1 + int(batch.chosen[row])].split(":")[1:]
        assert float(probability) == 1.0
        assert sum(bool(label) for label in labels[1:]) == 1
        assert float(cost) in (0.0, -1.0)


def test_the_trained_policy_beats_the_logging_policy_off_policy(tmp_path: Path) -> None:
    train(tmp_path, [logged_batch(8000, attempts_per_payment=1)])
    later = logged_batch(8000, seed=2, attempts_per_payment=1)
    result = evaluate([later], [VwPolicy.load(tmp_path / "model.vw")]).policy("vw")
    assert result.estimate("snips").value > later.reward.mean() + 0.1  # type: ignore[operator]


def test_rows_that_teach_nothing_are_counted_by_reason(tmp_path: Path) -> None:
    batch = logged_batch(200, attempts_per_payment=1)
    reward, propensity = batch.reward.copy(), batch.propensity.copy()
    reward[:3] = np.nan
    reward[3] = 1e300
    propensity[4:8] = np.nan, 0.0, 1.5, 1e-60
    manifest = train(tmp_path, [replace(batch, reward=reward, propensity=propensity)])
    assert manifest.rows == 192
    assert {each.reason: each.rows for each in manifest.left_out} == {
        NO_OUTCOME: 3,
        BAD_REWARD: 1,
        NO_PROPENSITY: 1,
        BAD_PROPENSITY: 3,
    }
    assert np.isfinite(value(tmp_path, 10))


def test_one_tiny_propensity_does_not_spoil_the_model(tmp_path: Path) -> None:
    batch = logged_batch(2000, attempts_per_payment=1)
    train(tmp_path, [batch])
    before = value(tmp_path)
    propensity = batch.propensity.copy()
    propensity[np.flatnonzero(batch.reward == 1.0)[100]] = 1e-30
    train(tmp_path, [replace(batch, propensity=propensity)])
    assert value(tmp_path) > before - 0.01


def test_a_log_without_a_usable_row_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    batch = logged_batch(20)
    with pytest.raises(UserError, match="empty"):
        train(tmp_path, [])
    with pytest.raises(UserError, match=r"20 rows: the propensity.*authopt log propensities"):
        train(tmp_path, [replace(batch, propensity=np.full(20, np.nan), probability=None)])
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_breaks_midway_leaves_the_old_model_alone(tmp_path: Path) -> None:
    train(tmp_path, [logged_batch(100)])
    before = (tmp_path / "model.vw").read_bytes()
    reads = 0

    def read(_: str) -> Iterable[LoggedBatch]:
        nonlocal reads
        reads += 1
        yield logged_batch(100, seed=1)
        if reads == 2:
            raise UserError("row 101 is unsound")

    with pytest.raises(UserError, match="row 101"):
        train_vw(read, tmp_path / "model.vw")
    assert (tmp_path / "model.vw").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    VwPolicy.load(tmp_path / "model.vw")


def myopic_world(n: int = 4000) -> LoggedBatch:
    """First attempts by 'quick' are approved at once a little more often, but spoil the second."""
    rng = np.random.default_rng(11)
    batch = logged_batch(2 * n, routes=("quick", "patient"), uniform_logging=True)
    first = batch.attempt == 1
    quick = batch.chosen == 0
    own = rng.random(batch.n) < np.where(quick, 0.35, 0.3)
    after_quick = np.roll(quick, 1)
    second = rng.random(batch.n) < np.where(after_quick, 0.1, 0.8)
    approved = np.where(first, own, second & ~np.roll(own, 1))
    return replace(batch, reward=approved.astype(np.float64))


def quick_at_first(folder: Path, log: LoggedBatch) -> FloatArray:
    firsts = log.decisions().take(np.flatnonzero(log.attempt == 1))
    return VwPolicy.load(folder / "model.vw").probabilities(firsts).reshape(-1, 2)[:, 0]


def test_reward_to_go_charges_a_decision_with_the_chances_it_uses_up(tmp_path: Path) -> None:
    log = myopic_world()
    assert train(tmp_path, [log], reward_to_go=False).reward_to_go is False
    assert quick_at_first(tmp_path, log).mean() > 0.7
    assert train(tmp_path, [log]).reward_to_go is True
    assert quick_at_first(tmp_path, log).mean() < 0.1


def test_with_single_attempts_there_is_no_reward_to_go(tmp_path: Path) -> None:
    manifest = train(tmp_path, [logged_batch(50, attempts_per_payment=1)])
    assert not manifest.reward_to_go


def test_several_passes_learn_on_and_have_no_progressive_value(tmp_path: Path) -> None:
    log = logged_batch(300, attempts_per_payment=1)
    train(tmp_path, [log])
    once = (tmp_path / "model.vw").read_bytes()
    manifest = train(tmp_path, [log], passes=3)
    assert manifest.progressive_value is None
    assert manifest.rows == 300
    assert (tmp_path / "model.vw").read_bytes() != once


def test_the_manifest_says_where_the_model_is_from(tmp_path: Path) -> None:
    manifest = train(tmp_path, [logged_batch(100, with_stop=True)], epsilon=0.2, bits=12)
    assert manifest.epsilon == 0.2
    assert set(manifest.routes) == {"adyen", "braintree", "checkout", "stop"}
    assert sum(manifest.routes.values()) == manifest.rows == 100
    assert len(manifest.probes) == module.PROBES
    assert manifest.log.first is not None
    assert manifest.log.first.isoformat() == "2026-01-01T00:00:00+00:00"
    assert "--bit_precision 12" in " ".join(manifest.vw_arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": -0.1},
        {"epsilon": 1.5},
        {"learning_rate": 0.0},
        {"power_t": 2.0},
        {"passes": 0},
        {"bits": 40},
        {"seed": -1},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        VwOptions(**wrong)  # type: ignore[arg-type]


def test_a_driver_that_refuses_its_arguments_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Vowpal Wabbit ended with status 1.*no_such_option"):
        run_driver(["--no_such_option"], [b"shared |c a\n"] * 100_000)
