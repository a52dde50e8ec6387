"""Which units of a trial have been seen, in bounded memory.

Whether cards or merchants came to the arms as planned is a question about units, not payments. So
each counts once; and where they are too many to remember, only those count whose hash is divisible
by a power of two. Which ones that are has nothing to do with their arm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

MOST_UNITS = 4_000


class SavedUnits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """:class:`UnitsSeen` as JSON holds them; hashes in hexadecimal, as few readers have 64 bits."""

    step: int
    arms: dict[str, int]


@dataclass(slots=True)
class UnitsSeen:
    """Units by hash, with the index of their arm; those whose hash is a multiple of ``step``."""

    step: int = 1
    arms: dict[int, int] = field(default_factory=dict)

    def add(self, units: Iterable[tuple[int, int]]) -> None:
        """See units: hash and index of the arm."""
        for unit, arm in units:
            if unit % self.step == 0:
                self.arms.setdefault(unit, arm)
        while len(self.arms) > MOST_UNITS:
            self.step *= 2
            self.arms = {unit: arm for unit, arm in self.arms.items() if unit % self.step == 0}

    def counts(self, arms: int) -> npt.NDArray[np.int64]:
        """int64[arms]: units of each arm among those that are remembered."""
        return np.bincount(
            np.fromiter(self.arms.values(), np.int64, len(self.arms)), minlength=arms
        ).astype(np.int64)

    def saved(self) -> SavedUnits:
        """All that it takes to go on."""
        return SavedUnits(self.step, {f"{unit:x}": arm for unit, arm in self.arms.items()})

    @classmethod
    def restored(cls, saved: SavedUnits) -> UnitsSeen:
        """What was saved."""
        return cls(saved.step, {int(unit, 16): arm for unit, arm in saved.arms.items()})
