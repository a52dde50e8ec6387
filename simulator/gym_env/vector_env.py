"""Many payments at once: one batch of decisions per step, no loop over environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.errors import UserError
from authopt.rewards import Reward
from authopt.rules import Rules
from simulator.gym_env.env import DEFAULT_DAYS, DEFAULT_PAYMENTS
from simulator.gym_env.lanes import Acted, Lanes
from simulator.gym_env.setting import make_setting
from simulator.gym_env.views import (
    Observations,
    action_mask,
    infos,
    observation_space,
    observations,
)
from simulator.protocol import World


class PaymentsVectorEnv(VectorEnv[Observations, IntArray, npt.NDArray[Any]]):
    """``num_envs`` payments of one traffic side by side.

    Environment ``i`` of ``num_envs`` is ``PaymentsEnv(..., lane=i, lanes=num_envs)`` with the same
    seed: together they play the payments of one traffic, each of them once. What an environment
    meets depends on its own actions alone.

    Parameters
    ----------
    num_envs
        payments that are open at a time.
    autoreset_mode
        ``NextStep``: the step after the end of an episode resets, its action is ignored;
        ``SameStep``: the step that ends an episode resets, the blank last observation is in
        ``infos["final_obs"]``; ``Disabled``: ``reset(options={"reset_mask": bool[num_envs]})``
        does.
    world, reward, payments, days, start, payments_per_episode, rules, delays_s, truth
        as ``PaymentsEnv`` takes them.

    Attributes
    ----------
    setting
        what it is made of.
    running
        the open payments; ``running.now`` is their decisions as one batch.

    Raises
    ------
    UserError
        If a value is out of range, or a name or file is not known.
    """

    def __init__(
        self,
        num_envs: int = 1,
        world: str | World = "cards",
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        reward: str | Reward = "approved",
        payments: int = DEFAULT_PAYMENTS,
        days: float = DEFAULT_DAYS,
        start: np.datetime64 | None = None,
        payments_per_episode: int | None = 1,
        rules: Rules | None = None,
        delays_s: Sequence[int] | None = None,
        truth: bool = False,
    ) -> None:
        if num_envs < 1:
            raise UserError(f"num_envs is {num_envs}; expected at least 1")
        self.setting = make_setting(
            world,
            reward=reward,
            rules=rules,
            payments=payments,
            days=days,
            start=start,
            payments_per_episode=payments_per_episode,
            delays_s=delays_s,
            truth=truth,
        )
        self.num_envs = num_envs
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self._mode}
        self.single_observation_space = observation_space(self.setting)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.single_action_space = spaces.Discrete(self.setting.actions.size)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.running = Lanes(self.setting, np.arange(num_envs, dtype=np.int64), num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """The first decision of the next episode of every environment, or of those in a mask.

        Raises
        ------
        ValueError
            If the seed is not one whole number, or the mask is not bool[num_envs].
        """
        if seed is not None and not isinstance(seed, int | np.integer):
            raise ValueError(
                f"seed is {seed!r}; expected one whole number: the environments share a traffic"
            )
        mask = (options or {}).get("reset_mask")
        every = np.ones(self.num_envs, np.bool_) if mask is None else np.asarray(mask)
        if every.dtype != np.bool_ or every.shape != (self.num_envs,) or not every.any():
            raise ValueError(
                f"reset_mask has to be bool[{self.num_envs}] with one true value at least"
            )
        if seed is not None and not every.all():
            raise ValueError("a seed begins a new traffic for all: it goes with no reset_mask")
        super().reset(seed=None if seed is None else int(seed))
        if seed is not None:
            self.running.start(int(seed))
        elif self.running.seed is None:
            self.running.start(int(self.np_random.integers(2**31)))
        self.running.begin(np.flatnonzero(every))
        return observations(self.running), _with_masks(infos(self.running), every)

    def step(
        self, actions: IntArray
    ) -> tuple[Observations, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Take an action in every environment.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first ``reset``; without autoreset, where an episode is over.
        gymnasium.error.InvalidAction
            If there is no action of a number.
        """
        waiting = ~self.running.open
        disabled = self._mode == AutoresetMode.DISABLED
        if self.running.seed is None or (disabled and waiting.any()):
            raise ResetNeeded("an episode is over, or has not begun; call reset() first")
        acted = self.running.act(self._checked(actions))
        final: dict[str, Any] = {}
        if self._mode == AutoresetMode.NEXT_STEP and waiting.any():
            self.running.begin(np.flatnonzero(waiting))
        elif self._mode == AutoresetMode.SAME_STEP and acted.ended.any():
            final = self._final(acted)
            self.running.begin(np.flatnonzero(acted.ended))
        told = _with_masks(infos(self.running), np.ones(self.num_envs, np.bool_))
        # In a reset environment, info is that of the reset: the end is told in final_info.
        stepped = acted.acted & ~acted.ended if final else acted.acted
        told |= _with_masks(_came_back(acted, stepped), stepped) | final
        truncated = np.zeros(self.num_envs, np.bool_)
        return observations(self.running), acted.reward, acted.ended, truncated, told

    def action_masks(self) -> BoolArray:
        """bool[num_envs, actions], what is offered and allowed."""
        return np.asarray(action_mask(self.running) == 1)

    def _checked(self, actions: IntArray) -> IntArray:
        numbers = np.asarray(actions)
        if numbers.shape != (self.num_envs,) or numbers.dtype.kind not in "iu":
            raise InvalidAction(
                f"actions are {numbers.dtype}{list(numbers.shape)}; expected int[{self.num_envs}]"
            )
        wrong = (numbers < 0) | (numbers >= self.setting.actions.size)
        if wrong.any():
            raise InvalidAction(
                f"action {numbers[wrong][0]}; expected 0 to {self.setting.actions.stop}"
            )
        return numbers.astype(np.int64)

    def _final(self, acted: Acted) -> dict[str, Any]:
        """The last observation and info of the episodes that have just ended."""
        last = observations(self.running)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for lane in np.flatnonzero(acted.ended).tolist():
            final_obs[lane] = {name: array[lane] for name, array in last.items()}
        told = _with_masks(infos(self.running) | _came_back(acted, acted.ended), acted.ended)
        return {
            "final_obs": final_obs,
            "_final_obs": acted.ended.copy(),
            "final_info": told,
            "_final_info": acted.ended.copy(),
        }


def _came_back(acted: Acted, where: BoolArray) -> dict[str, npt.NDArray[Any]]:
    return {
        "approved": acted.approved & where,
        "illegal": acted.illegal & where,
        "fee_minor": np.where(where, acted.fee_minor, 0.0),
    }


def _with_masks(told: dict[str, npt.NDArray[Any]], where: BoolArray) -> dict[str, Any]:
    """Each array with ``_name``, which says in which environments it holds."""
    return told | {f"_{name}": where.copy() for name in told}
