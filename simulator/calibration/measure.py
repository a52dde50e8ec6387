"""The figures of ``published.PUBLISHED``, measured on a log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, Categorical, FloatArray, IntArray, LoggedBatch
from authopt.durations import DAY_S
from authopt.hashing import hash_strings
from authopt.payments import Funding, Initiator

HARD_CODES = (
    "04", "07", "12", "14", "15", "41", "43", "46", "54", "57", "62", "78", "R0", "R1", "R3",
)  # fmt: skip
HARD_ADVICE = ("03", "21")
"""Declines that no retry of the same card data turns around: response codes, and advice codes."""

LIKE_FOR_LIKE = ("merchant_id", "initiator", "network", "funding", "issuer_country", "three_ds")
"""Columns in which attempts with and without a token must agree to be compared."""


def measured(log: LoggedBatch) -> dict[str, float]:
    """Every figure by its key; NaN where the log has no row that bears on it.

    Parameters
    ----------
    log
        a whole log: all attempts of every payment, with their outcomes.
    """
    made = ~log.is_stop[log.chosen_action]
    declined = made & (np.asarray(log.outcome["approved"]) == 0.0)
    first = log.attempt == 1
    mit = _is(log, "initiator", Initiator.MIT)
    funds = _is(log, "response_code", "51")
    expired = _is(log, "response_code", "54")
    security = _is(log, "response_code", "83") & ~_is(log, "advice_code", "01")
    suspected = _is(log, "response_code", "59") | security
    hard = _is(log, "response_code", *HARD_CODES) | _is(log, "advice_code", *HARD_ADVICE)
    prepaid = _is(log, "funding", Funding.PREPAID)
    credit = _is(log, "funding", Funding.CREDIT)

    checkout_declined = _share(declined, first & ~mit)
    subscription_declined = _share(declined, first & mit)
    failed = _Failed.of(log, np.flatnonzero(first & mit & declined))
    of_all = _mean(failed.recovered)
    of_funds = _mean(failed.recovered[funds[failed.row]])
    return {
        "checkout_declined": checkout_declined,
        "subscription_declined": subscription_declined,
        "subscription_to_checkout": _ratio(subscription_declined, checkout_declined),
        "prepaid_to_credit": _ratio(
            _share(declined, first & mit & prepaid), _share(declined, first & mit & credit)
        ),
        "no_funds": _share(funds, first & declined),
        "suspected": _share(suspected, first & declined),
        "generic": _share(_is(log, "response_code", "05"), declined),
        "hard": _share(hard, first & mit & declined),
        "recovered": of_all,
        "recovered_within_10_days": _share(failed.wait_s <= 10 * DAY_S, failed.recovered),
        "recovered_day_2_to_12": _share(
            (failed.wait_s >= DAY_S) & (failed.wait_s < 12 * DAY_S),
            failed.recovered & funds[failed.row],
        ),
        "recovered_by_first_retry": _mean(failed.by(1) & (failed.wait_s <= 2 * DAY_S)),
        "recovered_by_3_retries": _mean(failed.by(3)),
        "recovered_by_5_retries": _mean(failed.by(5)),
        "no_funds_recovered": of_funds,
        "no_funds_to_all_recovered": _ratio(of_funds, of_all),
        "expired_recovered": _mean(failed.recovered[expired[failed.row]]),
        "token_lift": _token_lift(log, np.flatnonzero(first & made), declined),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Failed:
    """Payments whose first attempt failed, arrays of equal lengths.

    ``row`` is that of the first attempt; ``retries`` and ``wait_s`` (from the first answer to the
    approval) are those of the approval, infinite where there was none.
    """

    row: IntArray
    retries: FloatArray
    wait_s: FloatArray

    @classmethod
    def of(cls, log: LoggedBatch, row: IntArray) -> _Failed:
        payment = hash_strings(log.payment_id)
        approved = np.flatnonzero(np.asarray(log.outcome["approved"]) == 1.0)
        approved = approved[np.argsort(payment[approved])]
        ids = payment[approved]
        at = np.minimum(np.searchsorted(ids, payment[row]), max(len(ids) - 1, 0))
        retries = np.full(len(row), np.inf)
        wait_s = np.full(len(row), np.inf)
        if len(ids):
            known_at = np.asarray(log.outcome["outcome_at"], "M8[us]")
            found = ids[at] == payment[row]
            last = approved[at[found]]
            retries[found] = log.attempt[last] - 1
            wait_s[found] = (known_at[last] - known_at[row[found]]) / np.timedelta64(1, "s")
        return cls(row, retries, wait_s)

    @property
    def recovered(self) -> BoolArray:
        return np.isfinite(self.retries)

    def by(self, retries: int) -> BoolArray:
        """Recovered by as many retries or fewer."""
        return np.asarray(self.retries <= retries)


def _token_lift(log: LoggedBatch, rows: IntArray, declined: BoolArray) -> float:
    """Approval with a token over that without, in groups that are alike, weighted by size."""
    group = np.zeros(len(rows), np.int64)
    for name in LIKE_FOR_LIKE:
        column = log.context[name]
        codes = column.codes if isinstance(column, Categorical) else np.nan_to_num(column)
        _, place = np.unique(np.asarray(codes)[rows], return_inverse=True)
        group = np.unique(group * (place.max(initial=0) + 1) + place, return_inverse=True)[1]
    token = np.asarray(log.context["token"])[rows] == 1.0
    approved = ~declined[rows]
    size = group.max(initial=-1) + 1
    with_, without = (np.bincount(group[some], minlength=size) for some in (token, ~token))
    both = (with_ > 0) & (without > 0)
    weight = (with_ * without / np.maximum(with_ + without, 1))[both]
    rates = [
        np.bincount(group[some], approved[some], size)[both] / number[both]
        for some, number in ((token, with_), (~token, without))
    ]
    return _ratio(float(weight @ rates[0]), float(weight @ rates[1]))


def _is(log: LoggedBatch, name: str, *values: str) -> BoolArray:
    column = log.context.get(name, log.outcome.get(name))
    assert isinstance(column, Categorical)
    return np.asarray(column.recode(values) >= 0)


def _share(rows: BoolArray, among: BoolArray) -> float:
    return _mean(rows[among])


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _ratio(above: float, below: float) -> float:
    return above / below if below else float("nan")
