"""What every reward can say of itself, and of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from authopt.batch import FloatArray, LoggedBatch


class Reward(Protocol):
    """Turns decisions and what came back into one number per decision."""

    @property
    def name(self) -> str:
        """How tables and reports call it."""

    @property
    def spec(self) -> str:
        """The text that :func:`authopt.rewards.parse_reward` makes it from."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it was made from."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the outcome and context columns that it reads."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible reward of a decision; intervals rest on them."""

    @property
    def currency(self) -> str | None:
        """Currency whose minor units rewards are counted in; None where they are no money."""

    @property
    def by_approval(self) -> bool:
        """Whether only approved attempts earn: the reward of any other is at most 0."""

    def of(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], NaN where the outcome is not known."""
