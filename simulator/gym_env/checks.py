"""Is the environment what Gymnasium asks for? Its own checker, and ours for the vector form."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from simulator.gym_env import ENV_ID
from simulator.protocol import World

ILLEGAL_SHARE = 0.1
"""Share of the actions that are drawn without regard to the mask."""


def check(world: str | World = "cards", *, num_envs: int = 4, steps: int = 40) -> list[str]:
    """Problems, one sentence each; none if all is well.

    Gymnasium's checker goes over the single environment, its warnings counting as problems. The
    vector environment is held against a ``SyncVectorEnv`` of single ones: the same actions have to
    give the same observations, rewards, ends and infos, in each mode of autoreset.

    Parameters
    ----------
    world
        by its name, or itself.
    num_envs, steps
        of the comparison.
    """
    problems = [f"single: {problem}" for problem in _by_gymnasium(world)]
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        found = _vector_against_single(world, mode, num_envs, steps)
        problems += [f"vector, {mode.value}: {problem}" for problem in found]
    return problems


def _by_gymnasium(world: str | World) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        env = gymnasium.make(ENV_ID, world=world)
        try:
            check_env(env.unwrapped)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        finally:
            env.close()
    return [str(warning.message) for warning in caught]


def _vector_against_single(
    world: str | World, mode: AutoresetMode, num_envs: int, steps: int
) -> Iterator[str]:
    vector = gymnasium.make_vec(ENV_ID, num_envs=num_envs, world=world, autoreset_mode=mode)
    single = SyncVectorEnv(
        [
            partial(gymnasium.make, ENV_ID, world=world, lane=lane, lanes=num_envs)
            for lane in range(num_envs)
        ],
        autoreset_mode=mode,
    )
    if vector.metadata.get("autoreset_mode") is not mode:
        yield f"metadata say {vector.metadata.get('autoreset_mode')}"
    for name in ("observation_space", "action_space", "single_action_space"):
        if getattr(vector, name) != getattr(single, name):
            yield f"{name} is not that of a SyncVectorEnv"
    yield from _differences(vector, single, num_envs, steps)


def _differences(
    vector: VectorEnv[Any, Any, Any], single: SyncVectorEnv[Any, Any], num_envs: int, steps: int
) -> Iterator[str]:
    rng = np.random.default_rng(1)
    ours: tuple[Any, ...] = vector.reset(seed=7)
    theirs: tuple[Any, ...] = single.reset(seed=[7] * num_envs)
    for step in range(steps + 1):
        if ours[0] not in vector.observation_space:
            yield f"step {step}: the observation is not in its space"
        for name, one, other in zip(_NAMES[len(ours)], ours, theirs, strict=True):
            for path in _unequal(one, other):
                yield f"step {step}: {name}{path} differs from that of the single environments"
        actions = masked_random(ours[0]["action_mask"], rng)
        anyhow = rng.random(num_envs) < ILLEGAL_SHARE
        size = ours[0]["action_mask"].shape[1]
        actions = np.where(anyhow, rng.integers(size, size=num_envs), actions)
        ours, theirs = vector.step(actions), single.step(actions)


_NAMES = {
    2: ("observation", "info"),
    5: ("observation", "reward", "terminated", "truncated", "info"),
}


def masked_random(mask: npt.NDArray[np.int8], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """int64[n], an unmasked action for each row of a mask, all with equal probability."""
    return np.asarray((rng.random(mask.shape) * (mask == 1)).argmax(axis=1), np.int64)


def _unequal(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two values differ; of infos only what their masks say is there."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for name in dict.fromkeys([*one, *other]):
            here = one.get(f"_{name}")
            missing = name not in one or name not in other
            if missing and (name.startswith("_") or (here is not None and not here.any())):
                continue
            if missing:
                found.append(f"{path}[{name!r}]")
            elif here is not None and not isinstance(one[name], dict):
                found += _unequal(one[name][here], other[name][here], f"{path}[{name!r}]")
            else:
                found += _unequal(one[name], other[name], f"{path}[{name!r}]")
        return found
    if isinstance(one, np.ndarray) and one.dtype == object:
        pairs = zip(one, other, strict=True)
        return [found for left, right in pairs for found in _unequal(left, right, path)]
    same = np.array_equal(one, other) and np.asarray(one).dtype == np.asarray(other).dtype
    return [] if same else [path]
