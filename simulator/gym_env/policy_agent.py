"""A policy as an agent of the environment: it acts there as it acts in the simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.policies.protocol import Policy
from authopt.sampling import normalise, sample, uniforms
from simulator.gym_env.env import PaymentsEnv
from simulator.gym_env.vector_env import PaymentsVectorEnv


@dataclass(frozen=True, slots=True, eq=False)
class PolicyAgent:
    """Lets any policy act in an environment.

    A policy needs the decision itself, which holds more than the observation; so the agent reads
    it in the environment, not from the observation.

    Attributes
    ----------
    policy
        whose probabilities are meant.
    env
        unwrapped, single or vector.
    """

    policy: Policy
    env: PaymentsEnv | PaymentsVectorEnv

    def distribution(self) -> FloatArray:
        """float64[lanes, actions], the policy's probabilities; ``stop`` where nothing is open."""
        lanes = self.env.running
        given = np.zeros((lanes.count, lanes.setting.actions.size))
        given[:, lanes.setting.actions.stop] = 1.0
        if lanes.now is not None:
            probability = normalise(lanes.now, self.policy.probabilities(lanes.now))
            offered = lanes.position >= 0
            given[lanes.lane] = np.where(offered, probability[lanes.position], 0.0)
        return given

    def act(self) -> IntArray:
        """int64[lanes], drawn by decision id as ``simulate`` draws with the traffic's seed."""
        lanes = self.env.running
        actions = np.full(lanes.count, lanes.setting.actions.stop, np.int64)
        now = lanes.now
        if now is not None:
            probability = normalise(now, self.policy.probabilities(now))
            uniform = uniforms(now.decision_id, f"simulate:{lanes.seed}")
            drawn = now.offsets[:-1] + sample(now, probability, uniform)
            actions[lanes.lane] = lanes.setting.actions.numbers(now)[drawn]
        return actions
