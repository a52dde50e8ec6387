"""Agents that learn in the environment get better at what the simulator says is true."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from authopt.policies.uniform import Uniform
from simulator.gym_env import ENV_ID, AgentPolicy, PaymentsVectorEnv
from simulator.gym_env.checks import masked_random
from simulator.gym_env.named_worlds import named_world
from simulator.gym_env.observation import CATEGORIES
from simulator.gym_env.views import Observations
from simulator.traffic import Traffic
from simulator.truth import TrueValue, true_value

WORLD = named_world("small")
LATER = Traffic(3_000, seed=9)
LANES = 250
Values = npt.NDArray[np.float64]


def env_of(payments: int | None = 1) -> PaymentsVectorEnv:
    env = gymnasium.make_vec(
        ENV_ID,
        num_envs=LANES,
        world="small",
        autoreset_mode="SameStep",
        payments_per_episode=payments,
    )
    assert isinstance(env, PaymentsVectorEnv)
    return env


def best(values: Values, observation: Observations) -> npt.NDArray[np.int64]:
    return np.asarray(np.where(observation["action_mask"] == 1, values, -np.inf).argmax(axis=1))


@cache
def random_value() -> TrueValue:
    return true_value(WORLD, Uniform(), LATER)


def value_of(choose: Callable[[Observations], npt.NDArray[Any]]) -> TrueValue:
    return true_value(WORLD, AgentPolicy.of(choose, env_of()), LATER)


def test_masked_random_actions_are_worth_what_the_uniform_policy_is() -> None:
    env, rng = env_of(), np.random.default_rng(1)
    observation, _ = env.reset(seed=9)
    earned, payments = 0.0, 0
    for _ in range(30):
        actions = masked_random(observation["action_mask"], rng)
        observation, reward, ended, _, _ = env.step(actions)
        earned, payments = earned + reward.sum(), payments + int(ended.sum())
    truth = random_value()
    error = np.hypot(np.sqrt(0.1 / payments), truth.per_payment_se)
    assert abs(earned / payments - truth.per_payment) < 4 * error


def test_a_table_of_action_values_pays_more_payments() -> None:
    places = [CATEGORIES.index(name) for name in ("issuer", "previous_response_code")]
    env, rng = env_of(), np.random.default_rng(0)
    sizes = env.setting.encoder.sizes[places]

    def state(observation: Observations) -> npt.NDArray[np.int64]:
        issuer, code = observation["categories"][:, places].T
        return np.asarray(issuer * sizes[1] + code)

    total = np.zeros((int(sizes.prod()), env.setting.actions.size))
    seen = np.zeros_like(total)
    values = np.full_like(total, 0.5)
    observation, _ = env.reset(seed=1)
    for _ in range(40):
        before, greedy = state(observation), best(values[state(observation)], observation)
        explores = rng.random(LANES) < 0.2
        actions = np.where(explores, masked_random(observation["action_mask"], rng), greedy)
        observation, reward, ended, _, _ = env.step(actions)
        ahead = values[state(observation)]
        ahead = np.where(observation["action_mask"] == 1, ahead, -np.inf).max(axis=1)
        np.add.at(total, (before, actions), reward + np.where(ended, 0.0, ahead))
        np.add.at(seen, (before, actions), 1.0)
        values = (total + 2.0) / (seen + 4.0)
    learned = value_of(lambda seen: best(values[state(seen)], seen))
    assert learned.per_payment > random_value().per_payment + 0.01


def test_linucb_pays_more_payments() -> None:
    env = env_of(payments=None)
    issuers = int(env.setting.encoder.sizes[CATEGORIES.index("issuer")])
    actions = env.setting.actions.size

    def context(observation: Observations) -> Values:
        issuer = np.eye(issuers)[observation["categories"][:, CATEGORIES.index("issuer")]]
        return np.concatenate([observation["features"], issuer], axis=1)

    observation, _ = env.reset(seed=1)
    width = context(observation).shape[1]
    gram = np.tile(np.eye(width), (actions, 1, 1))
    moment = np.zeros((actions, width))

    def scores(x: Values, width_of_interval: float) -> Values:
        inverse = np.linalg.inv(gram)
        mean = x @ np.einsum("aij,aj->ai", inverse, moment).T
        spread = np.einsum("ni,aij,nj->na", x, inverse, x)
        return np.asarray(mean + width_of_interval * np.sqrt(spread))

    for _ in range(40):
        x = context(observation)
        chosen = best(scores(x, 0.3), observation)
        observation, reward, *_ = env.step(chosen)
        np.add.at(gram, chosen, x[:, :, None] * x[:, None, :])
        np.add.at(moment, chosen, reward[:, None] * x)
    learned = value_of(lambda seen: best(scores(context(seen), 0.0), seen))
    assert learned.per_payment > random_value().per_payment + 0.01
