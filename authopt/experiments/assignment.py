"""Which arm of a trial a unit belongs to: fixed by its id and the trial's salt, kept nowhere.

A unit is what stays with its arm: a payment with its retries, a card or a merchant. Two hashes of
its id, independent of each other and of the hash that draws the action, say whether it is in the
trial and in which arm. So whichever machine sees it, now or in a replay, comes to the same arm, and
nothing about a payment but its unit's id can sway it (Kohavi, Tang and Xu, "Trustworthy Online
Controlled Experiments", 2020, chapter 21, on assignment by hashing and its checks).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.hashing import hash_strings, salted, unit_interval, unit_of

NO_ARM = -1
"""In place of an arm, for a unit that is not in the trial."""

MAX_ARMS = 20
MAX_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class Assignment:
    """Arms with their weights, and the share of the units that are in the trial at all.

    Raising the share leaves every unit that was in the trial in it, in the same arm. Moving weight
    to the first of two arms, their sum the same, leaves every unit that was in the first arm there.
    Nothing of the kind holds where weights change otherwise.

    Attributes
    ----------
    salt
        of the trial; two trials with different ones split units independently of each other.
    arms
        names, all different.
    weights
        of the arms, from 0 to 1,000,000, not all 0; an arm gets its part of the sum.
    share
        of the units that are in the trial, above 0 and at most 1.

    Raises
    ------
    UserError
        If these do not fit.
    """

    salt: str
    arms: tuple[str, ...]
    weights: tuple[int, ...]
    share: float = 1.0
    _ends: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.arms) <= MAX_ARMS or len(set(self.arms)) < len(self.arms):
            raise UserError(f"arms: expected 1 to {MAX_ARMS} different names")
        if len(self.weights) != len(self.arms):
            raise UserError(f"weights: expected one for each of {len(self.arms)} arms")
        if not all(0 <= weight <= MAX_WEIGHT for weight in self.weights) or not any(self.weights):
            raise UserError(
                f"weights: expected whole numbers from 0 to {MAX_WEIGHT:,}, not all of them 0"
            )
        if not 0.0 < self.share <= 1.0:
            raise UserError(f"share {self.share:g}: expected a number above 0, at most 1")
        *ends, total = accumulate(self.weights)
        object.__setattr__(self, "_ends", tuple(end / total for end in ends))

    @property
    def planned(self) -> FloatArray:
        """float64[number of arms]: the part of the trial's units that each arm gets."""
        return np.array(self.weights, np.float64) / sum(self.weights)

    def arm_of(self, unit: str) -> str | None:
        """The arm of one unit; None where it is not in the trial."""
        if self.share < 1.0 and unit_of(unit, self._salt_of_share) >= self.share:
            return None
        return self.arms[bisect_right(self._ends, unit_of(unit, self._salt_of_arm))]

    def arms_of(self, units: pa.StringArray) -> npt.NDArray[np.int64]:
        """As :meth:`arm_of` for many units.

        Parameters
        ----------
        units
            ids, length n; a missing one is in no trial.

        Returns
        -------
        int64[n]
            index into ``arms``; ``NO_ARM`` where a unit is not in the trial.
        """
        hashes = hash_strings(units.fill_null("") if units.null_count else units)
        arms = np.searchsorted(
            np.array(self._ends, np.float64),
            unit_interval(salted(hashes, self._salt_of_arm)),
            side="right",
        ).astype(np.int64)
        if self.share < 1.0:
            outside = unit_interval(salted(hashes, self._salt_of_share)) >= self.share
            arms[outside] = NO_ARM
        if units.null_count:
            arms[np.asarray(units.is_null())] = NO_ARM
        return arms

    @property
    def _salt_of_share(self) -> str:
        return f"share:{self.salt}"

    @property
    def _salt_of_arm(self) -> str:
        return f"arm:{self.salt}"
