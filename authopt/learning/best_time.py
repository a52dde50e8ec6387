"""Fit the best-time model: scikit-learn's gradient-boosted trees, kept as plain arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.folds import fold_of, sample_payments
from authopt.features.tabular import CategoryFeature, Features, learn_features
from authopt.learning.exported_trees import exported
from authopt.learning.reward_fold_models import MIN_EACH, MIN_ROWS, fit_trees, is_enough
from authopt.policies.best_time import BestTime
from authopt.policies.best_time.columns import attempt_columns, decision_columns

MAX_ROWS = 300_000

_VALIDATION = 10
"""One payment in so many is held back to tell when to stop growing trees."""

_CHECKED_ROWS = 1_000
_TOLERANCE = 1e-9


def fit_best_time(
    batches: Iterable[LoggedBatch],
    *,
    max_rows: int = MAX_ROWS,
    seed: int = 0,
    log: Path | None = None,
) -> BestTime:
    """Fit the chance of approval by context, route and time on what the log took.

    Decisions without a known reward, and those that took ``stop``, do not train. The log is read
    once, chunk by chunk; it needs no propensities, and the model has no use for them.

    Parameters
    ----------
    batches
        the log.
    max_rows
        train on whole payments with at most that many decisions together.
    seed
        of the sample, the payments held back and the trees.
    log
        where it is from, for errors.

    Raises
    ------
    UserError
        If a reward is neither 0 nor 1, or outcomes are too few.
    RuntimeError
        If the exported trees do not predict what scikit-learn's do.
    """
    where = log or "the log"
    sample = sample_payments(_attempts(batches, where), max_rows, seed, "best time")
    if sample is None or not is_enough(sample.batch.reward, binary=True):
        raise UserError(
            f"{where}: too few outcomes for a best-time model; expected {MIN_ROWS} attempts with a "
            f"known outcome, at least {MIN_EACH} of them approved and {MIN_EACH} declined"
        )
    batch = sample.batch
    decision, attempt = decision_columns(batch), attempt_columns(batch, batch.chosen_action)
    decision_features = learn_features(decision)
    attempt_features = learn_features(attempt, min_level_rows=1)
    matrix = np.hstack(
        [decision_features.ordinal(decision, batch.n), attempt_features.ordinal(attempt, batch.n)]
    )
    if not matrix.shape[1]:
        raise UserError(f"{where}: all attempts are alike, so there is nothing to choose by")
    categorical = np.concatenate(
        [decision_features.is_categorical, attempt_features.is_categorical]
    )
    early_stop = fold_of(batch.payment_id, _VALIDATION, seed + 1) == 0
    every = np.ones(batch.n, np.bool_)
    fitted = fit_trees(matrix, batch.reward, every, early_stop, categorical, True, seed)
    trees, baseline = exported(fitted.estimator, _levels(decision_features, attempt_features))
    model = BestTime.of(
        batch.n,
        float(batch.reward.mean()),
        decision_features,
        attempt_features,
        trees,
        baseline,
    )
    _check(model, fitted.estimator, matrix[:_CHECKED_ROWS])
    return model


def _check(model: BestTime, estimator: Any, matrix: FloatArray) -> None:
    """The trees are read from attributes that scikit-learn does not promise to keep."""
    inner = len(model.decision_features.features)
    ours = model.forest.sums(matrix[:, :inner], matrix[:, inner:], np.arange(len(matrix)))
    off = np.abs(ours - estimator.decision_function(matrix)).max()
    if not off < _TOLERANCE:
        raise RuntimeError(
            f"the exported trees predict other logits than scikit-learn's, by {off:g}"
        )


def _attempts(batches: Iterable[LoggedBatch], where: Path | str) -> Iterator[LoggedBatch]:
    for batch in batches:
        keep = np.isfinite(batch.reward) & ~batch.is_stop[batch.chosen_action]
        odd = np.flatnonzero(keep & (batch.reward != 0.0) & (batch.reward != 1.0))
        if len(odd):
            raise UserError(
                f"{where}: decision {batch.decision_id[int(odd[0])].as_py()!r} has the reward "
                f"{batch.reward[odd[0]]:g}; best-time learns approvals, 0 or 1. Leave --reward out"
            )
        yield batch if keep.all() else batch.take(np.flatnonzero(keep).astype(np.int64))


def _levels(*features: Features) -> list[int | None]:
    return [
        len(each.levels) + 1 if isinstance(each, CategoryFeature) else None
        for part in features
        for each in part.features
    ]
