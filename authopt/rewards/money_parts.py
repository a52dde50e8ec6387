"""What attempts with a known outcome are worth, part by part, and what forbids to tell."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from authopt.batch import BoolArray, Categorical, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.payments import Initiator
from authopt.prices.rounding import Factors, product, whole_sum
from authopt.rules import DEFAULT_RULES
from authopt.rules.fees import logged_fees

if TYPE_CHECKING:
    from authopt.rewards.money import MoneyReward


@dataclass(frozen=True, slots=True, eq=False)
class JudgedAttempts:
    """Attempts with a known outcome, n of them; which of them were approved, as bool[n]."""

    reward: MoneyReward
    batch: LoggedBatch
    approved: BoolArray

    def parts(self) -> dict[str, FloatArray]:
        """The parts of their rewards by name (``money.Parts``): float64[n], whole minor units.

        Raises
        ------
        UserError
            As :meth:`authopt.rewards.MoneyReward.of` does.
        """
        batch, reward, n = self.batch, self.reward, self.batch.n
        amount = numbers(batch.context.get("amount_minor"), n, np.nan)
        refunded = numbers(batch.outcome.get("refunded_minor"), n, 0.0, fill=True)
        self._refuse(np.isnan(amount), amount, "amount_minor", "expected the amount in minor units")
        self._refuse(refunded > amount, refunded, "refunded_minor", "more than the whole amount")
        rate = self._rates(self._currency(), "currency")
        self._below(amount * rate.known, reward.largest.amount_minor, "amount")
        kept = np.where(self.approved, amount - refunded, 0.0)
        fees, excess = self._fees(), self._excess()
        self._below(fees + excess, reward.largest.fees_minor, "fees")
        self._refuse(fees < 0, fees, "fees", "surcharges must not bring them below 0")
        return {
            "margin": whole_sum([(kept, product(rate, self._shares()))]),
            "fees": fees,
            "excess_fees": excess,
            "chargebacks": self._losses(kept, rate),
            "churn": self._churn(rate),
        }

    def _shares(self) -> Factors:
        batch, margins = self.batch, self.reward.margins
        chosen = batch.chosen_action
        decision = np.arange(batch.n, dtype=np.int64)
        index = np.full(batch.n, -1, np.int64)
        for number in range(len(margins) - 1, -1, -1):
            index[margins[number].condition.holds(batch, chosen, decision, {})] = number
        return Factors(index, tuple(margin.share for margin in margins))

    def _fees(self) -> FloatArray:
        batch, reward = self.batch, self.reward
        fees = np.full(batch.n, np.nan)
        if reward.logged_fees:
            logged = numbers(batch.outcome.get("fee_minor"), batch.n, np.nan)
            fees = whole_sum([(logged, self._rates(self._currency(), "currency"))])
        missing = np.flatnonzero(np.isnan(fees)).astype(np.int64)
        if len(missing) and reward.prices is not None:
            some = batch.take(missing)
            fees[missing] = reward.prices.fees_in(
                reward.currency, some, self.approved[missing], some.chosen_action
            )
        lacking = np.flatnonzero(np.isnan(fees))
        if len(lacking):
            row = int(lacking[0])
            action = batch.action_route[batch.chosen_action[row]]
            _refuse_row(
                batch,
                row,
                f"route {batch.routes[action]!r}",
                "has no price for this attempt: "
                "no fee_minor in the log, and no row of the price list that holds, or no rate for "
                f"its currency on {batch.decided_at[row].astype('datetime64[D]')}"
                if reward.prices is not None
                else "has no fee_minor; give a price list with the key prices",
            )
        return fees

    def _excess(self) -> FloatArray:
        if not self.reward.excess_retries:
            return np.zeros(self.batch.n)
        fees = logged_fees(self.batch, DEFAULT_RULES)
        charged = fees.minor != 0.0
        if not charged.any():
            return np.zeros(self.batch.n)
        rows = np.flatnonzero(charged).astype(np.int64)
        found = np.zeros(self.batch.n)
        currency = fees.currency[rows]
        rate = self._rates(currency, "currency of the network's fee", rows)
        found[rows] = whole_sum([(fees.minor[rows], rate)])
        return found

    def _losses(self, kept: FloatArray, rate: Factors) -> FloatArray:
        losses, batch = self.reward.chargebacks, self.batch
        if losses is None:
            return np.zeros(batch.n)
        share = losses.share_of(batch, self.approved)
        unscored = np.isnan(share)
        self._refuse(
            unscored,
            np.full(batch.n, np.nan),
            "fraud_score",
            "is missing, and a chargeback may still come; set chargebacks.fraud_score",
        )
        fee = Factors(np.zeros(batch.n, np.int64), (Fraction(losses.fee_minor),))
        return whole_sum([(share * kept, rate), (share, fee)])

    def _churn(self, rate: Factors) -> FloatArray:
        batch, initiator = self.batch, self.batch.context.get("initiator")
        if not self.reward.churn or not isinstance(initiator, Categorical):
            return np.zeros(batch.n)
        by_merchant = initiator.recode((Initiator.MIT,)) == 0
        value = numbers(batch.context.get("churn_value_minor"), batch.n, 0.0, fill=True)
        worth = whole_sum([(np.where(by_merchant, value, 0.0), rate)])
        self._below(worth, self.reward.largest.churn_minor, "churn")
        return np.where(self.approved, worth, 0.0)

    def _currency(self) -> Categorical:
        currency = self.batch.context.get("currency")
        if not isinstance(currency, Categorical):
            currency = Categorical(np.full(self.batch.n, -1, np.int32), ())
        return currency

    def _rates(self, currency: Categorical, what: str, rows: IntArray | None = None) -> Factors:
        batch = self.batch if rows is None else self.batch.take(rows)
        target = Categorical(np.zeros(batch.n, np.int32), (self.reward.currency,))
        delay = batch.action_delay_s[batch.chosen_action].astype("timedelta64[s]")
        rates = self.reward.rates.factors(currency, target, batch.decided_at + delay)
        missing = np.flatnonzero(np.isnan(rates.known))
        if len(missing):
            row = int(missing[0])
            value = currency.values()[row]
            day = (batch.decided_at + delay)[row].astype("datetime64[D]")
            _refuse_row(
                batch,
                row,
                what,
                f"is {value or 'missing'}, which has no rate to {self.reward.currency} on {day}; "
                "add one to the key rates, from that day or earlier",
            )
        return rates

    def _below(self, values: FloatArray, largest: int, what: str) -> None:
        rows = np.flatnonzero(values > largest)
        if len(rows):
            row = int(rows[np.argmax(values[rows])])
            _refuse_row(
                self.batch,
                row,
                what,
                f"is {values[row]:.0f} minor units of {self.reward.currency}, above the largest "
                f"that the reward declares, {largest}. Intervals rest on it: set "
                f"largest.{what}_minor to what no payment can exceed",
            )

    def _refuse(self, wrong: BoolArray, values: FloatArray, what: str, why: str) -> None:
        rows = np.flatnonzero(wrong)
        if len(rows):
            row = int(rows[0])
            value = "is missing" if np.isnan(values[row]) else f"is {values[row]:g}"
            _refuse_row(self.batch, row, what, f"{value}: {why}")


def numbers(column: object, n: int, otherwise: float, fill: bool = False) -> FloatArray:
    """A column of numbers; ``otherwise`` where the log has none (and, to fill, where a row has)."""
    if not isinstance(column, np.ndarray):
        return np.full(n, otherwise)
    numbers = np.asarray(column, np.float64)
    return np.where(np.isnan(numbers), otherwise, numbers) if fill else numbers


def _refuse_row(batch: LoggedBatch, row: int, what: str, why: str) -> NoReturn:
    raise UserError(f"reward in money: decision {batch.decision_id[row].as_py()!r}: {what} {why}")
