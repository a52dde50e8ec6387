from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from authopt.batch import FloatArray
from authopt.policies.bandits.best_of_betas import best_of_betas


def shares(*parameters: tuple[float, float]) -> FloatArray:
    alpha, beta = np.array(parameters, np.float64).T
    found = best_of_betas(alpha[None], beta[None], np.ones((1, len(parameters)), np.bool_))
    return np.asarray(found[0])


def first_wins(a: int, b: int, c: int, d: int) -> float:
    """P(X > Y) for X ~ Beta(a, b) and Y ~ Beta(c, d) with a whole: a finite sum.

    Cook, 'Exact calculation of Beta inequalities' (2005).
    """
    i = np.arange(a)
    terms = betaln(c + i, b + d) - np.log(b + i) - betaln(1 + i, b) - betaln(c, d)
    return float(np.exp(terms).sum())


@given(a=st.integers(1, 400), b=st.integers(1, 400), c=st.integers(1, 400), d=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_two_betas_agree_with_the_closed_form(a: int, b: int, c: int, d: int) -> None:
    assert shares((a, b), (c, d))[0] == pytest.approx(first_wins(a, b, c, d), abs=1e-8)


def test_the_densest_posteriors_agree_with_the_closed_form() -> None:
    expected = first_wins(43_500, 6_500, 8_660, 1_340)
    assert shares((43_500, 6_500), (8_660, 1_340))[0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    "parameters",
    [
        ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0)),
        ((0.05, 0.2), (3.0, 1.0), (900.0, 100.0)),
        ((0.45, 0.12), (0.83, 0.2)),
        ((88.0, 14.0), (870.0, 130.0), (9.0, 2.0), (1.0, 1.0), (4_400.0, 600.0), (2.0, 9.0)),
    ],
)
def test_many_betas_agree_with_drawing_from_them(
    parameters: tuple[tuple[float, float], ...],
) -> None:
    draws = 200_000
    rng = np.random.default_rng(11)
    alpha, beta = np.array(parameters).T
    won = np.bincount(
        rng.beta(alpha, beta, (draws, len(alpha))).argmax(axis=1), minlength=len(alpha)
    )
    assert shares(*parameters) == pytest.approx(won / draws, abs=4 * 0.5 / np.sqrt(draws))


@given(
    parameters=st.lists(
        st.tuples(st.floats(0.05, 2e4), st.floats(0.05, 2e4)), min_size=1, max_size=7
    )
)
@settings(max_examples=30, deadline=None)
def test_shares_sum_to_one_and_follow_a_change_of_order(
    parameters: list[tuple[float, float]],
) -> None:
    found = shares(*parameters)
    assert found.sum() == pytest.approx(1.0, abs=1e-13)
    assert (found >= 0).all()
    assert found[::-1] == pytest.approx(shares(*parameters[::-1]), abs=1e-9)


@given(a=st.floats(0.05, 500.0), b=st.floats(0.05, 500.0), count=st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_equal_betas_share_equally(a: float, b: float, count: int) -> None:
    assert shares(*[(a, b)] * count) == pytest.approx(np.full(count, 1 / count), abs=1e-12)


@given(p=st.floats(0.05, 50.0), q=st.floats(0.05, 50.0), r=st.floats(0.05, 50.0))
@settings(max_examples=40, deadline=None)
def test_mirrored_betas_win_where_the_others_lose(p: float, q: float, r: float) -> None:
    # X > Y exactly where 1 - X < 1 - Y.
    assert shares((p, q), (r, p))[0] == pytest.approx(shares((q, p), (p, r))[1], abs=1e-6)


def test_only_eligible_ones_take_part() -> None:
    alpha, beta = np.full((2, 3), 5.0), np.full((2, 3), 2.0)
    eligible = np.array([[True, False, True], [False, True, False]])
    assert best_of_betas(alpha, beta, eligible).tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]


def test_rows_do_not_depend_on_each_other() -> None:
    rng = np.random.default_rng(5)
    alpha, beta = rng.uniform(1, 900, (40, 5)), rng.uniform(1, 90, (40, 5))
    eligible = rng.random((40, 5)) < 0.7
    eligible[:, 0] = True
    together = best_of_betas(alpha, beta, eligible)
    alone = [
        best_of_betas(alpha[row : row + 1], beta[row : row + 1], eligible[row : row + 1])
        for row in range(40)
    ]
    assert together == pytest.approx(np.concatenate(alone), abs=1e-13)
