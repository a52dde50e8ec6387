"""What holds for every bandit, whatever it has learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.policies.protocol import LearningPolicy
from tests.authopt.policies.bandits.checks import FRESH, Bandit, log, taught
from tests.authopt.policies.batches import Decision, batch_of, decisions

NAMES = tuple(FRESH)
STATES = ("fresh", "taught")


@pytest.fixture(scope="module")
def policies() -> dict[tuple[str, str], Bandit]:
    fresh = {(name, "fresh"): make() for name, make in FRESH.items()}
    return fresh | {(name, "taught"): taught(name) for name in FRESH}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
@given(rows=decisions())
@settings(max_examples=6, deadline=None)
def test_probabilities_sum_to_one_and_do_not_depend_on_the_neighbours(
    policies: dict[tuple[str, str], Bandit], name: str, state: str, rows: list[Decision]
) -> None:
    policy, batch = policies[name, state], batch_of(rows)
    probability = policy.probabilities(batch)
    assert probability.dtype == np.float64
    assert (probability >= 0).all()
    assert np.abs(batch.sum_by_decision(probability) - 1.0).max() < 1e-12
    alone = [policy.probabilities(batch_of([row])) for row in rows]
    assert probability == pytest.approx(np.concatenate(alone), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_stop_and_longer_delays_are_taken_only_where_nothing_else_is(
    policies: dict[tuple[str, str], Bandit], name: str
) -> None:
    actions = (("adyen", 3600), ("adyen", 0), ("checkout", 86_400), ("stop", 0))
    rows = [
        Decision(2, actions, "visa", 1.0, "adyen", (0.0,) * 4),
        Decision(2, (("stop", 0),), "visa", 1.0, "adyen", (0.0,)),
    ]
    probability = policies[name, "taught"].probabilities(batch_of(rows))
    assert probability[[0, 3]].tolist() == [0.0, 0.0]
    assert probability[[1, 2]].sum() == pytest.approx(1.0)
    assert probability[4] == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_vocabulary_means_nothing(
    policies: dict[tuple[str, str], Bandit], name: str
) -> None:
    batch = log(60).decisions()
    turned = replace(
        batch,
        routes=batch.routes[::-1],
        action_route=(len(batch.routes) - 1 - batch.action_route).astype(np.int32),
    )
    before, after = (policies[name, "taught"].probabilities(each) for each in (batch, turned))
    assert before == pytest.approx(after, abs=1e-12)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_is_decided_and_teaches_nothing(
    policies: dict[tuple[str, str], Bandit], name: str, state: str
) -> None:
    policy, empty = policies[name, state], log(10).take(slice(0, 0))
    before = policy.probabilities(log(60))
    assert len(policy.probabilities(empty)) == 0
    policy.update(empty)
    assert policy.probabilities(log(60)).tolist() == before.tolist()
    assert isinstance(policy, LearningPolicy)


@pytest.mark.parametrize("name", NAMES)
def test_saving_and_loading_is_exact_and_so_is_what_is_learned_afterwards(
    name: str, tmp_path: Path
) -> None:
    policy, more = taught(name), log(300, seed=5)
    policy.save(tmp_path / "one.json")
    loaded = type(policy).load(tmp_path / "one.json")
    assert loaded.probabilities(more).tolist() == policy.probabilities(more).tolist()
    for each in (policy, loaded):
        each.update(more)
    assert loaded.probabilities(more).tolist() == policy.probabilities(more).tolist()
    loaded.save(tmp_path / "two.json")
    again = type(policy).load(tmp_path / "two.json")
    assert again.probabilities(more).tolist() == policy.probabilities(more).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_policy_can_be_saved_too(name: str, tmp_path: Path) -> None:
    policy = FRESH[name]()
    policy.save(tmp_path / "fresh.json")
    loaded = type(policy).load(tmp_path / "fresh.json")
    for each in (policy, loaded):
        each.update(log(100))
    assert loaded.probabilities(log(60)).tolist() == policy.probabilities(log(60)).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_outcomes_and_stop_teach_nothing(name: str) -> None:
    one, other, batch = FRESH[name](), FRESH[name](), log(200)
    stopped = batch.is_stop[batch.chosen_action]
    unknown = np.arange(batch.n) % 3 == 0
    one.update(replace(batch, reward=np.where(unknown, np.nan, batch.reward)))
    other.update(batch.take(np.flatnonzero(~unknown & ~stopped)))
    assert one.probabilities(batch).tolist() == other.probabilities(batch).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_segments_and_routes_that_turn_up_later_find_room(name: str) -> None:
    policy = taught(name)
    batch = log(100, seed=9)
    new = Categorical(batch.context["network"].codes, ("amex", "jcb"))  # type: ignore[union-attr]
    later = replace(
        batch,
        routes=("other", "braintree", "new", "stop"),
        context={**batch.context, "network": new},
    )
    policy.update(later)
    probability = policy.probabilities(later)
    assert np.abs(later.sum_by_decision(probability) - 1.0).max() < 1e-12


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("success-rate")])
def test_money_is_refused_as_a_reward(name: str) -> None:
    batch = log(20)
    with pytest.raises(UserError, match="rewards from 0 to 1"):
        FRESH[name]().update(replace(batch, reward=batch.reward * 250.0))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_policy_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"policy": "best-route", "routes": []}')
    with pytest.raises(UserError, match=r"other\.json: not a"):
        type(FRESH[name]()).load(tmp_path / "other.json")
