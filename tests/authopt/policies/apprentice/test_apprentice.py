"""A policy that imitates a router, and acts by a better one in a share of decisions."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.learning.train_vw import train_vw
from authopt.logs.propensity import PropensityModel, estimate_propensities
from authopt.policies.apprentice import FAMILY, Apprentice
from authopt.policies.apprentice.apprentice import Only, save_apprentice
from authopt.policies.family import Options, SpecError
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from tests.authopt.learning.gate.cases import exploring
from tests.authopt.policies.batches import Decision, batch_of, decisions
from tests.factories import logged_batch

ROUTER = exploring("adyen", "checkout", 0.2)
"""The router that is imitated: one route by network, a fifth of the time any."""


@lru_cache
def imitated() -> PropensityModel:
    batch = logged_batch(4_000, attempts_per_payment=1)
    given = ROUTER.probabilities(batch.decisions())
    drawn = np.random.default_rng(1).random(batch.n)[:, None]
    chosen = (given.reshape(batch.n, -1).cumsum(axis=1) < drawn).sum(axis=1)
    return estimate_propensities([replace(batch, chosen=chosen)], folds=2).model


def new_payments() -> tuple[Policy, ...]:
    return Apprentice(imitated()), Apprentice(imitated(), Uniform(), 0.25)


def test_it_gives_new_payments_the_probabilities_of_the_router() -> None:
    batch = logged_batch(300, seed=9).decisions()
    found = Apprentice(imitated()).probabilities(batch)
    assert np.abs(found - ROUTER.probabilities(batch)).mean() < 0.02
    assert np.abs(found - ROUTER.probabilities(batch)).max() < 0.1


@given(rows=decisions())
@settings(max_examples=15, deadline=None)
def test_probabilities_are_sound_and_a_decision_s_own(rows: list[Decision]) -> None:
    batch = batch_of(rows)
    for policy in new_payments():
        found = policy.probabilities(batch)
        assert (found >= 0.0).all()
        assert np.abs(batch.sum_by_decision(found) - 1.0).max(initial=0.0) < 1e-12
        # With its own payment's id, which says by which fold's model it is imitated.
        alone = [policy.probabilities(batch.take(np.array([at]))) for at in range(batch.n)]
        assert found == pytest.approx(np.concatenate(alone), abs=1e-12)


@pytest.mark.parametrize("acting", [0.0, 0.25, 1.0])
def test_it_acts_in_its_share_of_decisions(acting: float) -> None:
    batch = logged_batch(50, seed=9).decisions()
    better = Priority(("braintree",))
    found = Apprentice(imitated(), better, acting).probabilities(batch)
    expected = (1.0 - acting) * imitated().probabilities(batch) + acting * better.probabilities(
        batch
    )
    assert found == pytest.approx(expected, abs=1e-15)


def test_it_acts_on_no_other_payments_than_it_was_told_to() -> None:
    batch = logged_batch(50, seed=9).decisions()
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    policy = Apprentice(imitated(), Uniform(), 1.0, Only("network", ("visa",)))
    found = policy.probabilities(batch).reshape(batch.n, -1)
    visa = network.codes == network.categories.index("visa")
    assert found[visa] == pytest.approx(np.full((visa.sum(), 3), 1 / 3))
    imitation = imitated().probabilities(batch).reshape(batch.n, -1)
    assert found[~visa] == pytest.approx(imitation[~visa], abs=0)


def test_payments_without_the_column_are_imitated() -> None:
    batch = logged_batch(20, seed=9).decisions()
    policy = Apprentice(imitated(), Uniform(), 1.0, Only("issuer", ("x",)))
    assert (policy.probabilities(batch) == imitated().probabilities(batch)).all()


def test_it_cannot_act_by_nothing() -> None:
    with pytest.raises(UserError, match="no better policy"):
        Apprentice(imitated(), None, 0.5)
    with pytest.raises(UserError, match="expected 0 to 1"):
        Apprentice(imitated(), Uniform(), 1.5)


def trained_rates(folder: Path) -> tuple[str, Policy]:
    policy = SuccessRate(window=50)
    policy.update(logged_batch(200))
    policy.save(folder / "rates.json")
    return f"success-rate:{folder / 'rates.json'}", policy


def trained_vw(folder: Path) -> tuple[str, Policy]:
    out = folder / "model.vw"
    train_vw(lambda _: [logged_batch(200)], out, VwOptions(epsilon=0.05))  # type: ignore[arg-type]
    return f"vw:{out}", VwPolicy.load(out)


def without_files(_: Path) -> tuple[str, Policy]:
    return "priority:routes=braintree,adyen", Priority(("braintree", "adyen"))


@pytest.mark.parametrize("make", [trained_rates, trained_vw, without_files])
def test_what_is_loaded_gives_the_same_probabilities_bit_for_bit(
    tmp_path: Path, make: type[None]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    spec, better = make(tmp_path / "elsewhere")  # type: ignore[call-arg]
    path = tmp_path / "apprentice.json"
    save_apprentice(path, imitated(), (spec, better))
    # Whatever the better policy was made from may be gone: the apprentice has its own copy.
    for each in (tmp_path / "elsewhere").iterdir():
        each.unlink()
    loaded = FAMILY.make(path, Options("", {"acting": "0.5"}))
    batch = logged_batch(60, seed=9).decisions()
    expected = Apprentice(imitated(), better, 0.5).probabilities(batch)
    assert loaded.probabilities(batch).tolist() == expected.tolist()


def test_without_a_better_policy_it_can_be_saved_too(tmp_path: Path) -> None:
    path = tmp_path / "apprentice.json"
    save_apprentice(path, imitated(), None)
    batch = logged_batch(60, seed=9).decisions()
    found = Apprentice.load(path).probabilities(batch)
    assert found.tolist() == imitated().probabilities(batch).tolist()


def test_a_better_policy_that_cannot_stand_beside_it_is_refused(tmp_path: Path) -> None:
    spec, policy = trained_vw(tmp_path)
    with pytest.raises(UserError, match="epsilon is a key of the apprentice"):
        save_apprentice(
            tmp_path / "a.json", imitated(), (f"{spec},epsilon=0.1", exploring("adyen", "adyen"))
        )
    assert isinstance(policy, VwPolicy)


@pytest.mark.parametrize("text", ["network", ":visa", "network:", "network:+"])
def test_payments_to_act_on_are_a_column_and_values(tmp_path: Path, text: str) -> None:
    path = tmp_path / "apprentice.json"
    save_apprentice(path, imitated(), ("uniform", Uniform()))
    with pytest.raises(SpecError, match="network:visa"):
        FAMILY.make(path, Options("apprentice", {"acting": "1", "only": text}))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "apprentice.json"
    save_apprentice(path, imitated(), None)
    text = path.read_text()
    path.write_text(text.replace('"shift": [', '"shift": [1.0,', 1))
    with pytest.raises(UserError, match="damaged"):
        Apprentice.load(path)
    path.write_text("{}")
    with pytest.raises(UserError, match="not an apprentice"):
        Apprentice.load(path)
