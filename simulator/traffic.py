"""How many payments arrive, when, and the seed of everything that is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Traffic:
    """How much arrives and when.

    Attributes
    ----------
    payments
        number of payments.
    start
        when the first may arrive, UTC.
    days
        over how many days they arrive; less than 1 is a part of a day, over which they are spread
        evenly.
    seed
        of everything that is drawn.
    """

    payments: int
    start: np.datetime64 = np.datetime64("2026-01-05")  # noqa: RUF009
    days: float = 60
    seed: int = 1
