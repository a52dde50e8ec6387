"""What a policy is played in: a world with its payments."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.rules import Rules
from simulator.protocol import World
from simulator.traffic import Traffic


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A place with its payments.

    Attributes
    ----------
    world, traffic, rules
        who takes part, which payments, and what may be done.
    slot_s
        seconds between two updates of a policy that learns.
    order
        routes as a merchant who knows no issuer would order them, best first.
    """

    world: World
    traffic: Traffic
    rules: Rules
    slot_s: float
    order: tuple[str, ...]
