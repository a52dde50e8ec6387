"""What a row can be worth, by brute force; and how much of a reward model is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns
from authopt.evaluation.estimators import table_columns
from authopt.evaluation.scores import (
    Combination,
    Range,
    combined,
    gain_score,
    model_share,
    moments_of,
    unexplained,
    value_score,
)
from authopt.evaluation.terms import Terms

LOW, HIGH = -2.0, 3.0


def terms(rng: np.random.Generator, n: int, *, lacking: bool) -> Terms:
    """Rows such as any log could hold: weights up to 10, mass without support up to 0.4."""
    missing = rng.choice([0.0, 0.4, 0.1], n) if lacking else None
    q_low, q_high = np.sort(rng.uniform(LOW - 1.0, HIGH + 1.0, 2))
    v_supported = (1.0 if missing is None else 1.0 - missing) * rng.uniform(q_low, q_high, n)
    elsewhere = np.zeros(n) if missing is None else missing * rng.uniform(q_low, q_high, n)
    return Terms(
        w=rng.choice([0.0, 1.0, 10.0, 0.5], n),
        r=rng.choice([LOW, HIGH, 0.0], n),
        unsupported=missing,
        v=v_supported + elsewhere,
        v_unsupported=elsewhere,
        q=rng.choice([q_low, q_high], n),
        largest_weight=10.0,
        q_low=q_low,
        q_high=q_high,
    )


def known_of(rows: Terms) -> Range:
    most = 0.0 if rows.unsupported is None else float(rows.unsupported.max())
    return Range(LOW, HIGH, 10.0, most, rows.q_low, rows.q_high, len(rows.r))


def table_of(rows: Terms) -> BucketTable:
    columns, names = Columns(rows), table_columns(with_model=rows.q is not None)
    bucket = np.arange(len(rows.r)) % 1024
    return BucketTable.of(bucket, {name: columns[name] for name in names})


def by_row(combination: Combination, rows: Terms) -> FloatArray:
    columns, total = Columns(rows), np.zeros(len(rows.r))
    for name, factor in combination.items():
        column = columns[name]
        if column is not None:
            total = total + factor * column
    return total


@given(
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from(["wr", "dr_supported"]),
    st.sampled_from([value_score, gain_score]),
)
def test_no_row_is_worth_less_or_more_than_the_extremes_of_its_weight(
    seed: int, lacking: bool, name: str, score_of: type[value_score]
) -> None:
    rng = np.random.default_rng(seed)
    rows = terms(rng, 30, lacking=lacking)
    score = score_of(table_of(rows), name, known_of(rows))
    coverage = by_row({"coverage": 1.0}, rows)
    worst, best = by_row(score.worst, rows), by_row(score.best, rows)
    for row in range(30):
        assert worst[row] >= score.smallest(coverage[row]) - 1e-9
        assert best[row] <= score.largest(coverage[row]) + 1e-9


def test_moments_of_a_combination_are_those_of_its_rows() -> None:
    rows = terms(np.random.default_rng(0), 500, lacking=True)
    combination = {"wr": 1.0, "dr_supported": -0.5, "unsupported": 2.0, "r": -1.0, "one": 0.3}
    data, by_bucket = moments_of(table_of(rows), "coverage", combination)
    coverage, y = by_row({"coverage": 1.0}, rows), by_row(combination, rows)
    expected = (500, coverage.sum(), coverage @ coverage, y.sum(), coverage @ y, y @ y)
    found = (data.n, data.w, data.ww, data.y, data.wy, data.yy)
    assert found == pytest.approx(expected)
    assert by_bucket.sum() == pytest.approx(y.sum())


def test_sums_of_combinations_drop_what_cancels() -> None:
    assert combined({"r": 1.0, "wr": 2.0}, {"r": -1.0, "one": 3.0}) == {"wr": 2.0, "one": 3.0}


def modelled(rng: np.random.Generator, n: int, told: float, exploration: float = 0.25) -> Terms:
    """Approvals whose chance is 0.95 or 0.05; the model knows a share of the difference."""
    chance = rng.choice([0.05, 0.95], n)
    q = 0.5 + told * (chance - 0.5)
    return Terms(
        w=np.where(rng.random(n) < exploration, 1.0 / exploration, 0.0),
        r=(rng.random(n) < chance).astype(np.float64),
        v=q,
        q=q,
        largest_weight=1.0 / exploration,
        q_low=float(q.min()),
        q_high=float(q.max()),
    )


def facts(rows: Terms) -> Range:
    return Range(0.0, 1.0, rows.largest_weight, 0.0, rows.q_low, rows.q_high, len(rows.r))


def test_a_model_that_knows_is_taken_whole_and_leaves_little_unexplained() -> None:
    rows = modelled(np.random.default_rng(0), 5_000, told=1.0)
    assert model_share(table_of(rows), facts(rows)) == pytest.approx(1.0, abs=0.05)
    # Of 4 * 0.25, the noise of approvals leaves 4 * 0.0475, and v itself varies by 0.2025.
    assert unexplained(table_of(rows), facts(rows)) == pytest.approx(0.39, abs=0.05)


def test_a_model_that_knows_nothing_or_the_opposite_is_left_out() -> None:
    for told in (0.0, -1.0):
        rows = modelled(np.random.default_rng(0), 5_000, told=told)
        assert model_share(table_of(rows), facts(rows)) == 0.0
        assert unexplained(table_of(rows), facts(rows)) == 1.0


def test_where_few_rows_carry_the_weight_the_model_is_left_out() -> None:
    rows = modelled(np.random.default_rng(0), 200, told=1.0, exploration=0.01)
    assert model_share(table_of(rows), facts(rows)) < 0.3


def test_without_a_largest_weight_the_model_is_left_out() -> None:
    rows = modelled(np.random.default_rng(0), 200, told=1.0)
    known = Range(0.0, 1.0, np.inf, 0.0, 0.05, 0.95, 200)
    assert model_share(table_of(rows), known) == 0.0


def test_the_share_does_not_change_with_the_scale_of_the_rewards() -> None:
    rows = modelled(np.random.default_rng(0), 2_000, told=0.7)
    moved = Terms(
        w=rows.w,
        r=10.0 * rows.r - 3.0,
        v=10.0 * rows.v - 3.0,  # type: ignore[operator]
        q=10.0 * rows.q - 3.0,  # type: ignore[operator]
        largest_weight=rows.largest_weight,
        q_low=10.0 * rows.q_low - 3.0,
        q_high=10.0 * rows.q_high - 3.0,
    )
    known = Range(-3.0, 7.0, rows.largest_weight, 0.0, moved.q_low, moved.q_high, 2_000)
    expected = model_share(table_of(rows), facts(rows))
    assert model_share(table_of(moved), known) == pytest.approx(expected, abs=1e-9)
