"""The worlds by their names on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.errors import UserError
from simulator.protocol import World


@dataclass(frozen=True, slots=True)
class NamedWorld:
    """A world with an order of its routes.

    Attributes
    ----------
    world
        who takes part.
    order
        routes as a merchant who looks at strength alone would order them, best first.
    """

    world: World
    order: tuple[str, ...]


def named_world(name: str) -> NamedWorld:
    """``small``: nothing is hidden; ``cards``: balances, drift and outages are."""
    if name == "small":
        from simulator.logging_policy import DEFAULT_ORDER
        from simulator.small.world import small_world

        return NamedWorld(small_world(), DEFAULT_ORDER)
    if name == "cards":
        from simulator.world import make_world
        from simulator.world.cast_routes import DEFAULT_ORDER as CARDS_ORDER

        return NamedWorld(make_world(), CARDS_ORDER)
    raise UserError(f"there is no world {name!r}; expected cards or small")
