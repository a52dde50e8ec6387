"""The worlds as Gymnasium environments: importing this package registers ``authopt-Payments-v0``.

``gymnasium.make("simulator.gym_env:authopt-Payments-v0")`` imports it by itself.
"""

from __future__ import annotations

from authopt.errors import MissingExtra

try:
    import gymnasium
except ModuleNotFoundError as error:
    if error.name != "gymnasium":
        raise
    raise MissingExtra("gymnasium", "simulator", "the environment of payments") from error

from simulator.gym_env.agent_policy import AgentPolicy
from simulator.gym_env.env import PaymentsEnv
from simulator.gym_env.policy_agent import PolicyAgent
from simulator.gym_env.vector_env import PaymentsVectorEnv

ENV_ID = "authopt-Payments-v0"

__all__ = ["ENV_ID", "AgentPolicy", "PaymentsEnv", "PaymentsVectorEnv", "PolicyAgent"]

if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        id=ENV_ID,
        entry_point="simulator.gym_env.env:PaymentsEnv",
        vector_entry_point="simulator.gym_env.vector_env:PaymentsVectorEnv",
    )
