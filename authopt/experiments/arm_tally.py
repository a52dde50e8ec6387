"""What an experiment keeps of its units: counts of their values by arm, however many there are.

A unit's value enters less a prediction, which nothing but the past may have made, or less a centre:
the mean of the first units, whatever their arm. Neither has anything to do with the arm, so neither
moves the difference between arms; they only take away variance that arms have in common. The first
units themselves are not bet on: with a poor centre they would say little, and if they came arm by
arm they would mislead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec
import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.errors import UserError
from authopt.evaluation.betting.score_tally import Tally
from authopt.evaluation.buckets import BUCKETS, UIntArray, bucket_of
from authopt.experiments.bets import USUAL_UNITS

FIRST_UNITS = 50
"""Their mean is the centre of all that come after; its error adds 2% to the variance."""

UNITS, VALUE, SQUARES, REST, REST_SQUARES = range(5)
"""Columns of :attr:`ArmTally.moments`."""


class SavedTally(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An :class:`ArmTally` as JSON holds it, exactly."""

    arms: tuple[str, ...]
    shares: tuple[float, ...]
    bounds: tuple[float, float] | None
    predicted: bool
    clustered: bool
    expected_units: int
    centre: float | None
    key: list[int]
    node: list[int]
    count: list[float]
    moments: list[list[float]]
    bucket_rows: list[list[float]]
    bucket_rest: list[list[float]]


