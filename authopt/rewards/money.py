"""The reward in money: margin less fees and losses, plus what a subscription is worth.

Of an attempt with a known outcome, in whole minor units of one currency:

    margin share of what was approved and not paid back
    - fees of the attempt, by the log or by a price list
    - what the network charges for an attempt that breaks its retry rules
    - loss by chargeback: real where one came, else expected by fraud score while it may still come
    + value of the subscription that an approved merchant-initiated payment keeps

The rewards of a payment's decisions add up to what the payment earned. A subscription counts when
it is paid, not when it is lost: that shifts the total of every payment by the same number, and
``stop`` stays worth 0, which learning rests on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.payments import CONTEXT_FIELDS
from authopt.prices import Prices
from authopt.prices.conditions import Condition
from authopt.prices.rates import Rates
from authopt.rewards.chargebacks import Chargebacks
from authopt.rewards.money_parts import JudgedAttempts, numbers
from authopt.rules import DATA_UPDATED

READ = (
    "approved",
    "fee_minor",
    "outcome_at",
    "refunded_minor",
    "charged_back",
    *(field.name for field in CONTEXT_FIELDS),
    DATA_UPDATED,
)
"""Columns that a reward in money reads, where the log has them."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The share of an approved amount that is the merchant's own, where the condition holds."""

    condition: Condition
    share: Fraction


@dataclass(frozen=True, slots=True)
class Largest:
    """What the user declares that nothing exceeds, in minor units of the reward's currency.

    The amount of a payment, the fees of an attempt together, and the value of a subscription.
    """

    amount_minor: int
    fees_minor: int
    churn_minor: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What the rewards of n decisions are made of: float64[n] each, whole minor units.

    Attributes
    ----------
    margin, churn
        earned.
    fees, excess_fees, chargebacks
        lost; all three count positive.
    """

    margin: FloatArray
    fees: FloatArray
    excess_fees: FloatArray
    chargebacks: FloatArray
    churn: FloatArray

    @property
    def total(self) -> FloatArray:
        """float64[n], the rewards."""
        lost = self.fees + self.excess_fees + self.chargebacks
        return np.asarray(self.margin + self.churn - lost, np.float64)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MoneyReward:
    """Rewards in minor units of one currency; ``load_money_reward`` makes it from a file.

    Attributes
    ----------
    files
        the reward's own file, and the price list's where it names one.
    currency
        ISO 4217 code.
    margins
        the first whose condition holds counts.
    logged_fees
        ``fee_minor`` of the log counts, where a row has it.
    prices
        counts where the log's fees do not; None where only they do.
    rates
        to convert with.
    excess_retries
        whether the networks' fees for attempts against their rules are counted.
    chargebacks
        how losses are counted; None where they are not.
    churn
        whether ``churn_value_minor`` counts.
    largest
        what nothing exceeds; the bounds rest on it.
    """

    files: tuple[Path, ...]
    currency: str
    margins: tuple[Margin, ...]
    logged_fees: bool
    prices: Prices | None
    rates: Rates
    excess_retries: bool
    chargebacks: Chargebacks | None
    churn: bool
    largest: Largest

    @property
    def name(self) -> str:
        """``money``."""
        return "money"

    @property
    def spec(self) -> str:
        """``money:FILE.toml``."""
        return f"money:{self.files[0]}"

    @property
    def columns(self) -> tuple[str, ...]:
        """All that prices, rules and losses may go by."""
        return READ

    @property
    def by_approval(self) -> bool:
        """True: margin and subscriptions are earned by approvals, and all else costs."""
        return True

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible reward of a decision.

        They follow from what the file declares as largest, not from the rows of a log: bounds that
        are read off the data do not hold for what the data has not shown. A row beyond them raises.
        """
        largest = self.largest
        shares = [margin.share for margin in self.margins]
        low, high = -largest.fees_minor, round(max(shares) * largest.amount_minor)
        if self.chargebacks is not None:
            # Margin and loss are rounded each for itself.
            kept = round(min(shares) * largest.amount_minor)
            low += min(0, kept - largest.amount_minor - 1) - self.chargebacks.fee_minor
        return float(low), float(high + largest.churn_minor)

    def of(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], whole minor units; NaN where the outcome is not known. ``stop`` is worth 0.

        Raises
        ------
        UserError
            If a row lacks what its reward needs (amount, currency, price, rate, fraud score), or
            exceeds what the file declares as largest; naming the row, the value and what to do.
        """
        return self.parts(batch).total

    def parts(self, batch: LoggedBatch) -> Parts:
        """What the rewards are made of; arguments and exceptions as of :meth:`of`."""
        approved = numbers(batch.outcome.get("approved"), batch.n, np.nan)
        stopped = batch.is_stop[batch.chosen_action]
        judged = np.flatnonzero(~np.isnan(approved) & ~stopped).astype(np.int64)
        found = {each.name: np.where(stopped, 0.0, np.nan) for each in fields(Parts)}
        if len(judged):
            some = batch if len(judged) == batch.n else batch.take(judged)
            for name, values in JudgedAttempts(self, some, approved[judged] == 1.0).parts().items():
                found[name][judged] = values
        return Parts(**found)
