"""How much the learner tries: much while it knows little, never for more than a day's budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.exploration_budget import BudgetState, ExplorationBudget, gaps

FALL = 2.0
"""Power with which trying falls. The cost of all tries to come then stays finite."""

PRICED = 8
"""One in so many decisions is priced, and stands for the others: each costs a prediction."""


@dataclass(frozen=True, slots=True)
class Trying:
    """The share of decisions in which an action is tried, beside the floor.

    Attributes
    ----------
    rows
        after how many outcomes trying has fallen to ``most`` at the latest: the share is
        ``(rows / outcomes) ^ 2``; 0: nothing is tried beyond the floor.
    most
        largest share.
    lost_per_day
        approvals that trying may cost in a UTC day, by the learner's own estimate; 0: no limit.

    Raises
    ------
    UserError
        If a number is out of range.
    """

    rows: float
    most: float
    lost_per_day: float

    def __post_init__(self) -> None:
        for name in ("rows", "lost_per_day"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise UserError(f"{name} of trying is {getattr(self, name):g}; expected 0 or more")
        if not 0.0 < self.most <= 1.0:
            raise UserError(f"the largest share of trying is {self.most:g}; expected above 0 to 1")

    def share(self, outcomes: int) -> float:
        """The share after so many outcomes, whatever it costs."""
        if outcomes <= 0:
            return self.most if self.rows else 0.0
        return float(min(self.most, (self.rows / outcomes) ** FALL))

    def budget(self, floor: float, state: BudgetState | None) -> ExplorationBudget | None:
        """The control of the cost, going on from ``state``; None where there is no limit."""
        if not self.lost_per_day or not self.rows:
            return None
        return ExplorationBudget(self.lost_per_day, min(floor, self.most), self.most, state)


def book(
    budget: ExplorationBudget,
    batch: LoggedBatch,
    value: FloatArray,
    among: BoolArray,
    at_most: float,
) -> None:
    """Book what trying cost some decisions, by a sample of them.

    Parameters
    ----------
    budget
        the control.
    batch
        what was decided, whose outcomes are known now.
    value
        float64[m] of :func:`sample_of` the batch, what each action is worth, in approvals.
    among
        bool[m], what is tried.
    at_most
        share of the decisions to come in which something is tried, whatever the budget allows.
    """
    mean = float(gaps(sample_of(batch), value, among).mean())
    known_at = batch.outcome.get("outcome_at")
    if isinstance(known_at, np.ndarray) and not np.isnat(known_at).all():
        now = np.nanmax(known_at.astype("M8[us]"))
    else:
        delay_s = batch.action_delay_s[batch.chosen_action]
        now = (batch.decided_at + delay_s.astype("m8[s]")).max()
    budget.record(np.full(batch.n, mean), batch.decided_at, now, at_most=at_most)


def sample_of(batch: LoggedBatch) -> LoggedBatch:
    """One in ``PRICED`` decisions, at least one."""
    return batch.take(np.arange(0, batch.n, PRICED, dtype=np.int64))