@dataclass(slots=True, eq=False)
class ArmTally:
    """Values of the units of two or more arms.

    Attributes
    ----------
    arms
        names; the first is the baseline.
    shares
        part of the units that each arm gets, fixed beforehand: above 0, with a sum of 1.
    bounds
        smallest and largest possible value; None where there are none: then limits are asymptotic.
    predicted
        whether values come with predictions.
    clustered
        whether the values of a unit come one by one (a card's payments), so that they depend on
        each other; then limits are asymptotic, and every value counts as one.
    expected_units
        about how many it may take to decide; limits are the tightest there, and valid anyhow.
    centre
        of values scaled to [0, 1]; None while the first units come. If it is given, there are no
        first units; 0 for predicted values.
    counts
        of values less predictions, scaled: by arm for the first units, and for the others by arm
        and the number of arms added.
    moments
        float64[arms, 5], of each arm: number of values, their sum, the sum of their squares, and
        the last two for values less predictions.
    bucket_rows, bucket_rest
        float64[arms, 1024], number and sum of values less predictions, by bucket of the unit;
        float64[arms, 0] if not ``clustered``.

    Raises
    ------
    UserError
        If these do not fit.
    """

    arms: tuple[str, ...]
    shares: tuple[float, ...]
    bounds: tuple[float, float] | None = (0.0, 1.0)
    predicted: bool = False
    clustered: bool = False
    expected_units: int = USUAL_UNITS
    centre: float | None = None
    counts: Tally = field(default_factory=Tally)
    moments: FloatArray = field(default_factory=lambda: np.zeros((0, 5)))
    bucket_rows: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    bucket_rest: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        check_arms(self.arms, self.shares)
        if self.bounds is not None and not -np.inf < self.bounds[0] < self.bounds[1] < np.inf:
            raise UserError(f"bounds {self.bounds}: expected two finite numbers, the smaller first")
        if self.expected_units < 1:
            raise UserError(f"expected units {self.expected_units}: expected 1 or more")
        if self.predicted:
            self.centre = 0.0
        if not len(self.moments):
            arms, groups = len(self.arms), BUCKETS if self.clustered else 0
            self.moments = np.zeros((arms, 5))
            self.bucket_rows, self.bucket_rest = np.zeros((arms, groups)), np.zeros((arms, groups))

    @property
    def exact(self) -> bool:
        """Whether limits hold for any number of units, rather than for many."""
        return self.bounds is not None and not self.clustered

    def add(
        self,
        arm: IntArray,
        value: FloatArray,
        *,
        prediction: FloatArray | None = None,
        unit: UIntArray | None = None,
    ) -> None:
        """Count units, in the order in which they came; each once, when its value is final.

        Parameters
        ----------
        arm
            int64[n], index into ``arms``.
        value
            float64[n], within ``bounds``.
        prediction
            float64[n], of the value by what was known before the unit came; clipped to ``bounds``.
            Given if ``predicted``, and else not.
        unit
            uint64[n], hash of the unit; needed if ``clustered``.

        Raises
        ------
        UserError
            If a value is outside the bounds or not finite.
        """
        if (prediction is not None) != self.predicted or (unit is None and self.clustered):
            raise ValueError("prediction and unit must be given as the tally was made for")
        if not len(arm):
            return
        self._check(value)
        rest = value if prediction is None else value - self._within(prediction)
        if self.exact:
            self._count(arm, rest)
        for column, values in enumerate((None, value, value * value, rest, rest * rest)):
            self.moments[:, column] += np.bincount(arm, values, len(self.arms))
        if unit is not None and self.clustered:
            cell, size = arm * BUCKETS + bucket_of(unit), len(self.arms) * BUCKETS
            for sums, values in ((self.bucket_rows, None), (self.bucket_rest, rest)):
                sums += np.bincount(cell, values, size).reshape(-1, BUCKETS)

    def _check(self, value: FloatArray) -> None:
        low, high = (-np.inf, np.inf) if self.bounds is None else self.bounds
        wrong = np.flatnonzero(~((value >= low) & (value <= high) & np.isfinite(value)))
        if len(wrong):
            raise UserError(
                f"unit {int(wrong[0])}: a value of {value[wrong[0]]:g}; expected a finite number "
                f"within {low:g} and {high:g}"
            )

    def _within(self, prediction: FloatArray) -> FloatArray:
        return prediction if self.bounds is None else prediction.clip(*self.bounds)

    def _count(self, arm: IntArray, rest: FloatArray) -> None:
        assert self.bounds is not None
        low, high = self.bounds
        scaled = (rest - (0.0 if self.predicted else low)) / (high - low)
        first = 0
        if self.centre is None:
            before = int(self.moments[:, UNITS].sum())
            first = min(FIRST_UNITS - before, len(arm))
            self.counts.add(arm[:first], scaled[:first])
            if before + first == FIRST_UNITS:
                sums = self.moments[:, REST].sum() + rest[:first].sum()
                self.centre = float((sums / FIRST_UNITS - low) / (high - low))
        self.counts.add(arm[first:] + len(self.arms), scaled[first:])

    def saved(self) -> SavedTally:
        """All that it takes to go on, as JSON can hold it."""
        state = self.counts.state()
        return SavedTally(
            arms=self.arms,
            shares=self.shares,
            bounds=self.bounds,
            predicted=self.predicted,
            clustered=self.clustered,
            expected_units=self.expected_units,
            centre=self.centre,
            key=state["key"].tolist(),
            node=state["node"].tolist(),
            count=state["count"].tolist(),
            moments=self.moments.tolist(),
            bucket_rows=self.bucket_rows.tolist(),
            bucket_rest=self.bucket_rest.tolist(),
        )

    @classmethod
    def restored(cls, saved: SavedTally) -> Self:
        """The tally that was saved."""
        counts = Tally.from_state(
            {
                "key": np.array(saved.key, np.int64),
                "node": np.array(saved.node, np.int64),
                "count": np.array(saved.count, np.float64),
            }
        )
        return cls(
            saved.arms,
            saved.shares,
            saved.bounds,
            saved.predicted,
            saved.clustered,
            saved.expected_units,
            saved.centre,
            counts,
            *(
                np.array(each, np.float64)
                for each in (saved.moments, saved.bucket_rows, saved.bucket_rest)
            ),
        )

    def place(self, arm: str) -> int:
        """Index of an arm.

        Raises
        ------
        UserError
            If there is none of this name.
        """
        if arm not in self.arms:
            raise UserError(f"no arm {arm!r}; the arms are {', '.join(self.arms)}")
        return self.arms.index(arm)


def check_arms(arms: Sequence[str], shares: Sequence[float]) -> None:
    """Raise a UserError unless these are two or more arms and their shares of the units."""
    if len(arms) < 2 or len(set(arms)) < len(arms):
        raise UserError(f"arms {', '.join(arms) or '(none)'}: expected two or more different names")
    fits = len(shares) == len(arms) and min(shares) > 0.0 and abs(sum(shares) - 1.0) < 1e-9
    if not fits:
        raise UserError(
            f"shares {', '.join(f'{share:g}' for share in shares)}: expected one above 0 for each "
            f"of {len(arms)} arms, with a sum of 1"
        )
