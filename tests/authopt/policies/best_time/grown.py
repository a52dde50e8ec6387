"""A forest grown by scikit-learn on numbers and categories with missing values, and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from authopt.batch import FloatArray
from authopt.learning.exported_trees import exported
from authopt.policies.best_time.trees import Tree

LEVELS = (None, 40, None, 5, None)
"""Columns 1 and 3 hold codes; of column 3, code 4 is never seen in training."""

OUTER = 2


@dataclass(frozen=True)
class Grown:
    """A fitted estimator, and what was exported from it."""

    estimator: Any
    trees: tuple[Tree, ...]
    baseline: float


def matrix_of(rows: int, seed: int, most: int = 5) -> FloatArray:
    """float64[rows, 5] with a tenth of the values missing."""
    rng = np.random.default_rng(seed)
    matrix = np.stack(
        [
            rng.normal(size=rows),
            rng.integers(0, 40, rows).astype(np.float64),
            rng.integers(0, 6, rows).astype(np.float64),
            rng.integers(0, most, rows).astype(np.float64),
            rng.exponential(size=rows),
        ],
        axis=1,
    )
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return matrix


@cache
def grown() -> Grown:
    """Trees with splits of every kind, those of missing values alone among them."""
    matrix = matrix_of(4_000, 1, most=4)
    rng = np.random.default_rng(2)
    logit = np.nan_to_num(matrix[:, 0]) + np.sin(np.nan_to_num(matrix[:, 1]) * 1.7)
    logit += 1.5 * np.isnan(matrix[:, 4]) - (matrix[:, 3] == 2) + 0.3 * np.nan_to_num(matrix[:, 2])
    approved = rng.random(len(matrix)) < 1 / (1 + np.exp(-logit))
    estimator = HistGradientBoostingClassifier(
        max_iter=25,
        min_samples_leaf=20,
        categorical_features=[level is not None for level in LEVELS],
        early_stopping=False,
        random_state=0,
    ).fit(matrix, approved.astype(np.int64))
    trees, baseline = exported(estimator, list(LEVELS))
    return Grown(estimator, trees, baseline)
