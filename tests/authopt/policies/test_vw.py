from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.learning.train_vw import train_vw
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import manifest_path, read_manifest
from authopt.policies.vw_options import VwOptions
from authopt.policies.vw_workspace import VwWorkspace
from tests.authopt.policies.batches import Decision, batch_of
from tests.factories import logged_batch

LOG = logged_batch(1500, with_stop=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vw") / "model.vw"
    train_vw(lambda _: [LOG], out, VwOptions(epsilon=0.1))
    return out


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    for path in (trained, manifest_path(trained)):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / trained.name


def test_its_probabilities_are_those_of_vw_itself(model: Path) -> None:
    from vowpalwabbit import Workspace

    policy = VwPolicy.load(model)
    batch = logged_batch(20, seed=4, with_stop=True).decisions()
    vw = Workspace(arg_list=["--quiet", "-t", "-i", str(model)])
    for row in range(batch.n):
        one = batch.take(slice(row, row + 1))
        by_vw = np.array(vw.predict(policy.text.one(one)), np.float64)
        assert policy.probabilities(one) == pytest.approx(by_vw / by_vw.sum(), abs=1e-15)
    vw.finish()


@pytest.mark.parametrize("unknown", [False, True])
def test_a_decision_alone_gets_the_same_bits_as_among_others(model: Path, unknown: bool) -> None:
    policy = VwPolicy.load(model)
    batch = logged_batch(60, seed=5, with_stop=True).decisions()
    if unknown:
        batch = replace(batch, routes=("never seen", *batch.routes[1:]))
    together = policy.probabilities(batch)
    for row in range(batch.n):
        alone = policy.probabilities(batch.take(slice(row, row + 1)))
        assert np.array_equal(alone, together[batch.offsets[row] : batch.offsets[row + 1]])


def test_a_route_never_taken_in_training_gets_its_share_of_exploration_alone(model: Path) -> None:
    policy = VwPolicy.load(model)
    rows = [
        Decision(1, (("adyen", 0), ("new", 0), ("checkout", 0)), "visa", 1.0, None, (0.0,) * 3),
        Decision(1, (("new", 0), ("newer", 0)), "visa", 1.0, None, (0.0,) * 2),
    ]
    probability = policy.probabilities(batch_of(rows))
    assert probability[1] == pytest.approx(0.1 / 3)
    assert probability[:3].sum() == pytest.approx(1.0, abs=1e-12)
    assert probability[[0, 2]].min() >= 0.1 / 3
    assert probability[3:].tolist() == [0.5, 0.5]


def test_threads_get_what_one_gets(model: Path) -> None:
    policy = VwPolicy.load(model)
    batches = [LOG.decisions().take(slice(row, row + 1)) for row in range(200)]
    expected = [policy.probabilities(batch) for batch in batches]
    wrong: list[int] = []

    def ask(start: int) -> None:
        rows = [*range(start, 200), *range(start)]
        found = [policy.probabilities(batches[row]) for row in rows]
        wrong.extend(
            row
            for row, each in zip(rows, found, strict=True)
            if not np.array_equal(each, expected[row])
        )

    threads = [threading.Thread(target=ask, args=(25 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_asking_does_not_teach(model: Path) -> None:
    policy = VwPolicy.load(model)
    before = policy.probabilities(LOG)
    policy.probabilities(LOG)
    assert np.array_equal(policy.probabilities(LOG), before)


def test_without_the_calls_beneath_the_binding_gives_the_same(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = VwPolicy.load(model).probabilities(LOG)
    monkeypatch.setattr("authopt.policies.vw_workspace._BENEATH", ("no_such_call",))
    slow = VwPolicy.load(model)
    assert not slow.workspace.tells_costs
    assert np.array_equal(slow.probabilities(LOG), fast)


def _truncate(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-20])


def _flip(model: Path) -> None:
    data = bytearray(model.read_bytes())
    data[-3] ^= 1
    model.write_bytes(bytes(data))


def _empty(model: Path) -> None:
    model.write_bytes(b"")


def _swap(model: Path) -> None:
    train_vw(lambda _: [LOG], model.with_name("other.vw"), VwOptions(seed=1, epsilon=0.2))
    model.write_bytes(model.with_name("other.vw").read_bytes())


@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _swap])
def test_a_damaged_model_is_refused(model: Path, damage: Callable[[Path], None]) -> None:
    damage(model)
    with pytest.raises(UserError, match=r"model\.vw: not the model that model\.vw\.json describes"):
        VwPolicy.load(model)


def test_a_model_without_its_manifest_is_refused(model: Path) -> None:
    manifest_path(model).unlink()
    with pytest.raises(UserError, match=r"model\.vw\.json: no such file.*authopt train"):
        VwPolicy.load(model)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"policy": "vw"}'])
def test_an_unsound_manifest_is_refused(model: Path, text: str) -> None:
    manifest_path(model).write_text(text)
    with pytest.raises(UserError, match=r"model\.vw\.json: not a model's manifest"):
        VwPolicy.load(model)


def test_a_model_that_answers_otherwise_than_it_did_is_refused(model: Path) -> None:
    manifest = read_manifest(model)
    probe = manifest.probes[0]
    other = msgspec.structs.replace(probe, probabilities=probe.probabilities[::-1])
    changed = msgspec.structs.replace(manifest, probes=(manifest.probes[1], other))
    manifest_path(model).write_bytes(msgspec.json.encode(changed))
    with pytest.raises(UserError, match="probe 2 gets the probabilities"):
        VwPolicy.load(model)


def test_a_model_that_vw_cannot_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.vw"
    path.write_bytes(b"not a model at all")
    with pytest.raises(UserError, match=r"no\.vw: Vowpal Wabbit cannot load it"):
        VwWorkspace(path)


def test_nasty_values_change_nothing_for_other_decisions(model: Path) -> None:
    policy = VwPolicy.load(model)
    batch = LOG.decisions().take(slice(0, 2))
    names = Categorical.from_values(["visa\n\n|route route=adyen\n", "visa"])
    changed = replace(batch, context={**batch.context, "network": names})
    clean = replace(batch, context={**batch.context, "network": names[1:][np.zeros(2, int)]})
    assert np.array_equal(policy.probabilities(changed)[4:], policy.probabilities(clean)[4:])
