from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.evaluation.betting.context_classes import (
    CLASSES,
    Reading,
    context_class,
    largest_of,
    largest_weights,
)
from authopt.evaluation.betting.score_tally import Tally
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import logging_terms, terms_of


def classes(*largest: float, unsupported: list[float] | None = None) -> list[int]:
    mass = None if unsupported is None else np.array(unsupported)
    return context_class(np.array(largest), mass).tolist()


@given(st.floats(1.0, 1e7))
def test_a_class_allows_at_most_a_tenth_more_than_the_context(largest: float) -> None:
    (place,) = classes(largest)
    assert largest * (1.0 - 1e-9) <= largest_of(place) <= 1.1 * largest


def test_unknown_and_huge_weights_and_missing_support_are_in_the_last_class() -> None:
    assert classes(np.inf, 1e300) == [CLASSES, CLASSES]
    assert classes(4.0, 4.0, unsupported=[0.0, 0.1]) == [16, CLASSES]
    assert largest_of(CLASSES) == np.inf


LOG = LoggedArrays(
    offsets=np.array([0, 2, 5]),
    chosen=np.array([0, 2]),
    reward=np.ones(2),
    propensity=np.array([0.5, 0.25]),
    probability=np.array([0.5, 0.5, 0.75, 0.0, 0.25]),
)


def test_no_weight_is_above_one_over_the_least_probable_action() -> None:
    terms = terms_of(LOG, np.array([0.5, 0.5, 0.0, 0.0, 1.0]))
    assert (largest_weights(LOG, terms) >= [1.0, 4.0]).all()
    assert (largest_weights(LOG, terms) <= [2.0, 4.0]).all()


def test_the_logging_policy_has_no_weight_but_one() -> None:
    assert largest_weights(LOG, logging_terms(LOG)).tolist() == [1.0, 1.0]


def test_a_log_without_probabilities_does_not_bound_weights() -> None:
    log = LoggedArrays(
        offsets=LOG.offsets, chosen=LOG.chosen, reward=LOG.reward, propensity=LOG.propensity
    )
    terms = terms_of(log, np.array([0.5, 0.5, 0.0, 0.0, 1.0]))
    assert largest_weights(log, terms).tolist() == [np.inf, np.inf]


def test_an_empty_log_has_no_contexts() -> None:
    log = LoggedArrays(
        offsets=np.zeros(1, np.int64),
        chosen=np.zeros(0, np.int64),
        reward=np.zeros(0),
        propensity=np.zeros(0),
        probability=np.zeros(0),
    )
    terms = terms_of(log, np.zeros(0))
    assert len(context_class(largest_weights(log, terms))) == 0


@pytest.mark.parametrize(
    ("largest_weight", "expected"), [(8.0, {8.0: 3.0, np.inf: 1.0}), (np.inf, {np.inf: 4.0})]
)
def test_contexts_within_the_declared_weight_are_read_together(
    largest_weight: float, expected: dict[float, float]
) -> None:
    tally = Tally()
    tally.add(context_class(np.array([2.0, 8.0, 3.0, 9.0])), np.array([1.0, 2.0, 3.0, 4.0]))
    points = Reading(largest_weight).points(tally)
    assert {bound: kinds[0][1].sum() for bound, kinds in points.items()} == expected


def test_without_a_declared_weight_they_are_read_by_powers_of_two() -> None:
    tally = Tally()
    tally.add(context_class(np.array([2.0, 8.0, 5.0, 9.0])), np.ones(4))
    points = Reading(None).points(tally)
    assert {bound: kinds[0][1].sum() for bound, kinds in points.items()} == {
        2.0: 1.0,
        8.0: 2.0,
        16.0: 1.0,
    }
