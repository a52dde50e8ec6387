"""The vector environment is so many single ones, only at once."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from authopt.errors import UserError
from authopt.rules import apply_rules
from simulator.gym_env import ENV_ID, PaymentsVectorEnv
from simulator.gym_env.checks import masked_random

MODES = ("NextStep", "SameStep")


def vector(num_envs: int = 6, **kwargs: Any) -> PaymentsVectorEnv:
    env = gymnasium.make_vec(ENV_ID, num_envs=num_envs, **{"world": "small", **kwargs})
    assert isinstance(env, PaymentsVectorEnv)
    return env


def singles(num_envs: int, mode: str, **kwargs: Any) -> SyncVectorEnv[Any, Any]:
    return SyncVectorEnv(
        [
            partial(gymnasium.make, ENV_ID, world="small", lane=lane, lanes=num_envs, **kwargs)
            for lane in range(num_envs)
        ],
        autoreset_mode=mode,
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("payments_per_episode", [1, 3])
def test_it_tells_what_single_environments_tell(mode: str, payments_per_episode: int) -> None:
    n = 4
    ours = vector(n, autoreset_mode=mode, payments_per_episode=payments_per_episode, truth=True)
    theirs = singles(n, mode, payments_per_episode=payments_per_episode, truth=True)
    rng = np.random.default_rng(1)
    observation, info = ours.reset(seed=5)
    expected, expected_info = theirs.reset(seed=[5] * n)
    for _ in range(25):
        np.testing.assert_equal(observation, expected)
        for name in ("action_mask", "true_probability", "attempt"):
            np.testing.assert_array_equal(info[name], expected_info[name])
        assert info["decision_id"].tolist() == expected_info["decision_id"].tolist()
        actions = masked_random(observation["action_mask"], rng)
        observation, reward, ended, truncated, info = ours.step(actions)
        expected, *rest, expected_info = theirs.step(actions)
        np.testing.assert_equal([reward, ended, truncated], rest)


def test_actions_against_the_mask_end_alike_in_both() -> None:
    ours, theirs = vector(5), singles(5, "NextStep")
    ours.reset(seed=2)
    theirs.reset(seed=[2] * 5)
    rng = np.random.default_rng(3)
    illegal = 0
    for _ in range(15):
        actions = rng.integers(ours.setting.actions.size, size=5)
        mine, other = ours.step(actions), theirs.step(actions)
        np.testing.assert_equal(mine[:4], other[:4])
        told = mine[4]["_illegal"]
        np.testing.assert_array_equal(told, other[4].get("_illegal", np.zeros(5, np.bool_)))
        if told.any():
            np.testing.assert_array_equal(mine[4]["illegal"][told], other[4]["illegal"][told])
        illegal += int(mine[4]["illegal"].sum())
    assert illegal > 10


@pytest.mark.parametrize("mode", [*MODES, "Disabled"])
def test_the_mode_of_autoreset_is_declared(mode: str) -> None:
    assert vector(autoreset_mode=mode).metadata["autoreset_mode"] is AutoresetMode(mode)


def test_observations_and_actions_are_in_their_spaces() -> None:
    env = vector(7)
    env.action_space.seed(1)
    observation, info = env.reset(seed=1)
    for _ in range(20):
        assert observation in env.observation_space
        masks = tuple(info["action_mask"])
        actions = env.action_space.sample(mask=masks)
        observation, _, _, _, info = env.step(actions)
        assert not info["illegal"].any()


def test_no_action_that_is_offered_breaks_a_rule() -> None:
    env = vector(64, autoreset_mode="SameStep")
    rng = np.random.default_rng(1)
    observation, _ = env.reset(seed=1)
    for _ in range(10):
        now = env.running.now
        assert now is not None
        assert apply_rules(now, env.setting.rules).keep.all()
        observation, *_ = env.step(masked_random(observation["action_mask"], rng))


def test_the_environments_play_each_payment_of_the_traffic_once() -> None:
    env = vector(8, autoreset_mode="SameStep")
    _, info = env.reset(seed=1)
    seen = set(info["payment_id"])
    begun = 8
    stop = np.full(8, env.setting.actions.stop)
    for _ in range(10):
        _, _, ended, _, info = env.step(stop)
        assert ended.all()
        seen |= set(info["payment_id"])
        begun += 8
    assert seen == {f"p1-{number:08}" for number in range(begun)}


def test_what_a_lane_meets_hangs_on_its_own_actions_alone() -> None:
    def first_lane(others: int) -> list[Any]:
        env = vector(3, autoreset_mode="SameStep")
        env.reset(seed=1)
        told = []
        for _ in range(20):
            observation, reward, *_ = env.step(np.array([0, others, others]))
            told.append((observation["features"][0], reward[0]))
        return told

    np.testing.assert_equal(first_lane(5), first_lane(25))


def test_environments_that_drift_apart_still_get_their_payments() -> None:
    env = vector(2, autoreset_mode="SameStep")
    env.reset(seed=1)
    stop = env.setting.actions.stop
    alone = vector(2, autoreset_mode="SameStep")
    alone.reset(seed=1)
    for _ in range(300):
        env.running.begin(np.array([1]))
    _, _, _, _, info = env.step(np.array([stop, stop]))
    _, _, _, _, expected = alone.step(np.array([stop, stop]))
    assert info["payment_id"][0] == expected["payment_id"][0]
    assert info["payment_id"][1] == f"p1-{2 * 301 + 1:08}"


def test_without_autoreset_the_mask_says_who_is_reset() -> None:
    env = vector(3, autoreset_mode="Disabled")
    env.reset(seed=1)
    stop = env.setting.actions.stop
    _, _, ended, _, _ = env.step(np.full(3, stop))
    assert ended.all()
    with pytest.raises(ResetNeeded):
        env.step(np.full(3, stop))
    _, info = env.reset(options={"reset_mask": np.array([True, False, True])})
    assert info["payment_id"].tolist() == ["p1-00000003", "", "p1-00000005"]
    assert info["_payment_id"].tolist() == [True, False, True]
    env.reset(options={"reset_mask": np.array([False, True, False])})
    env.step(np.zeros(3, np.int64))


@pytest.mark.parametrize(
    ("seed", "mask"),
    [([1, 2, 3], None), (None, np.zeros(3, np.bool_)), (None, [1, 0, 1]), (1, [True, False, True])],
)
def test_a_reset_that_makes_no_sense_is_refused(seed: Any, mask: Any) -> None:
    env = vector(3)
    with pytest.raises(ValueError, match=r"seed|reset_mask"):
        env.reset(seed=seed, options=None if mask is None else {"reset_mask": mask})


@pytest.mark.parametrize("actions", [[0, 1], [0, 1, 99], [0, 1, -1], [0.0, 1.0, 2.0]])
def test_actions_that_do_not_fit_are_refused(actions: list[float]) -> None:
    env = vector(3)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(3, np.int64))
    env.reset(seed=1)
    with pytest.raises(InvalidAction, match="expected"):
        env.step(np.array(actions))


def test_no_environment_is_a_users_error() -> None:
    with pytest.raises(UserError, match="num_envs is 0"):
        PaymentsVectorEnv(0, "small")


@pytest.mark.parametrize("mode", MODES)
def test_statistics_of_gymnasiums_wrapper_are_those_of_the_payments(mode: str) -> None:
    env = RecordEpisodeStatistics(vector(16, autoreset_mode=mode))
    rng = np.random.default_rng(1)
    observation, _ = env.reset(seed=1)
    episodes, total, rewards = 0, 0.0, 0.0
    for _ in range(30):
        actions = masked_random(observation["action_mask"], rng)
        observation, reward, ended, _, info = env.step(actions)
        rewards += reward.sum()
        if ended.any():
            total += info["episode"]["r"].sum()
            episodes += int(ended.sum())
    assert episodes > 100
    assert total == rewards


def test_a_copy_in_mid_episode_goes_on_alike() -> None:
    env = vector(4)
    env.reset(seed=1)
    env.step(np.zeros(4, np.int64))
    other = copy.deepcopy(env)
    for action in (5, 0, 5):
        np.testing.assert_equal(
            env.step(np.full(4, action))[:4], other.step(np.full(4, action))[:4]
        )
