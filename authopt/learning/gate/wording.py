"""Rewards in words: in percent where they are shares, in money where they are money."""

from __future__ import annotations

from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation

DECIMALS = 2


class Told:
    """Says rewards and changes of an evaluation's reward in its unit."""

    __slots__ = ("_scale", "is_money")

    def __init__(self, evaluation: Evaluation) -> None:
        self._scale = Scale.of(evaluation)
        self.is_money = self._scale.currency is not None

    def reward(self, value: float) -> str:
        """A size, such as ``1.0 percentage points`` or ``0.25 EUR``."""
        return f"{self._number(value)} {self._unit}"

    def change(self, value: float) -> str:
        """The same with its sign."""
        return f"{self._number(value, '+')} {self._unit}"

    def interval(self, lower: float, upper: float) -> str:
        """Two changes."""
        return f"{self._number(lower, '+')} to {self._number(upper, '+')} {self._unit}"

    @property
    def _unit(self) -> str:
        return self._scale.gain_unit

    def _number(self, value: float, sign: str = "") -> str:
        # No "-0.00": what rounds to 0 has no sign of its own.
        return format(round(value * self._scale.factor, DECIMALS) + 0.0, f"{sign},.{DECIMALS}f")
