"""An agent of the environment as a policy: to be simulated, valued and evaluated like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from authopt.batch import DecisionBatch, FloatArray
from authopt.errors import UserError
from simulator.gym_env.env import PaymentsEnv
from simulator.gym_env.setting import Setting
from simulator.gym_env.vector_env import PaymentsVectorEnv
from simulator.gym_env.views import Observations, observations_of

Agent = Callable[[Observations], npt.NDArray[Any]]
"""From observations with n rows: int[n], action numbers; or float[n, actions], a distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class AgentPolicy:
    """What an agent of the environment would do at any decisions of that world.

    Attributes
    ----------
    agent
        a function of the observations (a dict of arrays with one row per decision) that gives
        action numbers, taken with probability 1, or a distribution over all actions for each row.
        It has to heed the mask: probability on masked actions is left out and the rest scaled up.
    setting
        that of the environment: ``env.unwrapped.setting``.
    """

    agent: Agent
    setting: Setting
    name: str = "agent"

    @classmethod
    def of(
        cls, agent: Agent, env: PaymentsEnv | PaymentsVectorEnv, name: str = "agent"
    ) -> AgentPolicy:
        """With the actions and observations of an (unwrapped) environment."""
        return cls(agent, env.setting, name)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], summing to 1 within each decision.

        Raises
        ------
        UserError
            If the agent gives a decision nothing but masked actions, or no distribution.
        """
        if not batch.n:
            return np.zeros(0)
        given = np.asarray(self.agent(observations_of(batch, self.setting)))
        size = self.setting.actions.size
        number = self.setting.actions.numbers(batch)
        row = batch.decision_of_action
        if given.shape == (batch.n,) and given.dtype.kind in "iu":
            weight = (number == given[row]).astype(np.float64)
        elif given.shape == (batch.n, size) and given.dtype.kind == "f":
            weight = np.where(number >= 0, given[row, number], 0.0).astype(np.float64)
        else:
            raise UserError(
                f"the agent {self.name!r} gave {given.dtype}{list(given.shape)}; expected action "
                f"numbers int[{batch.n}] or a distribution float[{batch.n}, {size}]"
            )
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise UserError(f"the agent {self.name!r} gave a negative or infinite probability")
        total = batch.sum_by_decision(weight)
        if not (total > 0).all():
            first = int(np.flatnonzero(total <= 0)[0])
            raise UserError(
                f"decision {batch.decision_id[first]}: the agent {self.name!r} gave masked actions "
                "alone; it has to choose by observation['action_mask']"
            )
        return np.asarray(weight / total[row])
