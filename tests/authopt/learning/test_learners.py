"""Policies that learn while they act, taught by the log of another policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import DecisionBatch, LoggedBatch
from authopt.errors import UserError
from authopt.learning.commands import LEARNERS
from authopt.learning.learners import fresh_learner, replay_learner
from authopt.policies.spec import load_policy
from tests.factories import logged_batch

EVERY_LEARNER = pytest.mark.parametrize("family", ["success-rate", *LEARNERS])


@pytest.fixture(scope="module")
def log() -> LoggedBatch:
    return logged_batch(300, with_stop=True)


@pytest.fixture(scope="module")
def asked() -> DecisionBatch:
    return logged_batch(40, seed=5).decisions()


def parts(log: LoggedBatch, size: int) -> list[LoggedBatch]:
    return [log.take(slice(start, start + size)) for start in range(0, log.n, size)]


@EVERY_LEARNER
def test_what_is_learned_does_not_depend_on_how_the_log_is_cut(
    family: str, log: LoggedBatch, asked: DecisionBatch
) -> None:
    whole, by_parts = fresh_learner(family), fresh_learner(family)
    replay_learner(whole, [log])
    replay_learner(by_parts, parts(log, 37))
    expected = whole.probabilities(asked)
    assert by_parts.probabilities(asked) == pytest.approx(expected, abs=1e-9)
    assert not np.allclose(expected, fresh_learner(family).probabilities(asked), atol=1e-3)


@EVERY_LEARNER
def test_what_was_learned_is_kept_by_its_file(
    family: str, log: LoggedBatch, asked: DecisionBatch, tmp_path: Path
) -> None:
    policy = fresh_learner(family)
    replay_learner(policy, parts(log, 100))
    policy.save(tmp_path / "learned.json")
    loaded = load_policy(f"{family}:{tmp_path / 'learned.json'}")
    assert np.array_equal(loaded.probabilities(asked), policy.probabilities(asked))


def test_what_it_left_out_is_told_and_rates_are_those_of_what_it_learned_from(
    log: LoggedBatch,
) -> None:
    stopped = log.is_stop[log.chosen_action]
    reward = log.reward.copy()
    reward[np.flatnonzero(~stopped)[:5]] = np.nan
    said = replay_learner(fresh_learner("thompson"), parts(replace(log, reward=reward), 80))
    assert said.rows == 300 - 5 - stopped.sum()
    assert {each.reason: each.rows for each in said.left_out} == {
        "the outcome is not known": 5,
        "the payment was given up (stop)": stopped.sum(),
    }
    taken = log.action_route[log.chosen_action]
    for code, route in enumerate(log.routes):
        rows = (taken == code) & np.isfinite(reward) & ~stopped
        assert said.rates.get(route) == (pytest.approx(reward[rows].mean()) if rows.any() else None)


def test_options_are_those_of_the_specs(log: LoggedBatch, asked: DecisionBatch) -> None:
    keys = "discount=0.9,dimensions=network"
    one, other = fresh_learner("thompson", keys), load_policy(f"thompson:{keys}")
    replay_learner(one, [log])
    assert not np.array_equal(one.probabilities(asked), other.probabilities(asked))
    replay_learner(other, [log])  # type: ignore[arg-type]
    assert np.array_equal(one.probabilities(asked), other.probabilities(asked))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("old.json", "KEY=VALUE"),
        ("colour=red", "'colour=red' is not understood"),
        ("epsilon=0.1", "give it where the policy is used"),
    ],
)
def test_options_that_are_not_understood_are_refused(keys: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fresh_learner("ucb", keys)


def test_the_order_of_time_and_something_to_learn_are_needed(log: LoggedBatch) -> None:
    early, late = log.take(slice(0, 25)), log.take(slice(25, 50))
    with pytest.raises(UserError, match=r"ucb learns in the order of time.*'d0-0'.*Sort the log"):
        replay_learner(fresh_learner("ucb"), [late, early])
    unknown = replace(early, reward=np.full(early.n, np.nan))
    with pytest.raises(UserError, match="no attempt with a known outcome"):
        replay_learner(fresh_learner("ucb"), [unknown])
