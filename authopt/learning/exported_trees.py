"""scikit-learn's gradient-boosted trees as plain arrays, to be kept without pickle."""

from __future__ import annotations

from typing import Any

import numpy as np

from authopt.batch import BoolArray, FloatArray
from authopt.policies.best_time.trees import LEAF, Tree


def exported(estimator: Any, levels: list[int | None]) -> tuple[tuple[Tree, ...], float]:
    """The trees and the baseline of a fitted ``HistGradientBoostingClassifier`` of two classes.

    Parameters
    ----------
    estimator
        fitted with ``categorical_features`` as a mask, or without categories.
    levels
        per column of its matrix, how many codes a category has; None where it holds numbers.

    Returns
    -------
    tuple of Tree, float
        Columns and codes are those of the matrix that the estimator was fitted on.
    """
    # scikit-learn puts the categories first, and numbers the codes that it saw.
    categories = [column for column, count in enumerate(levels) if count is not None]
    numbers = [column for column, count in enumerate(levels) if count is None]
    seen: dict[int, FloatArray] = {}
    if estimator.is_categorical_ is not None:
        encoder = estimator._preprocessor.named_transformers_["encoder"]
        seen = dict(zip(categories, encoder.categories_, strict=True))
    columns = [*categories, *numbers]
    trees = tuple(_tree(predictor, columns, levels, seen) for (predictor,) in estimator._predictors)
    return trees, float(estimator._baseline_prediction[0, 0])


def _tree(
    predictor: Any, columns: list[int], levels: list[int | None], seen: dict[int, FloatArray]
) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(np.bool_)
    column = [
        LEAF if leaf[row] else columns[nodes["feature_idx"][row]] for row in range(len(nodes))
    ]
    codes: list[tuple[int, ...] | None] = []
    for row, each in enumerate(column):
        if each == LEAF or not nodes["is_categorical"][row]:
            codes.append(None)
            continue
        count = levels[each]
        assert count is not None
        left = _left_of_seen(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][row]])
        # What was not seen in training goes where a missing value goes.
        goes_left = np.full(count, bool(nodes["missing_go_to_left"][row]))
        known = seen[each][~np.isnan(seen[each])].astype(np.int64)
        goes_left[known] = left[: len(known)]
        codes.append(tuple(np.flatnonzero(goes_left).tolist()))
    numeric = ~leaf & ~nodes["is_categorical"].astype(np.bool_)
    # A split of missing from known values has the threshold infinity, which JSON lacks.
    most = np.finfo(np.float64).max
    threshold = np.where(numeric, np.clip(nodes["num_threshold"], -most, most), 0.0)
    return Tree(
        tuple(column),
        tuple(threshold.tolist()),
        tuple(codes),
        tuple((nodes["missing_go_to_left"].astype(np.bool_) & ~leaf).tolist()),
        tuple(np.where(leaf, 0, nodes["left"]).tolist()),
        tuple(np.where(leaf, 0, nodes["right"]).tolist()),
        tuple(np.where(leaf, nodes["value"], 0.0).tolist()),
    )


def _left_of_seen(words: Any) -> BoolArray:
    """bool[256], the bits of a bitset of eight words, lowest first."""
    return np.asarray((words[:, None] >> np.arange(32, dtype=np.uint32)) & 1, np.bool_).ravel()
