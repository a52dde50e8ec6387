"""What an attempt costs: the price list applied to the actions of a batch at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray
from authopt.errors import UserError
from authopt.prices.conditions import Condition
from authopt.prices.rates import Rates
from authopt.prices.rounding import Factors, whole_sum


@dataclass(frozen=True, slots=True)
class Charge:
    """A fixed amount in minor units, and a share of the payment's amount (0.01 = 100 bps)."""

    fixed: Fraction = Fraction(0)
    share: Fraction = Fraction(0)

    def __add__(self, other: Charge) -> Charge:
        return Charge(self.fixed + other.fixed, self.share + other.share)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: when it holds, and what it charges an approved and a declined attempt."""

    condition: Condition
    currency: str
    approved: Charge
    declined: Charge


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """A price list.

    An attempt costs its fee, by the first of the ``fees`` that holds, and the surcharges: of each
    surcharge the first row that holds, or nothing. Every one of these components is converted and
    rounded once, half to even, to whole minor units.

    Attributes
    ----------
    currency
        that the rates count in, and of rows that name none.
    rates
        for rows in another currency than the payment.
    fees
        rows in order; the first that holds counts.
    surcharges
        rows in order by the name of the surcharge; may be negative.
    countries
        of routes, by name.
    """

    currency: str
    rates: Rates
    fees: tuple[Row, ...]
    surcharges: Mapping[str, tuple[Row, ...]]
    countries: Mapping[str, str]

    def fees_minor(
        self, batch: DecisionBatch, approved: bool, actions: IntArray | slice = slice(None)
    ) -> FloatArray:
        """What attempts would cost, in minor units of each payment's own currency.

        Parameters
        ----------
        batch
            n decisions, m actions.
        approved
            whether the attempts are approved.
        actions
            positions of the actions among the m; all by default.

        Returns
        -------
        float64[actions]
            whole minor units; 0 for ``stop``; NaN where no fee holds, a needed rate or the currency
            is missing, or a share is asked of an amount that is not known.
        """
        chosen = np.arange(batch.m, dtype=np.int64)[actions]
        currency = batch.context.get("currency")
        if not isinstance(currency, Categorical):
            currency = Categorical(np.full(batch.n, -1, np.int32), ())
        outcome = np.full(len(chosen), approved, np.bool_)
        return self._fees(batch, outcome, chosen, currency[batch.decision_of_action[chosen]])

    def fees_in(
        self, currency: str, batch: DecisionBatch, approved: BoolArray, actions: IntArray
    ) -> FloatArray:
        """As :meth:`fees_minor`, in minor units of one currency.

        Parameters
        ----------
        currency
            of the result.
        batch
            n decisions, m actions.
        approved
            bool[actions], whether each attempt is approved.
        actions
            int64, positions of the actions among the m.
        """
        target = Categorical(np.zeros(len(actions), np.int32), (currency,))
        return self._fees(batch, approved, actions, target)

    def _fees(
        self, batch: DecisionBatch, approved: BoolArray, actions: IntArray, target: Categorical
    ) -> FloatArray:
        decision = batch.decision_of_action[actions]
        delay = batch.action_delay_s[actions].astype("timedelta64[s]")
        currency = batch.context.get("currency")
        if not isinstance(currency, Categorical):
            currency = Categorical(np.full(batch.n, -1, np.int32), ())
        amount = batch.context.get("amount_minor", np.full(batch.n, np.nan))
        if not isinstance(amount, np.ndarray):
            raise UserError("the column amount_minor is not a number")
        attempts = _Attempts(
            self,
            batch,
            actions,
            decision,
            approved,
            target,
            currency[decision],
            np.asarray(amount, np.float64)[decision],
            self.rates.period_of(batch.decided_at[decision] + delay),
        )
        total = attempts.component(self.fees, otherwise=None)
        for rows in self.surcharges.values():
            total += attempts.component(rows, otherwise=Fraction(0))
        return np.where(batch.is_stop[actions], 0.0, total)


@dataclass(frozen=True, slots=True, eq=False)
class _Attempts:
    """The attempts whose price is asked."""

    prices: Prices
    batch: DecisionBatch
    actions: IntArray
    decision: IntArray
    approved: BoolArray
    target: Categorical
    currency: Categorical
    amount: FloatArray
    period: IntArray

    def row_of(self, rows: tuple[Row, ...]) -> IntArray:
        """int64[actions], the first row that holds; -1 where none does."""
        found = np.full(len(self.actions), -1, np.int64)
        for number in range(len(rows) - 1, -1, -1):
            condition = rows[number].condition
            found[
                condition.holds(self.batch, self.actions, self.decision, self.prices.countries)
            ] = number
        return found

    def component(self, rows: tuple[Row, ...], otherwise: Fraction | None) -> FloatArray:
        """float64[actions], whole minor units of the target; ``otherwise`` where no row holds."""
        row = self.row_of(rows)
        charges = [
            (charge, each.currency) for each in rows for charge in (each.declined, each.approved)
        ]
        number = np.where(row < 0, len(charges), 2 * row + self.approved)
        # One factor for each combination that there is: of charge, currencies and period.
        targets, sources = len(self.target.categories) + 1, len(self.currency.categories) + 1
        periods = len(self.prices.rates.days) + 1
        place = (number * targets + self.target.codes % targets) * sources
        place = (place + self.currency.codes % sources) * periods + self.period
        distinct, index = np.unique(place, return_inverse=True)
        fixed: list[Fraction | None] = []
        share: list[Fraction | None] = []
        for combined in distinct.tolist():
            rest, period = divmod(combined, periods)
            rest, source = divmod(rest, sources)
            which, to = divmod(rest, targets)
            if which == len(charges):
                fixed.append(otherwise)
                share.append(otherwise)
                continue
            charge, own = charges[which]
            target = _name(self.target, to)
            fixed.append(self._converted(charge.fixed, own, target, period))
            share.append(
                self._converted(charge.share, _name(self.currency, source), target, period)
            )
        shares = Factors(index, tuple(share))
        # A row without a share needs no amount.
        amount = np.where(shares.known == 0.0, 0.0, self.amount)
        return whole_sum([(np.ones(len(row)), Factors(index, tuple(fixed))), (amount, shares)])

    def _converted(
        self, value: Fraction, source: str | None, target: str | None, period: int
    ) -> Fraction | None:
        """A charge in the target currency; nothing needs no rate."""
        if not value:
            return value
        if source is None or target is None:
            return None
        factor = self.prices.rates.factor(source, target, period)
        return None if factor is None else value * factor


def _name(column: Categorical, code: int) -> str | None:
    return column.categories[code] if code < len(column.categories) else None
