"""Vowpal Wabbit that learns while it decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from authopt.batch import Categorical, DecisionBatch, LoggedBatch
from authopt.durations import DAY_S
from authopt.errors import UserError
from authopt.learning.train_vw import train_vw
from authopt.policies.family import SpecError
from authopt.policies.online import OnlineVw
from authopt.policies.online.choosing import WAITS_FIRST
from authopt.policies.protocol import LearningPolicy
from authopt.policies.spec import load_policy
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from tests.authopt.policies.batches import Decision, batch_of, decisions
from tests.factories import logged_batch

LOG = logged_batch(600, with_stop=True)
LATER = logged_batch(300, with_stop=True, seed=1)

KINDS: dict[str, Callable[[], OnlineVw]] = {
    "greedy": lambda: OnlineVw(bits=16),
    "by gap": lambda: OnlineVw(gamma=30.0, bits=16),
    "by propensity": lambda: OnlineVw(weighting="ips", bits=16),
    "by coin betting": lambda: OnlineVw(optimiser="coin", bits=16),
}


def taught(kind: str, log: LoggedBatch = LOG) -> OnlineVw:
    policy = KINDS[kind]()
    policy.update(log)
    return policy


@pytest.fixture(scope="module")
def policies() -> dict[str, OnlineVw]:
    return {"fresh": OnlineVw(), **{kind: taught(kind) for kind in KINDS}}


@pytest.mark.parametrize("kind", ["fresh", *KINDS])
@given(rows=decisions())
@settings(max_examples=10, deadline=None)
def test_probabilities_are_a_distribution_above_the_floor_and_of_the_decision_alone(
    policies: dict[str, OnlineVw], kind: str, rows: list[Decision]
) -> None:
    policy, batch = policies[kind], batch_of(rows)
    probability = policy.probabilities(batch)
    assert np.abs(batch.sum_by_decision(probability) - 1.0).max() < 1e-12
    floor = policy.epsilon / np.repeat(batch.counts, batch.counts)
    assert (probability >= floor * (1 - 1e-12)).all()
    alone = [policy.probabilities(batch_of([row])) for row in rows]
    assert probability.tolist() == np.concatenate(alone).tolist()


def test_it_learns_which_route_is_the_best_for_whom() -> None:
    policy = taught("greedy")
    policy.update(logged_batch(3_000, with_stop=True, seed=2))
    probability = policy.probabilities(LATER.decisions())
    # What the factory lets succeed, by network and route.
    success = 0.3 + 0.5 * np.random.default_rng(7).random((2, 4))
    success[:, -1] = 0.0
    network = LATER.context["network"]
    assert isinstance(network, Categorical)
    best = success.argmax(axis=1)[network.codes]
    assert np.mean(probability.reshape(-1, 4).argmax(axis=1) == best) > 0.95


def test_before_there_are_outcomes_retries_wait_as_long_as_a_schedule_says() -> None:
    day = 86_400
    actions = (("adyen", 0), ("adyen", day), ("checkout", day), ("checkout", 7 * day), ("stop", 0))
    first = Decision(1, (("adyen", 0), ("checkout", 0)), "visa", 1.0, None, (0.0,) * 2)
    retry = Decision(2, actions, "visa", 1.0, "adyen", (0.0,) * 5)
    probability = OnlineVw(epsilon=0.05).probabilities(batch_of([first, retry]))
    assert probability == pytest.approx([0.5, 0.5, 0.01, 0.485, 0.485, 0.01, 0.01])


def outcomes(n: int, delay_s: int, approved: float) -> LoggedBatch:
    """Retries that could be made at once or a day later, and were all made after ``delay_s``."""
    actions = (("adyen", 0), ("adyen", DAY_S))
    asked = batch_of([Decision(2, actions, "visa", 1.0, "adyen", (0.0, 0.0))] * n)
    same = {item.name: getattr(asked, item.name) for item in fields(DecisionBatch)}
    return LoggedBatch(
        **same,
        chosen=np.full(n, int(delay_s > 0)),
        propensity=np.full(n, 0.5),
        reward=np.diff(np.floor(np.arange(n + 1) * approved)),
    )


def share_at_once(policy: OnlineVw) -> float:
    asked = outcomes(1, 0, 1.0).decisions()
    return float(policy.probabilities(asked)[0])


def test_retries_keep_to_the_schedule_until_enough_is_known_of_waiting() -> None:
    policy = OnlineVw(epsilon=0.02)
    # All that is known of retries speaks for making them at once.
    policy.update(outcomes(2_000, 0, 0.9))
    assert share_at_once(policy) == pytest.approx(0.01)
    policy.update(outcomes(WAITS_FIRST - 1, DAY_S, 0.1))
    assert share_at_once(policy) == pytest.approx(0.01)
    policy.update(outcomes(1, DAY_S, 0.0))
    assert share_at_once(policy) == pytest.approx(0.99)


def test_what_is_known_of_waiting_is_saved_and_older_files_knew_enough(tmp_path: Path) -> None:
    path = tmp_path / "online.json"
    policy = OnlineVw(epsilon=0.02)
    policy.update(outcomes(WAITS_FIRST - 1, DAY_S, 0.1))
    policy.update(outcomes(2_000, 0, 0.9))
    policy.save(path)
    assert share_at_once(OnlineVw.load(path)) == pytest.approx(0.01)
    told = msgspec.json.decode(path.read_bytes())
    del told["waits"]
    path.write_bytes(msgspec.json.encode(told))
    assert share_at_once(OnlineVw.load(path)) == pytest.approx(0.99)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_goes_on_bit_for_bit_as_what_never_stopped(tmp_path: Path, kind: str) -> None:
    policy = taught(kind)
    for part in range(3):
        policy.save(tmp_path / "online.json")
        restored = OnlineVw.load(tmp_path / "online.json")
        asked = LATER.decisions()
        assert restored.probabilities(asked).tolist() == policy.probabilities(asked).tolist()
        more = logged_batch(80, with_stop=True, seed=10 + part)
        policy.update(more)
        restored.update(more)
        assert restored.costs(asked).tolist() == policy.costs(asked).tolist()
        assert restored.routes == policy.routes
        policy = restored


def test_saving_changes_nothing(tmp_path: Path) -> None:
    one, other = taught("greedy"), taught("greedy")
    one.save(tmp_path / "online.json")
    for policy in (one, other):
        policy.update(LATER)
    asked = LOG.decisions()
    assert one.costs(asked).tolist() == other.costs(asked).tolist()


def test_a_policy_that_has_seen_nothing_is_saved_too(tmp_path: Path) -> None:
    OnlineVw(epsilon=0.1).save(tmp_path / "online.json")
    restored = OnlineVw.load(tmp_path / "online.json")
    restored.update(LOG)
    expected = OnlineVw(epsilon=0.1)
    expected.update(LOG)
    asked = LATER.decisions()
    assert restored.probabilities(asked).tolist() == expected.probabilities(asked).tolist()


def test_the_same_outcomes_make_the_same_policy() -> None:
    asked = LATER.decisions()
    assert taught("greedy").costs(asked).tolist() == taught("greedy").costs(asked).tolist()


def test_outcomes_are_learned_by_time_whatever_their_order_in_a_batch() -> None:
    turned = LOG.take(np.arange(LOG.n)[::-1])
    asked = LATER.decisions()
    assert taught("greedy", turned).costs(asked).tolist() == taught("greedy").costs(asked).tolist()


def test_the_propensity_that_counts_is_the_one_of_the_decision_not_the_present_one() -> None:
    # Both have moved on since; only what was logged with the late outcome differs.
    late = replace(LATER.take(slice(0, 40)), propensity=np.full(40, 0.9))
    rare = replace(late, propensity=np.full(40, 0.05))
    one, same, other = (taught("by propensity") for _ in range(3))
    present = one.probabilities(late)[late.chosen_action]
    assert np.ptp(present) > 0.1
    one.update(late)
    same.update(replace(late, probability=None))
    other.update(rare)
    asked = LOG.decisions()
    assert one.costs(asked).tolist() == same.costs(asked).tolist()
    assert one.costs(asked).tolist() != other.costs(asked).tolist()


def test_a_regression_weighs_every_row_alike_whatever_its_propensity() -> None:
    one, other = taught("greedy"), taught("greedy")
    one.update(LATER)
    other.update(replace(LATER, propensity=np.full(LATER.n, 1e-4)))
    asked = LOG.decisions()
    assert one.costs(asked).tolist() == other.costs(asked).tolist()


def test_rows_that_cannot_be_learned_from_are_counted() -> None:
    reward = LOG.reward.copy()
    reward[:7] = np.nan
    policy = OnlineVw(weighting="ips")
    propensity = LOG.propensity.copy()
    propensity[7:9] = 0.0
    policy.update(replace(LOG, reward=reward, propensity=propensity))
    assert sum(policy.left_out.values()) + policy.rows == LOG.n
    assert "stop" not in policy.routes


def test_giving_up_is_chosen_only_once_attempts_have_cost_something() -> None:
    free = taught("greedy")
    assert (free.costs(LATER.decisions())[LATER.is_stop] > 1e30).all()
    costly = OnlineVw()
    costly.update(replace(LOG, reward=LOG.reward - 2.0))
    probability = costly.probabilities(LATER.decisions())
    assert (probability[LATER.is_stop] > 0.9).all()


def test_money_is_learned_on_a_scale_that_fits_the_steps() -> None:
    pounds, pence = OnlineVw(), OnlineVw()
    pounds.update(replace(LOG, reward=LOG.reward * 2_000))
    pence.update(replace(LOG, reward=LOG.reward * 200_000))
    asked = LATER.decisions()
    assert pounds.costs(asked) == pytest.approx(pence.costs(asked), rel=1e-4)


def test_a_new_merchant_starts_from_what_all_share_and_a_deviating_one_gets_its_own() -> None:
    routes = ("adyen", "braintree")
    log = logged_batch(6_000, routes, seed=5, uniform_logging=True)
    names = ("usual", "usual too", "deviating", "new")
    merchant = np.random.default_rng(1).integers(0, 3, log.n).astype(np.int32)
    deviates, second = merchant == 2, log.chosen == 1
    good = np.where(deviates, ~second, second)
    chance = np.where(good, 0.9, 0.6)
    reward = (np.random.default_rng(2).random(log.n) < chance).astype(np.float64)
    log = replace(
        log, context={**log.context, "merchant_id": Categorical(merchant, names)}, reward=reward
    )
    policy = OnlineVw(merchant_own=True)
    policy.update(log)
    asked = logged_batch(40, routes, seed=6)
    liked = {}
    for code, name in enumerate(names):
        of_one = Categorical(np.full(40, code, np.int32), names)
        batch = replace(asked, context={**asked.context, "merchant_id": of_one}).decisions()
        liked[name] = policy.probabilities(batch).reshape(-1, 2).argmax(axis=1).mean()
    assert liked["usual"] > 0.9
    assert liked["new"] > 0.9
    assert liked["deviating"] < 0.1


def test_a_trained_model_goes_on_learning(tmp_path: Path) -> None:
    train_vw(lambda _: [LOG], tmp_path / "model.vw", VwOptions(epsilon=0.1))
    policy = OnlineVw.load(tmp_path / "model.vw")
    trained = VwPolicy.load(tmp_path / "model.vw")
    asked = LATER.decisions()
    assert policy.probabilities(asked) == pytest.approx(trained.probabilities(asked), abs=1e-6)
    rows = policy.rows
    policy.update(LATER)
    assert policy.rows > rows
    policy.save(tmp_path / "online.json")
    restored = OnlineVw.load(tmp_path / "online.json")
    assert restored.costs(asked).tolist() == policy.costs(asked).tolist()
    for each in (policy, restored):
        each.update(LOG)
    assert restored.costs(asked).tolist() == policy.costs(asked).tolist()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "online.json"
    taught("greedy").save(path)
    text = path.read_text()
    at = text.index('"model": "') + 200
    path.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    with pytest.raises(UserError, match="damaged"):
        OnlineVw.load(path)


@pytest.mark.parametrize("spec", ["online:epsilon=0", "online:gamma=-1", "online:learning_rate=0"])
def test_options_out_of_range_are_refused(spec: str) -> None:
    with pytest.raises(UserError, match="expected"):
        load_policy(spec)


def test_the_spec_makes_it_and_goes_on_from_a_file(tmp_path: Path) -> None:
    policy = load_policy("online:epsilon=0.03,gamma=50")
    assert isinstance(policy, OnlineVw)
    assert isinstance(policy, LearningPolicy)
    policy.update(LOG)
    policy.save(tmp_path / "online.json")
    again = load_policy(f"online:{tmp_path / 'online.json'},epsilon=0.2")
    assert isinstance(again, OnlineVw)
    assert (again.epsilon, again.gamma, again.rows) == (0.2, 50.0, policy.rows)
    with pytest.raises(SpecError, match="learning_rate"):
        load_policy(f"online:{tmp_path / 'online.json'},learning_rate=0.1")
