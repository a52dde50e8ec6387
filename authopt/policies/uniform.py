"""The policy that explores and nothing else: every eligible action alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.family import Family


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every eligible action of a decision has the same probability, ``stop`` too."""

    name: str = "uniform"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], one over the number of the decision's actions."""
        return uniform(batch)


def uniform(batch: DecisionBatch) -> FloatArray:
    """float64[m], one over the number of the decision's actions."""
    counts = batch.counts
    return np.repeat(1.0 / counts, counts)


FAMILY = Family("uniform", lambda file, options: Uniform())
