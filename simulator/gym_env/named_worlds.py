"""One world per name for all environments of a process, and the delays that a world offers."""

from __future__ import annotations

from functools import cache

import numpy as np

from authopt.errors import UserError
from simulator import worlds
from simulator.protocol import World


@cache
def named_world(name: str) -> World:
    """``cards`` or ``small``, as :func:`simulator.worlds.named_world` makes it."""
    return worlds.named_world(name).world


def delays_of(world: World) -> tuple[int, ...]:
    """All delays that a world offers, in seconds, increasing.

    Raises
    ------
    UserError
        If the world does not tell its offers.
    """
    offers = getattr(world, "offers", None)
    if offers is None:
        raise UserError(
            f"the world {type(world).__name__} does not tell what it offers; give all of its "
            "delays as delays_s, in seconds, increasing"
        )
    return tuple(np.unique(offers.delay_s).tolist())
