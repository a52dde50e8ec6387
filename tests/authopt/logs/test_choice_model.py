"""The conditional logit: a likelihood over the eligible set, not a masked classifier."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from authopt.logs.choice_model import (
    ChoiceSets,
    fit_calibration,
    fit_choice_model,
    log_softmax,
)


def draw(scores: np.ndarray, possible: np.ndarray, seed: int) -> ChoiceSets:
    """Decisions with ``scores`` (n, K) over the possible ones of K actions."""
    n, k = scores.shape
    offsets = np.arange(0, n * k + 1, k)
    probability = np.exp(log_softmax(scores.ravel(), offsets, possible.ravel())).reshape(n, k)
    uniform = np.random.default_rng(seed).random((n, 1))
    chosen = (probability.cumsum(axis=1) < uniform).sum(axis=1)
    classes = np.tile(np.arange(k), n)
    return ChoiceSets(offsets, classes, possible.ravel(), offsets[:-1] + chosen)


def test_with_all_actions_eligible_it_is_the_multinomial_logit_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 4))
    sets = draw(features @ rng.normal(size=(4, 3)), np.ones((3000, 3), bool), seed=1)
    ours = fit_choice_model(csr_matrix(features), sets, 3)
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(
        features, sets.classes[sets.chosen]
    )
    probability = np.exp(ours.log_probabilities(csr_matrix(features), sets)).reshape(-1, 3)
    np.testing.assert_allclose(probability, theirs.predict_proba(features), atol=2e-3)


def test_an_action_that_is_seldom_eligible_keeps_its_share_where_it_is() -> None:
    rng = np.random.default_rng(2)
    possible = np.ones((20_000, 2), bool)
    possible[:, 1] = rng.random(20_000) < 0.1
    sets = draw(np.zeros((20_000, 2)), possible, seed=3)
    model = fit_choice_model(csr_matrix((20_000, 0)), sets, 2)
    probability = np.exp(model.log_probabilities(csr_matrix((20_000, 0)), sets)).reshape(-1, 2)
    assert probability[possible[:, 1], 1].mean() == pytest.approx(0.5, abs=0.03)
    assert (probability[~possible[:, 1], 1] == 0).all()


def test_two_actions_of_one_class_share_its_weights() -> None:
    sets = ChoiceSets(
        np.array([0, 3, 6]), np.array([0, 0, 1] * 2), np.ones(6, bool), np.array([0, 5])
    )
    model = fit_choice_model(csr_matrix((2, 0)), sets, 2)
    probability = np.exp(model.log_probabilities(csr_matrix((2, 0)), sets))
    assert probability[0] == probability[1]
    assert probability[:3].sum() == pytest.approx(1.0)


def test_a_class_that_training_never_took_keeps_a_small_probability() -> None:
    possible = np.ones((500, 2), bool)
    sets = ChoiceSets(
        np.arange(0, 1001, 2), np.tile([0, 1], 500), possible.ravel(), np.arange(0, 1000, 2)
    )
    model = fit_choice_model(csr_matrix((500, 0)), sets, 2)
    probability = np.exp(model.log_probabilities(csr_matrix((500, 0)), sets))[1]
    assert 0 < probability < 0.005


@pytest.mark.parametrize("stretch", [0.25, 3.0])
def test_calibration_mends_scores_that_were_stretched_and_shifted(stretch: float) -> None:
    scores = np.random.default_rng(4).normal(size=(20_000, 3))
    possible = np.ones((20_000, 3), bool)
    possible[::3, 2] = False
    sets = draw(scores, possible, seed=5)
    truth = log_softmax(scores.ravel(), sets.offsets, sets.possible)
    wrong = stretch * scores + np.array([0.0, 1.0, -1.0])
    wrong_log = log_softmax(wrong.ravel(), sets.offsets, sets.possible)
    calibration = fit_calibration(wrong_log, sets, 3)
    mended = calibration.log_probabilities(wrong_log, sets)
    assert calibration.slope == pytest.approx(1 / stretch, rel=0.05)
    np.testing.assert_allclose(np.exp(mended), np.exp(truth), atol=0.02)
    assert (np.exp(mended)[~sets.possible] == 0).all()


def test_calibration_leaves_calibrated_scores_alone() -> None:
    scores = np.random.default_rng(6).normal(size=(20_000, 3))
    sets = draw(scores, np.ones((20_000, 3), bool), seed=7)
    truth = log_softmax(scores.ravel(), sets.offsets, sets.possible)
    calibration = fit_calibration(truth, sets, 3)
    assert calibration.slope == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(calibration.shift, 0.0, atol=0.05)
