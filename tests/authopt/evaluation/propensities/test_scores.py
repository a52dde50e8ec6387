"""Scores whose mean is 0 if actions were drawn with the logged probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.propensities.scores import (
    CDF_BINS,
    GROUPS,
    SCORES,
    UNBOUNDED,
    cdf_sums,
    draw_deviations,
    event_sums,
    listed_of,
    positions,
    scores_of,
)

WORLD = st.lists(
    st.lists(st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0, 3.0]), min_size=1, max_size=6).filter(any),
    min_size=1,
    max_size=5,
)


def every_draw(world: list[list[float]]) -> tuple[LoggedArrays, FloatArray, IntArray]:
    """Each decision once with each action that can be drawn, its probability, and its number."""
    rows = [
        (at, action, np.array(shares) / sum(shares))
        for at, shares in enumerate(world)
        for action in range(len(shares))
        if shares[action] > 0.0
    ]
    p = np.concatenate([shares for _, _, shares in rows])
    offsets = np.concatenate([[0], np.cumsum([len(shares) for _, _, shares in rows])])
    chosen = np.array([action for _, action, _ in rows])
    likely = p[offsets[:-1] + chosen]
    log = LoggedArrays(
        offsets=offsets,
        chosen=chosen,
        reward=np.zeros(len(rows)),
        propensity=likely,
        probability=p,
    )
    return log, likely, np.array([at for at, _, _ in rows])


def kinds_of(log: LoggedArrays) -> IntArray:
    """Some group bits and kinds that do not depend on the draw."""
    within = np.arange(int(log.offsets[-1])) - np.repeat(log.offsets[:-1], np.diff(log.offsets))
    return (within * 37 + 11) % (1 << len(GROUPS))


@given(WORLD)
def test_scores_have_mean_0_and_the_variance_and_the_bound_that_are_given(
    world: list[list[float]],
) -> None:
    log, likely, decision = every_draw(world)
    scores = scores_of(log, kinds_of(log))
    assert scores.exact
    for at in range(len(SCORES)):
        mean = np.bincount(decision, likely * scores.values[at])
        square = np.bincount(decision, likely * scores.values[at] ** 2)
        variance = np.bincount(decision, likely * scores.variance[at])
        assert np.allclose(mean, 0.0, atol=1e-9)
        assert np.allclose(square, variance, atol=1e-9)
        bound = scores.largest[at] if at < UNBOUNDED else np.ones(log.n)
        assert (np.abs(scores.values[at]) <= bound + 1e-9).all()


@given(WORLD, st.integers(1, 3))
def test_events_come_as_often_as_expected(world: list[list[float]], kinds: int) -> None:
    log, likely, _ = every_draw(world)
    kind = kinds_of(log) % kinds
    # Every draw, as often as it is likely: sums of the single rows, weighted.
    total = np.zeros(4)
    for row in range(log.n):
        actions = slice(int(log.offsets[row]), int(log.offsets[row + 1]))
        assert log.probability is not None
        one = LoggedArrays(
            offsets=np.array([0, actions.stop - actions.start]),
            chosen=log.chosen[row : row + 1],
            reward=np.zeros(1),
            propensity=log.propensity[row : row + 1],
            probability=log.probability[actions],
        )
        sums = event_sums(one, kind[actions], kinds).reshape(-1, 4)
        assert sums[:, 2].sum() == 1.0
        total += likely[row] * sums.sum(axis=0)
    assert total[1] == pytest.approx(total[2])
    assert total[2] == pytest.approx(len(world))


def test_events_of_one_kind_are_one_event() -> None:
    log = LoggedArrays(
        offsets=np.array([0, 3]),
        chosen=np.array([1]),
        reward=np.zeros(1),
        propensity=np.array([0.3]),
        probability=np.array([0.2, 0.3, 0.5]),
    )
    first, second = event_sums(log, np.array([0, 0, 1]), 2).sum(axis=1)
    assert first == pytest.approx([1.0, 0.5, 1.0, 0.25])
    assert second == pytest.approx([1.0, 0.5, 0.0, 0.25])


@given(WORLD)
def test_every_part_of_the_distribution_is_hit_equally_often(world: list[list[float]]) -> None:
    log, likely, decision = every_draw(world)
    hits = np.zeros((len(world), CDF_BINS))
    for row in range(log.n):
        assert log.probability is not None
        actions = slice(int(log.offsets[row]), int(log.offsets[row + 1]))
        one = LoggedArrays(
            offsets=np.array([0, actions.stop - actions.start]),
            chosen=log.chosen[row : row + 1],
            reward=np.zeros(1),
            propensity=log.propensity[row : row + 1],
            probability=log.probability[actions],
        )
        hits[decision[row]] += likely[row] * cdf_sums(one)[0]
    assert np.allclose(hits, 0.0, atol=1e-9)


@given(WORLD)
def test_draws_deviate_by_0_on_average_and_by_the_variance_that_is_given(
    world: list[list[float]],
) -> None:
    log, likely, decision = every_draw(world)
    deviation, variance = draw_deviations(log)
    assert np.allclose(np.bincount(decision, likely * deviation), 0.0, atol=1e-9)
    assert np.allclose(
        np.bincount(decision, likely * deviation**2), np.bincount(decision, likely * variance)
    )


@given(WORLD)
def test_with_the_propensity_alone_the_mean_weight_is_at_most_1(world: list[list[float]]) -> None:
    log, likely, decision = every_draw(world)
    scores = scores_of(replace(log, probability=None), kinds_of(log))
    assert not scores.exact
    assert (np.bincount(decision, likely * scores.values[0]) <= 1e-9).all()


def test_contradictions_among_the_probabilities_are_counted() -> None:
    log = LoggedArrays(
        offsets=np.array([0, 2, 4, 6, 8]),
        chosen=np.array([0, 1, 0, 0]),
        reward=np.zeros(4),
        propensity=np.array([0.3, 0.5, 0.7, 0.4]),
        probability=np.array([0.3, 0.7, 0.5, 0.4, 0.3, 0.7, 0.0, 1.1]),
    )
    found = listed_of(log)
    assert (found.rows, found.below, found.above) == (4, 1, 1)
    # Rows 2 and 3 give the other action's probability, row 4 that of no action.
    assert (found.differs, found.of_another, found.impossible) == (3, 2, 1)


def test_positions_beyond_the_last_share_one_place() -> None:
    log = LoggedArrays(
        offsets=np.array([0, 2, 22]),
        chosen=np.zeros(2, np.int64),
        reward=np.zeros(2),
        propensity=np.ones(2),
    )
    assert positions(log).tolist() == [0, 1, *range(15), *[15] * 5]
