"""The models of one fold of a reward model: trees, or shrunken means where outcomes are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from authopt.batch import BoolArray, FloatArray

MIN_ROWS = 200
"""A fold with fewer outcomes, or fewer than ``MIN_EACH`` of each, is given means, not trees."""
MIN_EACH = 20

PRIOR_ROWS = 20.0
"""Pseudo-rows that pull a route's mean to the mean over all."""

_MIN_ROWS_FOR_THREADS = 1 << 14


class FoldModel(Protocol):
    """Expected rewards, from a model fitted without the payments of one fold."""

    def predict(self, matrix: FloatArray) -> FloatArray:
        """float64[rows], from ordinal features (float64[rows, p])."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteMeans:
    """Mean reward per route, shrunken to the mean over all by ``PRIOR_ROWS`` pseudo-rows.

    Attributes
    ----------
    means
        float64[routes], by the code of the route.
    overall
        for other routes.
    column
        where the matrix holds the code of the route; None where there is but one route.
    """

    means: FloatArray
    overall: float
    column: int | None

    def predict(self, matrix: FloatArray) -> FloatArray:
        """float64[rows]."""
        if self.column is None or not len(self.means):
            return np.full(len(matrix), self.overall)
        code = matrix[:, self.column]
        known = code < len(self.means)
        return np.where(known, self.means[np.where(known, code, 0).astype(np.int64)], self.overall)


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """A fitted scikit-learn estimator: its probability of reward 1, or its prediction."""

    estimator: Any
    binary: bool

    def predict(self, matrix: FloatArray) -> FloatArray:
        """float64[rows]."""
        with _threads(len(matrix)):
            if self.binary:
                return np.asarray(self.estimator.predict_proba(matrix)[:, 1], np.float64)
            return np.asarray(self.estimator.predict(matrix), np.float64)


def is_enough(reward: FloatArray, binary: bool) -> bool:
    """Whether there are outcomes enough, and of more than one kind, to grow trees on."""
    if len(reward) < MIN_ROWS:
        return False
    if binary:
        return bool(min(reward.sum(), len(reward) - reward.sum()) >= MIN_EACH)
    return bool(reward.min() < reward.max())


def fit_trees(
    matrix: FloatArray,
    reward: FloatArray,
    rows: BoolArray,
    early_stop: BoolArray,
    categorical: BoolArray,
    binary: bool,
    seed: int,
) -> Trees:
    """Grow trees on the chosen rows.

    Parameters
    ----------
    matrix
        float64[n, p], ordinal features.
    reward
        float64[n].
    rows
        bool[n], those to train on.
    early_stop
        bool[n], payments held back to tell when to stop growing; a random split would leak.
    categorical
        bool[p], which columns are codes of categories.
    binary
        whether all rewards are 0 or 1.
    seed
        of the trees.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    train, check = rows & ~early_stop, rows & early_stop
    use_check = is_enough(reward[train], binary) and len(np.unique(reward[check])) > 1
    if not use_check:
        train = rows
    estimator = (HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor)(
        learning_rate=0.08,
        max_iter=200,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        l2_regularization=10.0,
        categorical_features=categorical,
        early_stopping=use_check,
        n_iter_no_change=10,
        random_state=seed,
    )
    target = reward.astype(np.int64) if binary else reward
    held = {"X_val": matrix[check], "y_val": target[check]} if use_check else {}
    with _threads(int(train.sum())):
        estimator.fit(matrix[train], target[train], **held)
    return Trees(estimator, binary)


def route_means(
    matrix: FloatArray, reward: FloatArray, column: int | None, routes: int, middle: float
) -> RouteMeans:
    """Shrunken means per route; ``middle`` is what they shrink to where nothing is known.

    ``column`` is where ``matrix`` holds the route's code, from 0 to below ``routes``.
    """
    overall = (float(reward.sum()) + PRIOR_ROWS * middle) / (len(reward) + PRIOR_ROWS)
    if column is None:
        return RouteMeans(np.zeros(0), overall, None)
    code = matrix[:, column].astype(np.int64)
    sums = np.bincount(code, reward, minlength=routes)
    counts = np.bincount(code, minlength=routes)
    return RouteMeans((sums + PRIOR_ROWS * overall) / (counts + PRIOR_ROWS), overall, column)


def _threads(rows: int) -> Any:
    """OpenMP with one thread where the work is small: starting and spinning threads costs more."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(limits=1 if rows < _MIN_ROWS_FOR_THREADS else None, user_api="openmp")
