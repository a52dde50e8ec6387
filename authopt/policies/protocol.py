"""What a policy is: something that gives every eligible action of a batch a probability."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch


@runtime_checkable
class Policy(Protocol):
    """Probabilities over the eligible actions.

    A policy is a function of the batch alone: it does not draw, it does not look at the clock, and
    the probabilities of a decision do not depend on the other decisions of the batch.
    """

    @property
    def name(self) -> str:
        """Short name for tables and logs."""

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], non-negative, summing to 1 within each decision."""


@runtime_checkable
class LearningPolicy(Policy, Protocol):
    """A policy that learns from outcomes while it acts."""

    def update(self, batch: LoggedBatch) -> None:
        """Learn from decisions whose outcomes are known, in the order of ``decided_at``."""
