"""A policy whose numbers are believed only where they are probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.protocol import Policy

TOLERANCE = 1e-6
"""How far from 1 the probabilities of a decision may sum up."""


@dataclass(frozen=True, slots=True)
class SoundPolicy:
    """Gives NaN, which no draw accepts, for a decision whose probabilities do not sum to 1.

    ``authopt.decision`` would make them sum to 1; but a live policy that breaks its contract has a
    fault, and what it prefers is not to be trusted either.
    """

    policy: Policy

    @property
    def name(self) -> str:
        """Of the policy."""
        return self.policy.name

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]; NaN over every decision whose sum is not 1."""
        given = np.asarray(self.policy.probabilities(batch), np.float64)
        if given.shape != (batch.m,):
            return given
        if batch.n == 1:
            return given if abs(sum(given.tolist()) - 1.0) <= TOLERANCE else given * np.nan
        off = ~(np.abs(batch.sum_by_decision(given) - 1.0) <= TOLERANCE)
        return np.where(np.repeat(off, batch.counts), np.nan, given) if off.any() else given
