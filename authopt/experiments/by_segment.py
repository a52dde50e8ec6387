"""The same comparison within segments, such as networks or countries, all of them together valid.

Nobody knows beforehand how many segments there will be. The error is shared out among columns
alike, and within a column the segment that came k-th gets 1 / (k (k + 1)) of it, which adds up to
all of it however many come. Early ones, as large ones are, get the most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec
import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.errors import UserError
from authopt.evaluation.buckets import UIntArray
from authopt.evaluation.segment_values import MOST_SEGMENTS
from authopt.experiments.arm_tally import ArmTally, SavedTally
from authopt.experiments.difference import Difference, difference

MISSING = "(none)"
"""Segment of units without a value."""


class SavedSegments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """:class:`SegmentTallies` as JSON holds them; labels in the order in which they came."""

    like: SavedTally
    columns: dict[str, dict[str, SavedTally]]


@dataclass(frozen=True, slots=True)
class SegmentDifference:
    """An arm against the first one within one segment."""

    column: str
    segment: str
    units: int
    difference: Difference


@dataclass(slots=True, eq=False)
class SegmentTallies:
    """One tally for every segment of some columns.

    Attributes
    ----------
    like
        an empty tally, as every segment's begins.
    columns
        tallies by column and label; the columns are fixed beforehand.
    """

    like: ArmTally
    columns: dict[str, dict[str, ArmTally]] = field(default_factory=dict)

    @classmethod
    def of(cls, like: ArmTally, columns: Sequence[str]) -> Self:
        """Nothing counted yet."""
        return cls(like, {column: {} for column in columns})

    def add(
        self,
        labels: Mapping[str, Sequence[str | None]],
        arm: IntArray,
        value: FloatArray,
        *,
        prediction: FloatArray | None = None,
        unit: UIntArray | None = None,
    ) -> None:
        """Count units; ``labels`` has n for every column, the rest is as in :meth:`ArmTally.add`.

        Raises
        ------
        UserError
            If a column has more than ``MOST_SEGMENTS`` values.
        """
        for column, known in self.columns.items():
            names = np.array([MISSING if each is None else each for each in labels[column]], object)
            for label in dict.fromkeys(names.tolist()):
                if label not in known:
                    if len(known) >= MOST_SEGMENTS:
                        raise UserError(
                            f"segment column {column!r} has more than {MOST_SEGMENTS} values; name "
                            "a coarser one"
                        )
                    known[label] = ArmTally.restored(self.like.saved())
                rows = np.flatnonzero(names == label)
                known[label].add(
                    arm[rows],
                    value[rows],
                    prediction=None if prediction is None else prediction[rows],
                    unit=None if unit is None else unit[rows],
                )

    def differences(self, alpha: float = 0.05) -> list[SegmentDifference]:
        """Every arm against the first one in every segment; ``alpha`` is for all of them."""
        others = self.like.arms[1:]
        each = alpha / len(others) / max(len(self.columns), 1)
        return [
            SegmentDifference(
                column,
                label,
                int(tally.moments[:, 0].sum()),
                difference(tally, arm, alpha=each / (k * (k + 1))),
            )
            for column, known in self.columns.items()
            for k, (label, tally) in enumerate(known.items(), 1)
            for arm in others
        ]

    def saved(self) -> SavedSegments:
        """All that it takes to go on."""
        return SavedSegments(
            self.like.saved(),
            {
                column: {label: tally.saved() for label, tally in known.items()}
                for column, known in self.columns.items()
            },
        )

    @classmethod
    def restored(cls, saved: SavedSegments) -> Self:
        """The tallies that were saved."""
        return cls(
            ArmTally.restored(saved.like),
            {
                column: {label: ArmTally.restored(each) for label, each in known.items()}
                for column, known in saved.columns.items()
            },
        )
