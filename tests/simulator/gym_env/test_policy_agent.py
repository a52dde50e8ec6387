"""A policy acts in the environment exactly as it acts in the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.batch import concat
from authopt.policies.protocol import Policy
from authopt.policies.uniform import Uniform
from authopt.rewards import parse_reward
from simulator.gym_env import AgentPolicy, PaymentsEnv, PaymentsVectorEnv, PolicyAgent
from simulator.gym_env.named_worlds import named_world
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.protocol import World
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world import WorldSettings, make_world

WORLDS: tuple[World, ...] = (
    named_world("small"),
    make_world(WorldSettings(issuers=60, cards=20_000, merchants=12)),
)
POLICIES = (Uniform(), MerchantRouter(DEFAULT_ORDER))
MONEY = """
currency = "EUR"
[margin]
share = 0.2
[fees]
from = "log"
[largest]
amount_minor = 100_000_000
fees_minor = 1_000_000
[[rates]]
currency = "USD"
from = 2026-01-01
rate = 0.86
[[rates]]
currency = "GBP"
from = 2026-01-01
rate = 1.15
[[rates]]
currency = "BRL"
from = 2026-01-01
rate = 0.16
"""


def played(env: PaymentsVectorEnv, policy: Policy, seed: int, of: set[str]) -> dict[str, float]:
    """The rewards of the decisions in ``of``, and of others made meanwhile, by decision id."""
    agent = PolicyAgent(policy, env)
    _, info = env.reset(seed=seed)
    made: dict[str, float] = {}
    while not of <= made.keys():
        decided = info["decision_id"].tolist()
        _, reward, _, _, info = env.step(agent.act())
        made |= dict(zip(decided, reward.tolist(), strict=True))
        assert len(made) < 10 * len(of)
    return made


@pytest.mark.parametrize("world", WORLDS, ids=["small", "cards"])
@pytest.mark.parametrize("policy", POLICIES, ids=["uniform", "router"])
def test_it_makes_the_decisions_and_outcomes_of_the_simulated_log(
    policy: Policy, world: World
) -> None:
    lanes, rounds = 40, 10
    traffic = Traffic(lanes * rounds, seed=3)
    log = concat(list(simulate(world, traffic, policy)))
    expected = dict(zip(log.decision_id.to_pylist(), log.reward.tolist(), strict=True))
    env = PaymentsVectorEnv(lanes, world, payments=traffic.payments, autoreset_mode="SameStep")
    made = played(env, policy, 3, {*expected})
    assert {each: made[each] for each in expected} == expected


def test_rewards_in_money_are_those_of_the_log(tmp_path: Path) -> None:
    file = tmp_path / "money.toml"
    file.write_text(MONEY)
    reward = f"money:{file}"
    log = concat(list(simulate(WORLDS[0], Traffic(200, seed=3), Uniform())))
    worth = parse_reward(reward).of(log)
    expected = dict(zip(log.decision_id.to_pylist(), worth.tolist(), strict=True))
    env = PaymentsVectorEnv(20, "small", payments=200, reward=reward, autoreset_mode="SameStep")
    made = played(env, Uniform(), 3, {*expected})
    assert {each: made[each] for each in expected} == expected
    assert min(expected.values()) < 0 < max(expected.values())


def test_its_distribution_is_the_policys() -> None:
    env = PaymentsEnv("small")
    env.reset(seed=1)
    agent = PolicyAgent(MerchantRouter(DEFAULT_ORDER), env)
    now = env.running.now
    assert now is not None
    given = agent.distribution()[0]
    np.testing.assert_allclose(
        given[env.setting.actions.numbers(now)],
        MerchantRouter(DEFAULT_ORDER).probabilities(now),
        rtol=1e-12,
    )
    assert given.sum() == pytest.approx(1.0)


def test_where_no_payment_is_open_it_stops() -> None:
    env = PaymentsEnv("small")
    agent = PolicyAgent(Uniform(), env)
    assert agent.act().tolist() == [env.setting.actions.stop]
    assert agent.distribution()[0].argmax() == env.setting.actions.stop


def test_a_policy_that_becomes_an_agent_and_a_policy_again_is_the_same() -> None:
    router = MerchantRouter(DEFAULT_ORDER)
    env = PaymentsVectorEnv(50, "small")
    env.reset(seed=1)
    now = env.running.now
    assert now is not None
    distribution = PolicyAgent(router, env).distribution()
    again = AgentPolicy.of(lambda seen: distribution, env)
    np.testing.assert_allclose(again.probabilities(now), router.probabilities(now), rtol=1e-12)
