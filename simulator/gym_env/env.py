"""One payment after the other: the environment ``authopt-Payments-v0``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsInt

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import InvalidAction, ResetNeeded

from authopt.batch import BoolArray
from authopt.errors import UserError
from authopt.rewards import Reward
from authopt.rules import Rules
from simulator.gym_env.lanes import Acted, Lanes
from simulator.gym_env.rendering import text_of
from simulator.gym_env.setting import make_setting
from simulator.gym_env.views import (
    Observations,
    action_mask,
    infos,
    observation_space,
    observations,
)
from simulator.protocol import World

DEFAULT_PAYMENTS = 20_000
DEFAULT_DAYS = 60.0


class PaymentsEnv(gymnasium.Env[Observations, np.int64]):
    """Route and retry card payments: one step is one decision point, one episode is one payment.

    A masked action (not offered, or against the rules) is never sent: the payment is given up, as
    by ``stop``, and ``info["illegal"]`` is true. An episode ends when its payment is approved,
    given up or left without an action; the last observation is blank.

    ``reset(seed=s)`` goes to the first payment of the traffic of seed ``s``; ``reset()`` goes on to
    the next payment. The same seed and the same actions give the same trajectory.

    Parameters
    ----------
    world
        ``cards`` (balances, drift and outages are hidden) or ``small`` (nothing is), or a world.
    reward
        as ``authopt evaluate --reward`` takes it, or a ``Reward``; by default 1 for an approval.
    payments, days, start
        how densely payments arrive: so many in so many days, from a day on. They go on to arrive
        like that for as long as episodes are asked for.
    payments_per_episode
        payments that make an episode, one after the other; None: an episode that never ends.
    rules
        what is allowed; by default the tables that authopt ships.
    delays_s
        all delays that the world offers, where it does not tell itself.
    truth
        tell the true chances of approval in ``info["true_probability"]``.
    lane, lanes
        take payments ``lane``, ``lanes + lane``, ``2 * lanes + lane``, ... of the traffic.
    render_mode
        ``ansi``: the decision as lines of text.

    Attributes
    ----------
    setting
        what it is made of; ``setting.actions.action(number)`` says what a number means.
    running
        the open payment; ``running.now`` is the decision as a batch of one.

    Raises
    ------
    UserError
        If a value is out of range, or a name or file is not known.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(
        self,
        world: str | World = "cards",
        *,
        reward: str | Reward = "approved",
        payments: int = DEFAULT_PAYMENTS,
        days: float = DEFAULT_DAYS,
        start: np.datetime64 | None = None,
        payments_per_episode: int | None = 1,
        rules: Rules | None = None,
        delays_s: Sequence[int] | None = None,
        truth: bool = False,
        lane: int = 0,
        lanes: int = 1,
        render_mode: str | None = None,
    ) -> None:
        if not 0 <= lane < lanes:
            raise UserError(f"lane {lane} of {lanes}; expected 0 to {lanes - 1}")
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
        self.render_mode = render_mode
        self.observation_space = observation_space(self.setting)
        self.action_space = spaces.Discrete(self.setting.actions.size)
        self.running = Lanes(self.setting, np.array([lane], np.int64), lanes)
        self._acted: Acted | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """The first decision of the next episode; with a seed, of the first episode."""
        super().reset(seed=seed)
        if seed is not None:
            self.running.start(seed)
        elif self.running.seed is None:
            self.running.start(int(self.np_random.integers(2**31)))
        self.running.begin(np.zeros(1, np.int64))
        self._acted = None
        return self._observation(), self._info()

    def step(self, action: SupportsInt) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Take an action by its number.

        Raises
        ------
        gymnasium.error.ResetNeeded
            If no payment is open.
        gymnasium.error.InvalidAction
            If there is no action of that number.
        """
        if self.running.now is None:
            raise ResetNeeded("the episode is over, or has not begun; call reset() first")
        number = int(action)
        if not 0 <= number < self.setting.actions.size:
            raise InvalidAction(f"action {number}; expected 0 to {self.setting.actions.stop}")
        acted = self._acted = self.running.act(np.array([number], np.int64))
        info = self._info() | {
            "approved": bool(acted.approved[0]),
            "illegal": bool(acted.illegal[0]),
            "fee_minor": float(acted.fee_minor[0]),
        }
        return self._observation(), float(acted.reward[0]), bool(acted.ended[0]), False, info

    def action_masks(self) -> BoolArray:
        """bool[actions], what is offered and allowed, in the form that sb3-contrib asks for."""
        return np.asarray(action_mask(self.running)[0] == 1)

    def render(self) -> str | None:
        """The open decision and what came of the last one, as lines of text."""
        return text_of(self.running, self._acted) if self.render_mode == "ansi" else None

    def _observation(self) -> Observations:
        return {name: array[0] for name, array in observations(self.running).items()}

    def _info(self) -> dict[str, Any]:
        told = infos(self.running)
        return {
            name: array[0] if array.ndim > 1 or array.dtype == object else array[0].item()
            for name, array in told.items()
        }
