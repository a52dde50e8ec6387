"""The candidate as the gate asks it: once for every batch, and without its exploration."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.protocol import Policy

ALIKE = 1e-9
"""Probabilities this close to the largest share it when exploration is taken away."""


@dataclass(slots=True, eq=False)
class Remembered:
    """A policy that keeps what it said of the last batch, as several ask it of the same one.

    It is judged as it stands: a policy that learns does not learn here.
    """

    policy: Policy
    _ids: pa.StringArray | None = field(default=None, repr=False)
    _last: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)

    @property
    def name(self) -> str:
        """The policy's own."""
        return self.policy.name

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the policy's own."""
        if batch.decision_id is not self._ids or len(self._last) != batch.m:
            self._last = np.asarray(self.policy.probabilities(batch), np.float64)
            self._ids = batch.decision_id
        return self._last


def without_exploration(batch: DecisionBatch, given: FloatArray) -> FloatArray:
    """float64[m], the most probable actions alone; those that are alike share the probability.

    Parameters
    ----------
    batch
        n decisions, at least 1.
    given
        float64[m], a policy's probabilities.
    """
    most = np.repeat(np.maximum.reduceat(given, batch.offsets[:-1]), batch.counts)
    best = (given >= most - ALIKE).astype(np.float64)
    return np.asarray(best / np.repeat(batch.sum_by_decision(best), batch.counts))
