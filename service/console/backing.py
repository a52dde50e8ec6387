"""What the pages of the console stand on."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from service.live.live import Live
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Backing:
    """What every page may read and change.

    Attributes
    ----------
    engine
        of the store.
    live
        the present state of every merchant.
    settings
        what the operator chose when the service was started.
    """

    engine: Engine
    live: Live
    settings: Settings
