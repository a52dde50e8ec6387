"""What payments are still to bring, by models that never saw them: for rewards-to-go.

Two reward models (``authopt.learning.reward_model``), both cross-fitted by payment:

* of the reward-to-go of an attempt, given its context and its action: fitted to what was observed,
  then, as fitted Q iteration does, to the attempt's own reward and what the model before it expects
  of the best action at the payment's next decision (Ernst, Geurts and Wehenkel, "Tree-based batch
  mode reinforcement learning", JMLR 6, 2005, figure 1, with one iteration after the first);
* of what comes after an attempt that was not approved, for those that the log ends too soon after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from authopt.batch import BoolArray, FloatArray, LoggedBatch
from authopt.features.folds import sample_payments
from authopt.hashing import hash_strings
from authopt.learning.reward_model import RewardModel, fit_reward_model
from authopt.learning.reward_to_go import Retries, own_rewards

SHARE = 0.5
"""Of what follows a decision, as much is expected; the rest is what was observed."""

MAX_ROWS = 100_000

_PATIENCE = 0.99
"""Share of the payments that go on whose next decision comes within what is waited for."""

_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True, slots=True, eq=False)
class LaterValue:
    """What is expected of decisions; see :class:`authopt.learning.reward_to_go.Expects`.

    Attributes
    ----------
    worth
        the model of rewards-to-go.
    rest
        the model of what follows an attempt that was not approved; None where the log ends late
        enough after every attempt.
    since
        attempts made at this time or later may be followed by others that the log does not hold.
    share
        of what follows a decision that is expected rather than observed.
    largest
        possible reward-to-go.
    """

    worth: RewardModel
    rest: RewardModel | None
    since: np.datetime64
    share: float
    largest: float

    @property
    def description(self) -> str:
        """What the models are used for."""
        opened = "payments that are open where the log ends, by a reward model"
        if not self.share:
            return opened
        return f"{opened}, as is {self.share:.0%} of what follows every decision"

    def best(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], the largest reward-to-go that is expected of an action."""
        if not batch.n:
            return np.zeros(0)
        return np.asarray(np.maximum.reduceat(self.worth.predict(batch), batch.offsets[:-1]))

    def chosen(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], what is expected of the logged actions."""
        return self.worth.predict_chosen(batch)

    def after(self, batch: LoggedBatch) -> FloatArray:
        """float64[n], what is expected to follow; 0 where the log would hold what follows."""
        later = np.zeros(batch.n)
        rows = np.flatnonzero(_goes_on(batch) & (made_at(batch) >= self.since))
        if self.rest is not None and len(rows):
            later[rows] = self.rest.predict_chosen(batch.take(rows))
        return later


def made_at(batch: LoggedBatch) -> np.ndarray:
    """datetime64[us][n], when each logged attempt was made: its decision's time and its delay."""
    delay = batch.action_delay_s[batch.chosen_action]
    return np.asarray(batch.decided_at + delay * _SECOND)


def _goes_on(batch: LoggedBatch) -> BoolArray:
    """bool[n], attempts after which their payment may go on: made, known, and not approved."""
    approved = batch.outcome.get("approved")
    reward = batch.reward
    declined = reward <= 0.0 if not isinstance(approved, np.ndarray) else approved == 0.0
    return np.asarray(declined & np.isfinite(reward) & ~batch.is_stop[batch.chosen_action])


def patience(batch: LoggedBatch) -> np.timedelta64:
    """How long after an attempt its payment's next decision comes, in all but 1% of cases.

    Zero where no payment has a second decision.
    """
    order, follows = _followed(batch)
    gap = batch.decided_at[order[1:]] - made_at(batch)[order[:-1]]
    waited = np.sort(gap[follows])
    if not len(waited):
        return np.timedelta64(0, "us")
    return np.timedelta64(max(waited[int(_PATIENCE * (len(waited) - 1))], np.timedelta64(0, "us")))


def fit_later_value(
    sample: LoggedBatch,
    end: np.datetime64,
    largest: float,
    *,
    bootstrap: bool,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
) -> LaterValue | None:
    """Fit what is expected of decisions, on whole payments.

    Parameters
    ----------
    sample
        whole payments of the log, with their own rewards.
    end
        when the log ends: its last decision.
    largest
        possible reward of a decision.
    bootstrap
        whether half of what follows decisions is to be expected rather than observed; else the
        model only completes what is open.
    seed
        of folds, sample and trees.
    max_rows
        decisions that models are fitted to.

    Returns
    -------
    LaterValue or None
        None where no decision has a known reward-to-go.
    """
    drawn = sample_payments([sample], max_rows, seed, "later value")
    if drawn is None:
        return None
    batch = drawn.batch
    waited = patience(batch)
    since = end - waited
    observed = _returns(batch, None, largest)
    open_ = _open_payments(batch, since)
    known = np.isfinite(observed) & ~open_
    if not known.any():
        return None
    worth = _fit(batch, observed, known, seed)
    rest = None
    declined = _goes_on(batch)
    if waited and (declined & (made_at(batch) >= since)).any():
        later = observed - own_rewards(batch)
        rest = _fit(batch, later, known & declined, seed)
    model = LaterValue(worth, rest, since, SHARE if bootstrap else 0.0, largest)
    if bootstrap:
        expected = _returns(batch, replace(model, share=1.0), largest)
        model = replace(model, worth=_fit(batch, expected, np.isfinite(expected), seed))
    return model


def _fit(batch: LoggedBatch, reward: FloatArray, rows: BoolArray, seed: int) -> RewardModel:
    at = np.flatnonzero(rows)
    return fit_reward_model([replace(batch.take(at), reward=reward[at])], seed=seed)


def _returns(batch: LoggedBatch, model: LaterValue | None, largest: float) -> FloatArray:
    retries = Retries(model)
    retries.add(batch)
    return retries.to_go(batch, largest)


def _followed(batch: LoggedBatch) -> tuple[np.ndarray, BoolArray]:
    """Rows by payment and attempt, and bool[n - 1]: whether the next one is of the same payment."""
    payment = hash_strings(batch.payment_id)
    order = np.lexsort((batch.attempt, payment))
    return order, payment[order][1:] == payment[order][:-1]


def _open_payments(batch: LoggedBatch, since: np.datetime64) -> BoolArray:
    """bool[n], decisions of payments whose last attempt in the log may be followed by others."""
    order, follows = _followed(batch)
    last = np.append(~follows, True)[: batch.n]
    open_ = np.zeros(batch.n, np.bool_)
    open_[order] = last & (_goes_on(batch) & (made_at(batch) >= since))[order]
    payment = np.cumsum(np.append(False, ~follows)[: batch.n])
    of_payment = np.bincount(payment, open_[order]) > 0
    found = np.zeros(batch.n, np.bool_)
    found[order] = of_payment[payment]
    return found


def share_open(sample: LoggedBatch, end: np.datetime64) -> float:
    """Share of the decisions of whole payments whose reward-to-go the log leaves open.

    Either a later attempt's outcome is not known, or the log ends too soon after the last attempt
    to hold the next one.
    """
    observed = _returns(sample, None, np.inf)
    missing = np.isnan(observed) & np.isfinite(own_rewards(sample))
    waited = patience(sample)
    open_ = _open_payments(sample, end - waited) if waited else np.zeros(sample.n, np.bool_)
    return float((missing | open_).mean())
