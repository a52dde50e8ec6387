"""A first pass over the payments of a log: how many, how long, and the models of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.errors import UserError
from authopt.evaluation.payments.models import StateSums, StateValues, ToGo, ToGoSums
from authopt.evaluation.payments.paths import Paths, paths_of
from authopt.evaluation.payments.rows import PaymentSums


@dataclass(slots=True, eq=False)
class PaymentFacts:
    """Counts and extremes.

    Attributes
    ----------
    payments, rows
        number of payments, and of decisions.
    longest, most_made, most_approved
        most decisions, attempts made and approvals of any payment.
    incomplete
        payments that do not begin with attempt 1, or leave numbers out or have them twice.
    smallest_total, largest_total
        extremes of the logged reward of a payment.
    heaviest
        largest weight of a whole path.
    most_unsupported
        largest weight that left the log or gave up unseen in any payment.
    made, unpriced
        attempts, and those without a known cost.
    predicted
        whether every decision has a predicted reward.
    """

    payments: int = 0
    rows: int = 0
    longest: int = 0
    most_made: int = 0
    most_approved: int = 0
    incomplete: int = 0
    smallest_total: float = np.inf
    largest_total: float = -np.inf
    heaviest: float = 0.0
    most_unsupported: float = 0.0
    made: int = 0
    unpriced: int = 0
    predicted: bool = True

    def add(self, paths: Paths) -> None:
        """Add payments."""
        rows = paths.rows
        total, stopped = paths.total(rows["r"]), paths.stopped_unseen
        self.payments += paths.payments
        self.rows += len(rows)
        self.longest = max(self.longest, paths.longest)
        self.most_made = max(self.most_made, int(paths.total(rows["made"] * 1.0).max()))
        self.most_approved = max(self.most_approved, int(paths.total(rows["approved"] * 1.0).max()))
        numbered = rows["attempt"] == paths.step + 1
        self.incomplete += len(np.unique(paths.payment[~numbered]))
        self.smallest_total = min(self.smallest_total, float(total.min()))
        self.largest_total = max(self.largest_total, float(total.max()))
        self.heaviest = max(self.heaviest, float((paths.after[paths.last] + stopped).max()))
        most = float((paths.unsupported + stopped).max())
        self.most_unsupported = max(self.most_unsupported, most)
        self.made += int(rows["made"].sum())
        self.unpriced += int(np.isnan(rows["cost"]).sum())
        self.predicted = self.predicted and not bool(np.isnan(rows["v"]).any())


@dataclass(frozen=True, slots=True, eq=False)
class PaymentSurvey:
    """What must be known of all payments before any of them can be scored.

    Attributes
    ----------
    facts
        counts and extremes.
    states
        what the marginalised estimator rests on.
    to_go
        what the doubly robust estimators rest on; None without a reward model.
    """

    facts: PaymentFacts
    states: StateValues
    to_go: ToGo | None


def survey(sums: PaymentSums) -> PaymentSurvey:
    """Go once over the payments.

    Raises
    ------
    UserError
        If there is no decision.
    """
    facts, states, to_go = PaymentFacts(), StateSums(), ToGoSums()
    for paths in paths_of(sums.rows):
        facts.add(paths)
        states.add(paths)
        if facts.predicted:
            to_go.add(paths)
    if not facts.payments:
        raise UserError("no decision can be used for an evaluation per payment")
    return PaymentSurvey(facts, states.solve(), to_go.solve() if facts.predicted else None)
