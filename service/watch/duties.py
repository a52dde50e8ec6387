"""What the watching process does, in this order: sums first, as the others are judged by them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from sqlalchemy import Engine

from service.alarms.delivery import deliver_alarms
from service.alarms.duty import raise_alarms
from service.alarms.settings import AlarmsConfig
from service.shadows.duty import follow_shadows
from service.summaries.duty import add_up
from service.trials.duty import judge_trials

Duty: TypeAlias = Callable[[Engine, str, int], bool | None]
"""Of the engine, the merchant and the time (microseconds since 1970, UTC). It may be cut off
anywhere and done again. What it returns is true where it wants its next turn at once."""


def duties_of(alarms: AlarmsConfig) -> dict[str, Duty]:
    """The duties by name, in their order.

    Parameters
    ----------
    alarms
        of the merchant: when they are raised, and where they go.
    """
    return {
        "summaries": add_up,
        "shadows": follow_shadows,
        "trials": judge_trials,
        "alarms": partial(raise_alarms, config=alarms),
        "deliveries": partial(deliver_alarms, channels=alarms.channels),
    }
