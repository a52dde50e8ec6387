"""Everything that an environment is made of and that no step changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from authopt.batch import Categorical, DecisionBatch
from authopt.decision import decide
from authopt.errors import UserError
from authopt.policies.uniform import Uniform
from authopt.rewards import Reward, parse_reward
from authopt.rules import DEFAULT_RULES, Rules
from simulator.gym_env.action_list import ActionList
from simulator.gym_env.named_worlds import delays_of, named_world
from simulator.gym_env.observation import CATEGORIES, Encoder
from simulator.protocol import World
from simulator.traffic import Traffic

PROBE = Traffic(512)
"""Payments that are looked at to know the values of the categories."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """World, actions, observation, rules and reward of an environment.

    Attributes
    ----------
    world
        who takes part.
    actions
        what an action's number means.
    encoder
        what an agent sees.
    rules
        what is allowed.
    reward
        of a decision with its outcome.
    traffic
        how densely payments arrive; its seed is that of ``reset``, and payments go on to arrive at
        the same rate after its last.
    payments_per_episode
        after how many payments an episode ends; None: never.
    truth
        whether ``info`` tells the true chance of approval of every action.
    """

    world: World
    actions: ActionList
    encoder: Encoder
    rules: Rules
    reward: Reward
    traffic: Traffic
    payments_per_episode: int | None
    truth: bool


def make_setting(
    world: str | World,
    *,
    reward: str | Reward,
    rules: Rules | None,
    payments: int,
    days: float,
    start: np.datetime64 | None,
    payments_per_episode: int | None,
    delays_s: Sequence[int] | None,
    truth: bool,
) -> Setting:
    """Check what a user asks for, and make it; the parameters are those of ``PaymentsEnv``.

    Raises
    ------
    UserError
        If a value is out of range or a name is not known.
    """
    for name, value in (("payments", payments), ("days", days)):
        if not value > 0:
            raise UserError(f"{name} is {value}; expected more than 0")
    if payments_per_episode is not None and payments_per_episode < 1:
        raise UserError(
            f"payments_per_episode is {payments_per_episode}; expected at least 1, or None for "
            "an episode that does not end"
        )
    if isinstance(world, str):
        world = named_world(world)
    rules = DEFAULT_RULES if rules is None else rules
    delays = delays_of(world) if delays_s is None else tuple(delays_s)
    beginning = Traffic(payments).start if start is None else np.datetime64(start)
    return Setting(
        world=world,
        actions=ActionList(world.route_names, delays),
        encoder=Encoder(_levels(cast(Any, world)), rules),
        rules=rules,
        reward=parse_reward(reward) if isinstance(reward, str) else reward,
        traffic=Traffic(payments, beginning, days),
        payments_per_episode=payments_per_episode,
        truth=truth,
    )


@lru_cache(maxsize=16)
def _levels(world: World) -> Mapping[str, tuple[str, ...]]:
    """The values of each category: those of first attempts, and of what came back."""
    first = world.arrivals(PROBE, 0, PROBE.payments)
    logged = decide(first, Uniform()).logged()
    outcome = world.with_outcome(logged, PROBE.seed)
    later = world.following(outcome, PROBE.seed)
    levels = {}
    for name in CATEGORIES:
        values = [*_values(first, name), *_values(later, name)]
        if name == "previous_route":
            values = [*world.route_names]
        levels[name] = tuple(dict.fromkeys(values))
    return levels


def _values(batch: DecisionBatch, name: str) -> tuple[str, ...]:
    column = batch.context.get(name)
    return column.categories if isinstance(column, Categorical) else ()
