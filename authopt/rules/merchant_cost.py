"""What an attempt may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.prices import Prices
from authopt.rules.merchant_context import Found, found, number, place
from authopt.rules.money_text import money


class CostOf(StrEnum):
    """Which fees are capped."""

    APPROVED = "approved"
    DECLINED = "declined"
    DEARER = "dearer"


@dataclass(frozen=True, slots=True, eq=False)
class CostCap:
    """The fees of an attempt stay within a number of minor units, a share of the amount, or both.

    Attributes
    ----------
    prices
        what routes charge.
    most_minor
        by currency, minor units of it; other currencies have no such cap.
    most_share
        share of the amount (0-1), or None.
    cost_of
        an approved attempt, a declined one, or whichever is dearer.
    keep_unknown
        what happens where the price, the currency or the amount is missing.
    """

    prices: Prices
    most_minor: Mapping[str, int] = field(default_factory=dict)
    most_share: float | None = None
    cost_of: CostOf = CostOf.DEARER
    keep_unknown: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden: the cost, or that it is not known."""
        said = f"merchant's cost cap: {self._caps()}"
        return said, f"{said}; the price, currency or amount is not known"

    @property
    def sentence(self) -> str:
        """What the rule does."""
        which = {
            CostOf.APPROVED: "Approved, an attempt",
            CostOf.DECLINED: "Declined, an attempt",
            CostOf.DEARER: "Approved or declined, an attempt",
        }[self.cost_of]
        unknown = "kept" if self.keep_unknown else "removed"
        return (
            f"{which} costs {self._caps()}; where the price, the currency or the amount is not "
            f"known, the attempt is {unknown}."
        )

    def _caps(self) -> str:
        caps = [f"at most {money(most, currency)}" for currency, most in self._minor()]
        if self.most_share is not None:
            caps.append(f"at most {self.most_share:.2%} of the amount")
        return ", ".join(caps)

    def _minor(self) -> list[tuple[str, int]]:
        return sorted(self.most_minor.items())

    def broken(self, batch: DecisionBatch) -> Found:
        """int8[m], 0 where the attempt costs too much, 1 where that is not known."""
        fees = self._fees(batch)
        broken = np.zeros(batch.m, np.bool_)
        not_known = np.zeros(batch.m, np.bool_)
        for cap in self._caps_minor(batch):
            of_actions = np.repeat(cap, batch.counts)
            broken |= fees > of_actions
            # An infinite cap is none; what is not known of it is no reason.
            not_known |= np.isnan(of_actions) | (np.isnan(fees) & np.isfinite(of_actions))
        return found(broken, not_known & (not self.keep_unknown))

    def _fees(self, batch: DecisionBatch) -> FloatArray:
        if self.cost_of is not CostOf.DEARER:
            return self.prices.fees_minor(batch, self.cost_of is CostOf.APPROVED)
        both = [self.prices.fees_minor(batch, approved) for approved in (True, False)]
        return np.asarray(np.maximum(*both))

    def _caps_minor(self, batch: DecisionBatch) -> list[FloatArray]:
        """Each float64[n]: minor units; infinite where there is no cap, NaN where not known."""
        caps = []
        if self.most_minor:
            names, most = zip(*self._minor(), strict=True)
            # The last two places are for -2, not known, and -1, a currency without a cap.
            by_place = np.array([*most, np.nan, np.inf])
            caps.append(by_place[place(batch, "currency", names)])
        if self.most_share is not None:
            caps.append(number(batch, "amount_minor") * self.most_share)
        return caps
