"""The single environment: Gymnasium's contract, the rules, and the payments of the simulator."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics, TimeLimit

from authopt.errors import UserError
from authopt.rules import MerchantRules, apply_rules, load_rules
from authopt.rules.merchant_routes import RouteDown
from simulator.gym_env import ENV_ID, PaymentsEnv
from simulator.gym_env.named_worlds import named_world
from simulator.world import WorldSettings, make_world

Step = tuple[Any, float, bool, bool, dict[str, Any]]


@cache
def cards() -> Any:
    return make_world(WorldSettings(issuers=60, cards=20_000, merchants=12))


def small(**kwargs: Any) -> PaymentsEnv:
    env = gymnasium.make(ENV_ID, **{"world": "small", **kwargs}).unwrapped
    assert isinstance(env, PaymentsEnv)
    return env


def played(env: PaymentsEnv, seed: int, actions: int, steps: int) -> list[Any]:
    """Everything that an environment says while masked random actions are taken."""
    env.action_space.seed(actions)
    observation, info = env.reset(seed=seed)
    told: list[Any] = [(observation, info)]
    for _ in range(steps):
        step = env.step(env.action_space.sample(info["action_mask"]))
        told.append(step)
        info = step[4]
        if step[2]:
            observation, info = env.reset()
            told.append((observation, info))
    return told


def steps_of(told: list[Any]) -> list[Step]:
    return [each for each in told if len(each) == 5]


@pytest.mark.parametrize("world", ["small", "cards"])
def test_gymnasiums_own_checker_is_green_and_warns_of_nothing(world: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(ENV_ID, world="small" if world == "small" else cards(), truth=True)
        check_env(env.unwrapped)


def test_it_can_be_made_without_importing_the_package_first() -> None:
    code = (
        "import gymnasium; env = gymnasium.make('simulator.gym_env:authopt-Payments-v0', "
        "world='small'); print(env.reset(seed=1)[1]['decision_id'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "p1-00000000-1\n"


def test_without_gymnasium_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "from authopt.errors import UserError\n"
        "try:\n    import simulator.gym_env\nexcept UserError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'authopt[simulator]'" in done.stdout


@pytest.mark.parametrize("world", ["small", "cards"])
def test_every_observation_is_in_its_space(world: str) -> None:
    env = small() if world == "small" else small(world=cards())
    for told in played(env, 5, 6, 60):
        assert told[0] in env.observation_space
        np.testing.assert_array_equal(told[0]["action_mask"], told[-1]["action_mask"])


def test_the_same_seed_and_actions_give_the_same_trajectory() -> None:
    first, second = played(small(), 3, 4, 30), played(small(), 3, 4, 30)
    np.testing.assert_equal(first, second)
    assert first[0][1]["payment_id"] != played(small(), 4, 4, 1)[0][1]["payment_id"]


def test_episodes_go_on_through_the_payments_of_the_traffic() -> None:
    env = small(payments=50)
    env.reset(seed=2)
    told = [env.reset()[1]["payment_id"] for _ in range(70)]
    assert told == [f"p2-{number:08}" for number in range(1, 71)]


def test_lanes_share_the_payments_of_one_traffic() -> None:
    ids: list[str] = []
    for lane in range(3):
        env = small(lane=lane, lanes=3)
        ids.append(env.reset(seed=2)[1]["payment_id"])
        ids += [env.reset()[1]["payment_id"] for _ in range(3)]
    assert sorted(ids) == [f"p2-{number:08}" for number in range(12)]


def test_the_mask_is_what_the_world_offers_and_the_rules_allow() -> None:
    env = small()
    env.action_space.seed(3)
    observation, info = env.reset(seed=8)
    masked = 0
    for _ in range(60):
        observation, _, ended, _, info = env.step(env.action_space.sample(info["action_mask"]))
        if ended:
            observation, info = env.reset()
        now = env.running.now
        assert now is not None
        assert apply_rules(now, env.setting.rules).keep.all()
        allowed = {
            number
            for number in range(env.setting.actions.size)
            if env.setting.actions.action(number) in now.actions(0)
        }
        assert set(np.flatnonzero(observation["action_mask"]).tolist()) == allowed
        masked += env.setting.actions.size - len(allowed)
    assert masked


def test_rules_mask_what_the_world_offers() -> None:
    offered = small().reset(seed=1)[0]["action_mask"].sum()
    strict = small(rules=load_rules(merchant=MerchantRules(max_attempts=1)))
    attempts = [step[4]["attempt"] for step in steps_of(played(strict, 1, 2, 60))]
    assert offered > 1
    assert set(attempts) == {0}


def test_masked_sampling_is_never_illegal() -> None:
    assert not any(step[4]["illegal"] for step in steps_of(played(small(), 11, 12, 80)))


def test_a_masked_action_is_not_sent_and_gives_the_payment_up() -> None:
    env = small()
    _, info = env.reset(seed=1)
    masked = int(np.flatnonzero(info["action_mask"] == 0)[0])
    observation, reward, ended, truncated, info = env.step(masked)
    assert (reward, ended, truncated) == (0.0, True, False)
    assert info["illegal"]
    assert not info["approved"]
    assert info["fee_minor"] == 0.0
    assert not observation["features"].any()


def test_the_last_observation_is_blank_and_leaves_nothing_but_stop() -> None:
    env = small()
    for step in steps_of(played(env, 5, 6, 50)):
        if step[2]:
            assert not step[0]["features"].any()
            assert not step[0]["categories"].any()
            allowed = np.flatnonzero(step[0]["action_mask"]).tolist()
            assert allowed == [env.setting.actions.stop]
            assert (step[4]["payment_id"], step[4]["decision_id"]) == ("", "")


def test_an_approval_ends_the_payment_and_is_rewarded_with_one() -> None:
    for step in steps_of(played(small(), 5, 6, 60)):
        assert step[1] == float(step[4]["approved"])
        if step[4]["approved"]:
            assert step[2]


def test_an_episode_can_hold_several_payments() -> None:
    env = small(payments_per_episode=5)
    told = played(env, 5, 6, 50)
    episodes: list[set[str]] = [set()]
    for each in told:
        if each[-1]["payment_id"]:
            episodes[-1].add(each[-1]["payment_id"])
        if len(each) == 5 and each[2]:
            episodes.append(set())
    assert len(episodes) > 3
    assert {len(payments) for payments in episodes[:-1]} == {5}


def test_an_endless_episode_never_ends() -> None:
    env = small(payments_per_episode=None)
    told = steps_of(played(env, 5, 6, 50))
    assert not any(step[2] for step in told)
    assert len({step[4]["payment_id"] for step in told}) > 15


def test_the_truth_is_told_only_to_who_asks() -> None:
    world = named_world("small")
    env = small(truth=True)
    _, info = env.reset(seed=1)
    now = env.running.now
    assert now is not None
    chance = np.zeros(env.setting.actions.size)
    chance[env.setting.actions.numbers(now)] = world.approval_probability(now)
    np.testing.assert_array_equal(info["true_probability"], chance)
    assert "true_probability" not in small().reset(seed=1)[1]


def test_an_episode_that_is_over_has_to_be_reset() -> None:
    env = small(payments_per_episode=1)
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset(seed=1)
    env.step(env.setting.actions.stop)
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_a_number_without_action_is_refused() -> None:
    env = small()
    env.reset(seed=1)
    for number in (-1, env.setting.actions.size):
        with pytest.raises(InvalidAction, match=f"action {number}; expected 0 to"):
            env.step(number)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"world": "none"}, "none"),
        ({"payments": 0}, "payments is 0"),
        ({"days": 0}, "days is 0"),
        ({"payments_per_episode": 0}, "payments_per_episode is 0"),
        ({"lane": 2, "lanes": 2}, "lane 2 of 2"),
        ({"reward": "luck"}, "luck"),
    ],
)
def test_what_cannot_be_made_is_a_users_error(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PaymentsEnv(**{"world": "small", **kwargs})


def test_rules_that_forbid_everything_are_told_and_do_not_hang() -> None:
    down = tuple(RouteDown(route) for route in named_world("small").route_names)
    env = small(rules=load_rules(merchant=MerchantRules(rules=down)))
    with pytest.raises(UserError, match="the rules forbid every action of 1000 payments"):
        env.reset(seed=1)


def test_payments_without_an_allowed_action_are_passed_over() -> None:
    down = tuple(
        RouteDown(route) for route in named_world("small").route_names if route != "cordillera"
    )
    env = small(rules=load_rules(merchant=MerchantRules(rules=down)))
    env.reset(seed=1)
    for _ in range(20):
        now = env.running.now
        assert now is not None
        assert now.context["currency"].values() == ["BRL"]  # type: ignore[union-attr]
        env.reset()


def test_a_reward_that_an_action_does_not_have_is_told() -> None:
    env = small(reward="column:latency_ms:0:100000")
    env.reset(seed=1)
    with pytest.raises(UserError, match="'latency_ms' is not known after stop"):
        env.step(env.setting.actions.stop)


def test_wrappers_of_gymnasium_work_on_it() -> None:
    made = gymnasium.make(ENV_ID, world="small", payments_per_episode=None)
    env = RecordEpisodeStatistics(TimeLimit(FlattenObservation(made), 20))
    observation, info = env.reset(seed=1)
    env.action_space.seed(1)
    assert observation in env.observation_space
    total = 0.0
    for step in range(20):
        action = env.action_space.sample(info["action_mask"])
        observation, reward, ended, truncated, info = env.step(action)
        assert observation in env.observation_space
        assert (ended, truncated) == (False, step == 19)
        total += float(reward)
    assert info["episode"]["r"] == total
    assert info["episode"]["l"] == 20


@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_in_mid_episode_goes_on_alike(again: Any) -> None:
    env = small()
    played(env, 3, 4, 7)
    env.reset()
    other = again(env)
    for _ in range(10):
        mine, copied = env.step(0), other.step(0)
        np.testing.assert_equal(mine, copied)
        if mine[2]:
            np.testing.assert_equal(env.reset(), other.reset())


def test_masks_are_offered_as_bools_to_who_asks_by_method() -> None:
    env = small()
    observation, _ = env.reset(seed=1)
    assert env.action_masks().dtype == np.bool_
    np.testing.assert_array_equal(env.action_masks(), observation["action_mask"] == 1)


def test_a_decision_can_be_read_as_text() -> None:
    env = small(render_mode="ansi")
    env.reset(seed=1)
    text = env.render()
    assert text is not None
    assert text.startswith("payment p1-00000000, attempt 1")
    assert "actions: atlas" in text
    env.step(env.setting.actions.stop)
    assert env.render() == "last: not allowed, payment given up, reward 0\nno open payment"
