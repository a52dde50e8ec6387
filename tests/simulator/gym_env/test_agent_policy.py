"""An agent of the environment is a policy like any other: simulated, valued, evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from authopt.batch import concat
from authopt.errors import UserError
from authopt.evaluation.engine import evaluate
from authopt.policies.uniform import Uniform
from simulator.gym_env import AgentPolicy, PaymentsEnv, PaymentsVectorEnv
from simulator.gym_env.named_worlds import named_world
from simulator.gym_env.views import Observations
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.truth import true_value, value_on

WORLD = named_world("small")
ENV = PaymentsEnv("small")
ACTIONS = ENV.setting.actions
LOG = concat(list(simulate(WORLD, Traffic(3_000, seed=4), Uniform())))


def first_allowed(observation: Observations) -> npt.NDArray[np.int64]:
    return np.asarray(observation["action_mask"].argmax(axis=1), np.int64)


def even(observation: Observations) -> npt.NDArray[np.float64]:
    """A distribution that does not look at the mask."""
    return np.full(observation["action_mask"].shape, 1.0 / ACTIONS.size)


def test_an_action_is_taken_with_probability_one() -> None:
    probability = AgentPolicy.of(first_allowed, ENV).probabilities(LOG)
    taken = np.flatnonzero(probability)
    assert len(taken) == LOG.n
    assert (probability[taken] == 1.0).all()
    number = ACTIONS.numbers(LOG)
    np.testing.assert_array_equal(number[taken], np.minimum.reduceat(number, LOG.offsets[:-1]))


def test_a_distribution_over_all_actions_is_that_over_the_eligible_ones() -> None:
    given = AgentPolicy.of(even, ENV).probabilities(LOG)
    np.testing.assert_allclose(given, Uniform().probabilities(LOG), rtol=1e-12)


def test_what_an_agent_earns_in_the_environment_is_its_true_value() -> None:
    policy = AgentPolicy.of(first_allowed, ENV)
    truth = true_value(WORLD, policy, Traffic(3_000, seed=6))
    env = PaymentsVectorEnv(100, "small", payments=3_000, autoreset_mode="SameStep")
    observation, _ = env.reset(seed=6)
    reward = np.zeros(100)
    episodes = np.zeros(100)
    while (episodes < 30).any():
        counted = episodes < 30
        observation, earned, ended, _, _ = env.step(first_allowed(observation))
        reward += earned * counted
        episodes += ended
    paid = reward.sum() / 3_000
    error = np.sqrt(paid * (1 - paid) / 3_000)
    assert abs(paid - truth.per_payment) < 4 * error


def test_an_agent_can_be_evaluated_off_policy() -> None:
    policy = AgentPolicy.of(first_allowed, ENV)
    result = evaluate([LOG], [policy])
    text = repr(result)
    assert "agent" in text
    assert 0 < value_on(WORLD, LOG.decisions(), policy).mean() < 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n: np.zeros(n), r"float64\[\d+\]; expected action numbers"),
        (lambda n: np.full(n, ACTIONS.stop), "masked actions alone"),
        (lambda n: np.full((n, ACTIONS.size), -1.0), "negative or infinite"),
        (lambda n: np.full((n, ACTIONS.size), np.nan), "negative or infinite"),
        (lambda n: np.zeros((n, ACTIONS.size)), "masked actions alone"),
    ],
)
def test_an_agent_that_gives_no_distribution_is_a_users_error(answer: Any, message: str) -> None:
    policy = AgentPolicy.of(lambda seen: answer(len(seen["features"])), ENV)
    with pytest.raises(UserError, match=message):
        policy.probabilities(LOG)


def test_a_batch_without_decisions_has_no_probabilities() -> None:
    assert len(AgentPolicy.of(first_allowed, ENV).probabilities(LOG.take(slice(0, 0)))) == 0
