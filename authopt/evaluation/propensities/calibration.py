"""How often actions came, against the probabilities that were logged for them: data of a plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.propensities.deviations import deciles
from authopt.evaluation.propensities.sums import PropensitySums
from authopt.logs.audit.rates import wilson
from authopt.logs.propensity_report import ReliabilityBin

OVERALL = "all actions"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reliability of the probabilities of one route, or of all actions.

    Attributes
    ----------
    name
        of the route, or ``OVERALL``.
    bins
        at most ten, with about equally many decisions each.
    """

    name: str
    bins: tuple[ReliabilityBin, ...]


def calibration_of(sums: PropensitySums) -> tuple[Calibration, ...]:
    """Over all actions first, then by route, the most offered first.

    Empty where the log gives the propensity of the taken action alone.
    """
    positions = sums.events["position"]
    if not len(positions):
        return ()
    routes = sums.events["route"]
    offered = routes.sums[:, :, 0].sum(axis=1)
    order = sorted(range(len(routes)), key=lambda at: (-offered[at], routes.labels[at]))
    return (
        Calibration(OVERALL, _bins(positions.sums.sum(axis=0))),
        *(Calibration(routes.labels[at], _bins(routes.sums[at])) for at in order),
    )


def _bins(cells: FloatArray) -> tuple[ReliabilityBin, ...]:
    found = []
    for rows, predicted, came, _ in (np.asarray(part).tolist() for part in deciles(cells)):
        limits = wilson(int(came), int(rows))
        found.append(ReliabilityBin(predicted / rows, came / rows, int(rows), *limits))
    return tuple(found)
