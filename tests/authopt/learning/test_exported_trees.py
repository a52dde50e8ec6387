from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from authopt.learning.exported_trees import exported
from authopt.policies.best_time.trees import make_forest
from tests.authopt.policies.best_time.grown import LEVELS, grown, matrix_of


def test_codes_that_training_did_not_see_go_where_missing_values_go() -> None:
    column, unseen = 3, 4
    tested = 0
    for tree in grown().trees:
        for node, codes in enumerate(tree.codes):
            if codes is not None and tree.column[node] == column:
                assert (unseen in codes) == tree.missing_left[node]
                tested += 1
    assert tested > 5


def test_trees_of_numbers_alone_are_exported_too() -> None:
    matrix = matrix_of(1_000, seed=1)[:, [0, 4]]
    approved = (np.nan_to_num(matrix[:, 0]) > 0.2).astype(np.int64)
    estimator = HistGradientBoostingClassifier(max_iter=5, early_stopping=False).fit(
        matrix, approved
    )
    trees, baseline = exported(estimator, [None, None])
    sums = make_forest(trees, baseline, [None, None], 2).sums(
        matrix, np.zeros((1_000, 0)), np.arange(1_000)
    )
    assert np.abs(sums - estimator.decision_function(matrix)).max() < 1e-12


def test_every_code_of_a_split_is_one_of_its_column() -> None:
    for tree in grown().trees:
        for node, codes in enumerate(tree.codes):
            if codes is not None:
                levels = LEVELS[tree.column[node]]
                assert levels is not None
                assert set(codes) <= set(range(levels))
