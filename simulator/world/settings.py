"""What a world is made from: a seed, sizes, and events that its routes and merchants meet."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.errors import UserError
from simulator.world.countries import COUNTRIES
from simulator.world.events import Event

MOST_CARDS = 10**8


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """Two worlds with equal settings are bit-identical, in whichever process they are made.

    The magnitudes of the default world are set so that a log of it lies within the published ranges
    of declines and recoveries (``simulator.calibration.published`` names them and their sources);
    the values that bring this about are invented.

    Attributes
    ----------
    seed
        of the cast: issuers, routes' tastes, cards, merchants and the walk of their strictness.
    issuers, cards, merchants
        how many; at least one issuer per country of ``countries.COUNTRIES``.
    bill_attempts
        most attempts of a merchant-initiated payment that the merchants' set-up offers.
    events
        what happens to routes and merchants, at times fixed beforehand.

    Raises
    ------
    UserError
        If a number is out of range.
    """

    seed: int = 20260101
    issuers: int = 300
    cards: int = 400_000
    merchants: int = 40
    bill_attempts: int = 8
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        bounds = {
            "issuers": (self.issuers, len(COUNTRIES), 30_000),
            "cards": (self.cards, 10 * self.issuers, MOST_CARDS),
            "merchants": (self.merchants, 1, 30_000),
            "bill_attempts": (self.bill_attempts, 1, 60),
        }
        for name, (value, least, most) in bounds.items():
            if not least <= value <= most:
                raise UserError(f"world: {name} is {value}; expected {least} to {most}")
