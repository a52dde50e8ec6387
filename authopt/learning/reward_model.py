"""q(x, a): the reward to expect of an action, by gradient-boosted trees, cross-fitted by payment.

The direct method and the doubly robust estimators rest on it. Cross-fitting (Chernozhukov et al.,
"Double/debiased machine learning", 2018, definition 3.1) keeps the doubly robust estimate from
being flattered: the model that predicts for a payment never saw any of its attempts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from authopt.batch import (
    Categorical,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
)
from authopt.errors import UserError
from authopt.features.folds import fold_of, sample_payments
from authopt.features.tabular import Features, action_table, decision_table, learn_features
from authopt.learning.reward_fold_models import (
    FoldModel,
    RouteMeans,
    fit_trees,
    is_enough,
    route_means,
)
from authopt.learning.reward_quality import RewardQuality, quality_of

MAX_ROWS = 300_000
STOP_REWARD = 0.0
"""Giving up brings no approval and no money, and costs none: it is 0 by definition, not learned."""

_CHUNK_ACTIONS = 1 << 18
_VALIDATION = 10


@dataclass(frozen=True, slots=True, eq=False)
class RewardModel:
    """Expected rewards of actions, each by the model that never saw the decision's payment.

    Attributes
    ----------
    decision_features, action_features
        the declarations of the features.
    models
        one per fold.
    bounds
        predictions are kept within them.
    seed
        of the folds.
    description
        one sentence for reports: what was fitted, on how much.
    quality
        how well it predicts what it did not see; None if there was no outcome at all.
    """

    decision_features: Features
    action_features: Features
    models: tuple[FoldModel, ...]
    bounds: tuple[float, float]
    seed: int
    description: str
    quality: RewardQuality | None

    def predict(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]: the expected reward of every eligible action; ``stop`` is worth 0."""
        return self._predict(batch, np.arange(batch.m, dtype=np.int64))

    def predict_chosen(self, batch: LoggedBatch) -> FloatArray:
        """float64[n]: the expected reward of the action taken, without the cost of the others."""
        return self._predict(batch, batch.chosen_action)

    def _predict(self, batch: DecisionBatch, actions: IntArray) -> FloatArray:
        values = np.full(len(actions), STOP_REWARD)
        fold = fold_of(batch.payment_id, len(self.models), self.seed)
        decision = batch.decision_of_action[actions]
        attempt_made = ~batch.is_stop[actions]
        for held_out, model in enumerate(self.models):
            rows = np.flatnonzero(attempt_made & (fold[decision] == held_out))
            for some in _chunks(rows):
                matrix = _matrix(
                    self.decision_features,
                    self.action_features,
                    batch,
                    decision[some],
                    actions[some],
                )
                values[some] = np.clip(model.predict(matrix), *self.bounds)
        return values


def fit_reward_model(
    batches: Iterable[LoggedBatch],
    *,
    folds: int = 3,
    max_rows: int = MAX_ROWS,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
) -> RewardModel:
    """Fit q(x, a) on what the log took and what came back.

    Decisions without a known reward, and those that took ``stop``, do not train. The log is read
    once, chunk by chunk.

    Parameters
    ----------
    batches
        the log.
    folds
        number of folds of the cross-fit, at least 2.
    max_rows
        train on whole payments with at most that many decisions together.
    seed
        of folds, sample and trees.
    bounds
        smallest and largest possible reward; by default 0 and 1 if no other reward is seen in
        training, else the smallest and largest seen there.

    Raises
    ------
    UserError
        If an option is out of its range.
    """
    if not 2 <= folds <= 50:
        raise UserError(f"folds is {folds}; expected 2 to 50")
    if max_rows < 1:
        raise UserError(f"max rows is {max_rows}; expected at least 1")
    sample = sample_payments(_with_outcome(batches), max_rows, seed, "reward model")
    if sample is None:
        low, high = bounds or (0.0, 1.0)
        blank = RouteMeans(np.zeros(0), (low + high) / 2, None)
        said = "no outcome is known: the middle of the rewards' bounds for every action"
        return RewardModel(
            Features(()), Features(()), (blank,) * folds, (low, high), seed, said, None
        )
    batch = sample.batch
    binary = bool(np.isin(batch.reward, (0.0, 1.0)).all())
    seen = (0.0, 1.0) if binary else (float(batch.reward.min()), float(batch.reward.max()))
    low, high = bounds or seen
    context = learn_features(decision_table(batch))
    action = learn_features(action_table(batch, batch.chosen_action), min_level_rows=1)
    matrix = _matrix(
        context, action, batch, np.arange(batch.n, dtype=np.int64), batch.chosen_action
    )
    fold = fold_of(batch.payment_id, folds, seed)
    enough = bool(matrix.shape[1]) and all(
        is_enough(batch.reward[fold != held_out], binary) for held_out in range(folds)
    )
    early_stop = fold_of(batch.payment_id, _VALIDATION, seed + 1) == 0
    categorical = np.concatenate([context.is_categorical, action.is_categorical])
    route = len(context.names) + action.names.index("route") if "route" in action.names else None
    routes = len(np.unique(matrix[:, route])) if route is not None else 0
    models: list[FoldModel] = []
    for held_out in range(folds):
        rows = fold != held_out
        if enough:
            models.append(
                fit_trees(matrix, batch.reward, rows, early_stop, categorical, binary, seed)
            )
        else:
            middle = (low + high) / 2
            models.append(route_means(matrix[rows], batch.reward[rows], route, routes, middle))
    kind = "gradient-boosted trees" if enough else "mean per route, shrunken (too few outcomes)"
    said = f"{kind}, {folds}-fold cross-fitted by payment on {batch.n:,} decisions"
    if not sample.is_whole:
        said += f" out of {sample.decisions:,} with an outcome"
    model = RewardModel(context, action, tuple(models), (low, high), seed, said, None)
    return replace(model, quality=quality_of(batch, model.predict_chosen(batch), fold, binary))


def _with_outcome(batches: Iterable[LoggedBatch]) -> Iterator[LoggedBatch]:
    for batch in batches:
        keep = np.isfinite(batch.reward) & ~batch.is_stop[batch.chosen_action]
        yield batch if keep.all() else batch.take(np.flatnonzero(keep).astype(np.int64))


def _matrix(
    context: Features,
    action: Features,
    batch: DecisionBatch,
    decision: IntArray,
    actions: IntArray,
) -> FloatArray:
    """float64[rows, p]: context and action features of chosen (decision, action) pairs."""
    known = {
        name: column[decision]
        for name, column in decision_table(batch).items()
        if isinstance(column, Categorical | np.ndarray)
    }
    return np.hstack(
        [
            context.ordinal(known, len(decision)),
            action.ordinal(action_table(batch, actions), len(decision)),
        ]
    )


def _chunks(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), _CHUNK_ACTIONS):
        yield rows[start : start + _CHUNK_ACTIONS]
