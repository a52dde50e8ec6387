"""Units keep their arm, whoever looks, and arms get the shares that were planned."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from authopt.errors import UserError
from authopt.experiments.assignment import NO_ARM, Assignment
from authopt.sampling import uniforms

UNITS = pa.array([f"pay-{number}" for number in range(20_000)], pa.string())

weights = st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any)
shares = st.floats(1e-3, 1.0)


def assignment(weights: list[int], share: float = 1.0, salt: str = "a") -> Assignment:
    names = tuple(f"arm-{number}" for number in range(len(weights)))
    return Assignment(salt, names, tuple(weights), share)


@given(weights, shares, st.text(max_size=8), st.lists(st.none() | st.text(max_size=20)))
def test_one_unit_has_the_arm_that_it_has_among_many(
    weights: list[int], share: float, salt: str, units: list[str | None]
) -> None:
    made = assignment(weights, share, salt)
    many = made.arms_of(pa.array(units, pa.string()))
    one = [None if unit is None else made.arm_of(unit) for unit in units]
    assert [None if arm == NO_ARM else made.arms[arm] for arm in many] == one


@given(weights, st.lists(shares, min_size=2, max_size=4))
def test_raising_the_share_keeps_everyone_who_is_in(
    weights: list[int], shares: list[float]
) -> None:
    units = UNITS[:300]
    stages = [assignment(weights, share).arms_of(units) for share in sorted(shares)]
    for before, after in pairwise(stages):
        assert (after[before != NO_ARM] == before[before != NO_ARM]).all()


@given(st.lists(st.integers(1, 999_999), min_size=2, max_size=4))
def test_moving_weight_to_the_first_of_two_arms_keeps_everyone_who_is_there(
    firsts: list[int],
) -> None:
    units = UNITS[:300]
    stages = [assignment([first, 1_000_000 - first]).arms_of(units) for first in sorted(firsts)]
    for before, after in pairwise(stages):
        assert (after[before == 0] == 0).all()


@given(weights)
def test_an_arm_of_weight_0_gets_nobody(weights: list[int]) -> None:
    got = np.bincount(assignment(weights).arms_of(UNITS[:500]), minlength=len(weights))
    assert not got[np.array(weights) == 0].any()


def test_arms_get_their_planned_shares() -> None:
    made = assignment([1, 2, 5], share=0.4)
    arms = made.arms_of(UNITS)
    inside = arms[arms != NO_ARM]
    assert stats.binomtest(len(inside), len(arms), 0.4).pvalue > 0.001
    expected = made.planned * len(inside)
    assert stats.chisquare(np.bincount(inside), expected).pvalue > 0.001


def test_two_trials_split_units_independently() -> None:
    one, other = (assignment([1, 1], salt=salt).arms_of(UNITS) for salt in ("a", "b"))
    assert stats.binomtest(int((one == other).sum()), len(UNITS), 0.5).pvalue > 0.001


def test_the_arm_says_nothing_about_the_draw_of_the_action() -> None:
    arms = assignment([1, 1], salt="authopt").arms_of(UNITS)
    drawn = uniforms(UNITS)
    assert stats.ks_2samp(drawn[arms == 0], drawn[arms == 1]).pvalue > 0.001


def test_assignments_never_change_between_versions() -> None:
    # A trial that runs over an upgrade must not be shuffled by it.
    assert assignment([1, 1, 1], 0.5, "s").arms_of(UNITS[:12]).tolist() == [
        2,
        1,
        2,
        -1,
        2,
        -1,
        2,
        2,
        2,
        -1,
        -1,
        -1,
    ]


@pytest.mark.parametrize(
    ("weights", "share", "named"),
    [
        ([0, 0], 1.0, "weights"),
        ([1, -1], 1.0, "weights"),
        ([1, 1_000_001], 1.0, "weights"),
        ([], 1.0, "arms"),
        ([1] * 21, 1.0, "arms"),
        ([1, 1], 0.0, "share"),
        ([1, 1], 1.5, "share"),
        ([1, 1], float("nan"), "share"),
    ],
)
def test_what_does_not_fit_is_refused(weights: list[int], share: float, named: str) -> None:
    with pytest.raises(UserError, match=named):
        assignment(weights, share)


def test_arms_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="different"):
        Assignment("s", ("a", "a"), (1, 1))
