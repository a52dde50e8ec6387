"""The "best time" model: approval predicted by gradient-boosted trees, and the likeliest taken.

What many payment teams run and vendors sell: a supervised model, trained on past attempts, says how
likely each time (and here each route) is to be approved, and the likeliest is taken. Stripe's Smart
Retries choose the time of a retry by machine learning over signals that depend on time
(docs.stripe.com/billing/revenue-recovery/smart-retries), by gradient-boosted trees before its
transformer of 2024 (Stripe blog, "Adaptive Acceptance"); Recurly's Intelligent Retries and
Checkout.com's Smart Dunning retries are sold alike. There is no exploration, no correction for what
the log's own policy chose, and a retry is judged by its own approval, not by what it leaves to
later ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.features.tabular import CategoryFeature, Features
from authopt.policies.best_time.columns import attempt_columns, decision_columns
from authopt.policies.best_time.model_file import BestTimeFile, records, tree_record
from authopt.policies.best_time.trees import Forest, Tree, make_forest
from authopt.policies.family import EPSILON, Family
from authopt.policies.state_file import read_state, write_state

MADE_BY = "authopt train LOG --policy best-time --out best-time.json"

_CHUNK_DECISIONS = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class BestTime:
    """The eligible route and delay that a supervised model holds likeliest to be approved.

    Of equally likely actions those of the shortest delay are taken, and several of them share the
    probability; ``stop`` is taken where nothing else is eligible.

    Attributes
    ----------
    rows
        attempts that the model was trained on.
    mean_approval
        their share of approvals.
    decision_features, attempt_features
        the columns of the model, of ``decision_columns`` and of ``attempt_columns``, in the order
        in which the trees number them.
    trees
        in the order of their sum.
    baseline
        that their sum is added to, in logits.
    forest
        the same trees, ready to be summed.
    """

    rows: int
    mean_approval: float
    decision_features: Features
    attempt_features: Features
    trees: tuple[Tree, ...]
    baseline: float
    forest: Forest
    name: str = "best-time"

    @classmethod
    def of(
        cls,
        rows: int,
        mean_approval: float,
        decision_features: Features,
        attempt_features: Features,
        trees: tuple[Tree, ...],
        baseline: float,
    ) -> Self:
        """From a model's parts.

        Raises
        ------
        ValueError
            If the trees do not fit the features.
        """
        columns = (*decision_features.features, *attempt_features.features)
        levels = [
            len(each.levels) + 1 if isinstance(each, CategoryFeature) else None for each in columns
        ]
        forest = make_forest(trees, baseline, levels, len(decision_features.features))
        return cls(
            rows, mean_approval, decision_features, attempt_features, trees, baseline, forest
        )

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on the likeliest action of each decision, shared where several are."""
        if not batch.n:
            return np.zeros(0)
        logit = np.where(batch.is_stop, -np.inf, self.logits(batch))
        best = _is_extreme(batch, logit, np.maximum)
        delay = np.where(best, batch.action_delay_s.astype(np.float64), np.inf)
        share = (best & _is_extreme(batch, delay, np.minimum)).astype(np.float64)
        return np.asarray(share / np.repeat(batch.sum_by_decision(share), batch.counts))

    def approval(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the predicted chance of approval of every action but ``stop`` (0)."""
        return np.where(batch.is_stop, 0.0, 1.0 / (1.0 + np.exp(-self.logits(batch))))

    def logits(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the logit of the predicted chance of approval; of no meaning at ``stop``."""
        parts = [
            self._logits(batch.take(slice(start, start + _CHUNK_DECISIONS)))
            for start in range(0, batch.n, _CHUNK_DECISIONS)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _logits(self, batch: DecisionBatch) -> FloatArray:
        return self.forest.sums(
            self.decision_features.ordinal(decision_columns(batch), batch.n),
            self.attempt_features.ordinal(attempt_columns(batch), batch.m),
            batch.decision_of_action,
        )

    def record(self) -> BestTimeFile:
        """The model as files hold it."""
        return BestTimeFile(
            self.rows,
            self.mean_approval,
            records(self.decision_features),
            records(self.attempt_features),
            self.baseline,
            tuple(tree_record(tree) for tree in self.trees),
        )

    @classmethod
    def from_record(cls, record: BestTimeFile) -> Self:
        """The model of a record.

        Raises
        ------
        ValueError
            If its trees are none, or do not fit the features.
        """
        return cls.of(
            record.rows,
            record.mean_approval,
            Features(tuple(each.feature() for each in record.decision_features)),
            Features(tuple(each.feature() for each in record.attempt_features)),
            tuple(each.tree() for each in record.trees),
            record.baseline,
        )

    def save(self, path: Path) -> None:
        """Write the file that :meth:`load` reads."""
        write_state(path, self.record())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a fitted model.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        record = read_state(path, BestTimeFile, "a fitted best-time model", MADE_BY)
        try:
            return cls.from_record(record)
        except ValueError as error:
            raise UserError(
                f"{path}: not a fitted best-time model: {error}. Make one with: {MADE_BY}"
            ) from None


def _is_extreme(batch: DecisionBatch, values: FloatArray, extreme: np.ufunc) -> BoolArray:
    """bool[m], which actions have their decision's largest, or smallest, value."""
    edge = extreme.reduceat(values, batch.offsets[:-1])
    return np.asarray(values == np.repeat(edge, batch.counts))


def _make(file: Path | None, _: object) -> BestTime:
    assert file is not None
    return BestTime.load(file)


FAMILY = Family(
    "best-time:FILE.json[,epsilon=0.05]", _make, (EPSILON,), takes_file=True, needs_file=True
)
