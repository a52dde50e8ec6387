"""All that an experiment keeps: tallies of its value, its metrics and its segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.evaluation.buckets import UIntArray
from authopt.experiments.arm_tally import ArmTally, SavedTally
from authopt.experiments.bets import USUAL_UNITS
from authopt.experiments.by_segment import SavedSegments, SegmentTallies
from authopt.experiments.cuped import Cuped, SavedCuped
from authopt.experiments.metrics import METRICS, PAID, Metric


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """n payments of the experiment whose values are final, in the order in which they began.

    Attributes
    ----------
    arm
        int64[n], index into the arms.
    value
        float64[n], what the experiment is about, such as paid or not.
    metrics
        float64[n] by name (:data:`METRICS`); NaN where one is not known. ``paid`` among them is a
        guardrail where the value is another.
    labels
        names of segments by column, n each; None where missing.
    unit
        uint64[n], hash of the unit that was assigned; None where that is the payment.
    new
        bool[n], whether the payment is the first of its unit; None where all are.
    covariates
        float64[n, d], known before the experiment could matter, NaN where missing; None without.
    """

    arm: IntArray
    value: FloatArray
    metrics: Mapping[str, FloatArray] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    unit: UIntArray | None = None
    new: BoolArray | None = None
    covariates: FloatArray | None = None


class SavedTallies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """:class:`Tallies` as JSON holds them."""

    units: list[int]
    value: SavedTally
    metrics: dict[str, SavedTally]
    segments: SavedSegments
    adjusted: SavedTally | None
    cuped: SavedCuped | None


@dataclass(slots=True, eq=False)
class Tallies:
    """Tallies of one experiment, to which finished payments are added as they come.

    Attributes
    ----------
    units
        int64[arms], units of each arm.
    value
        of what the experiment is about.
    metrics
        by name.
    segments
        of the value.
    adjusted, cuped
        of the value less what covariates foretold, and the regression that foretells; None without
        covariates.
    """

    units: npt.NDArray[np.int64]
    value: ArmTally
    metrics: dict[str, ArmTally]
    segments: SegmentTallies
    adjusted: ArmTally | None = None
    cuped: Cuped | None = None

    @classmethod
    def of(
        cls,
        arms: Sequence[str],
        shares: Sequence[float],
        *,
        bounds: tuple[float, float] | None = PAID.bounds,
        metrics: Sequence[Metric] = tuple(METRICS.values()),
        segments: Sequence[str] = (),
        clustered: bool = False,
        covariates: int = 0,
        usual_value: float | None = None,
        expected_units: int = USUAL_UNITS,
    ) -> Self:
        """Nothing counted yet; all of this is fixed beforehand.

        Parameters
        ----------
        arms, shares, clustered, expected_units
            as in :class:`ArmTally`; the first arm is the baseline.
        bounds
            of the value; None if it has no useful ones.
        metrics
            to be measured.
        segments
            context columns.
        covariates
            number of them; 0 for no adjustment.
        usual_value
            the value to be expected of the first units, where there are covariates; by default the
            middle of the bounds.
        """

        if usual_value is None:
            usual_value = 0.0 if bounds is None else (bounds[0] + bounds[1]) / 2.0

        def empty(bounds: tuple[float, float] | None, predicted: bool = False) -> ArmTally:
            return ArmTally(
                tuple(arms),
                tuple(shares),
                bounds,
                predicted,
                clustered,
                expected_units=expected_units,
            )

        return cls(
            np.zeros(len(arms), np.int64),
            empty(bounds),
            {each.name: empty(each.bounds) for each in metrics},
            SegmentTallies.of(empty(bounds), segments),
            empty(bounds, predicted=True) if covariates else None,
            Cuped.of(covariates, usual_value) if covariates else None,
        )

    @property
    def deciding(self) -> ArmTally:
        """What the verdict goes by: adjusted values where there are covariates."""
        return self.value if self.adjusted is None else self.adjusted

    def add(self, finished: Finished) -> None:
        """Count payments, each once.

        Raises
        ------
        UserError
            If a value is outside its bounds, or there are too many segments.
        """
        arm, unit = finished.arm, finished.unit
        first = arm if finished.new is None else arm[finished.new]
        self.units += np.bincount(first, minlength=len(self.units))
        self.value.add(arm, finished.value, unit=unit)
        self.segments.add(finished.labels, arm, finished.value, unit=unit)
        for name, tally in self.metrics.items():
            if name in finished.metrics:
                known = np.flatnonzero(~np.isnan(finished.metrics[name]))
                tally.add(
                    arm[known],
                    finished.metrics[name][known],
                    unit=None if unit is None else unit[known],
                )
        if self.adjusted is not None and self.cuped is not None:
            if finished.covariates is None:
                raise ValueError("these tallies need covariates")
            prediction = self.cuped.foretell(finished.covariates, finished.value)
            self.adjusted.add(arm, finished.value, prediction=prediction, unit=unit)

    def measured(self) -> dict[str, ArmTally]:
        """The metrics that some payment had."""
        return {name: each for name, each in self.metrics.items() if each.moments.any()}

    def saved(self) -> SavedTallies:
        """All that it takes to go on."""
        return SavedTallies(
            units=self.units.tolist(),
            value=self.value.saved(),
            metrics={name: each.saved() for name, each in self.metrics.items()},
            segments=self.segments.saved(),
            adjusted=None if self.adjusted is None else self.adjusted.saved(),
            cuped=None if self.cuped is None else self.cuped.saved(),
        )

    @classmethod
    def restored(cls, saved: SavedTallies) -> Self:
        """What was saved."""
        return cls(
            np.array(saved.units, np.int64),
            ArmTally.restored(saved.value),
            {name: ArmTally.restored(each) for name, each in saved.metrics.items()},
            SegmentTallies.restored(saved.segments),
            None if saved.adjusted is None else ArmTally.restored(saved.adjusted),
            None if saved.cuped is None else Cuped.restored(saved.cuped),
        )
