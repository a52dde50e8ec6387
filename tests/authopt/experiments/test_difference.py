"""The difference between two arms, and its limits."""

from __future__ import annotations

from itertools import product
from math import log

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.evaluation.betting.betting import Scores, log_wealth
from authopt.experiments.arm_tally import ArmTally, SavedTally
from authopt.experiments.bets import FRACTIONS, shares_of_wealth
from authopt.experiments.difference import (
    Method,
    arm_value,
    difference,
    differences,
    pair_scores,
    stake_of,
)
from tests.authopt.experiments.units import drawn, tally_of

units = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4).map(lambda each: each / 4.0)),
    max_size=250,
)
cuts = st.lists(st.integers(0, 250), max_size=4)


@given(units, cuts, st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_counting_in_parts_with_saving_in_between_is_counting_all_at_once(
    rows: list[tuple[int, float]], ends: list[int], predicted: bool, clustered: bool
) -> None:
    arm = np.array([each[0] for each in rows], np.int64)
    value = np.array([each[1] for each in rows])
    prediction = np.full(len(rows), 0.25)
    unit = (np.arange(len(rows)) % 7).astype(np.uint64)

    def add(tally: ArmTally, some: slice) -> None:
        tally.add(
            arm[some],
            value[some],
            prediction=prediction[some] if predicted else None,
            unit=unit[some] if clustered else None,
        )

    def empty() -> ArmTally:
        return ArmTally(("a", "b", "c"), (0.5, 0.25, 0.25), (0.0, 1.0), predicted, clustered)

    whole, parts = empty(), empty()
    add(whole, slice(0, len(rows)))
    for start, end in zip([0, *sorted(ends)], [*sorted(ends), len(rows)], strict=True):
        add(parts, slice(start, end))
        parts = ArmTally.restored(
            msgspec.json.decode(msgspec.json.encode(parts.saved()), type=SavedTally)
        )
    assert parts.saved() == whole.saved()


def test_the_estimate_is_the_difference_between_the_means() -> None:
    tally = ArmTally(("live", "new"), (0.5, 0.5))
    tally.add(np.array([0, 0, 0, 0, 1, 1]), np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0]))
    assert difference(tally, "new").estimate == pytest.approx(0.5 - 0.75)


def test_wealth_is_the_product_over_units_of_what_each_bet_makes_of_them() -> None:
    tally = ArmTally(("live", "new"), (0.7, 0.3), centre=0.5)
    arm, value = drawn(40, (0.8, 0.6), 1, (0.7, 0.3))
    tally.add(arm, value)
    theta, most = -0.1, 1.0 / 0.3
    wealth = shares_of_wealth(20_000, 0.3, most, 0.025)
    for this, x in zip(arm, value, strict=True):
        score = (x - 0.5) * (1.0 / 0.3 if this else -1.0 / 0.7)
        wealth = wealth * (1.0 + FRACTIONS * (score - theta) / (theta + most))
    stake = stake_of(*pair_scores(tally, 1, 0), 20_000, 0.025)
    assert log_wealth([stake], theta) == pytest.approx(log(wealth.sum()))


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_mean_wealth_of_those_who_bet_against_the_truth_is_one(share: float) -> None:
    rates, centre, mean = (0.9, 0.7), 0.4, 0.0
    cells = [  # probability and score of every kind of unit
        (p_arm * p_value, (value - centre) * times)
        for arm, (p_arm, times) in enumerate(
            [(1.0 - share, -1.0 / (1.0 - share)), (share, 1.0 / share)]
        )
        for value, p_value in ((1.0, rates[arm]), (0.0, 1.0 - rates[arm]))
    ]
    for kinds in product(cells, repeat=3):
        scores = Scores.of(np.array([score for _, score in kinds]))
        stake = stake_of(scores, share, 1.0 / min(share, 1.0 - share), 20_000, 0.025)
        chance = float(np.prod([each for each, _ in kinds]))
        mean += chance * float(np.exp(log_wealth([stake], rates[1] - rates[0])))
    assert mean == pytest.approx(1.0)


def test_limits_are_where_the_wealth_reaches_its_threshold() -> None:
    tally = tally_of(3_000, (0.9, 0.85))
    found = difference(tally, "new", alpha=0.05)
    assert found.lower is not None
    assert found.upper is not None
    for pair, limit in (((1, 0), found.lower), ((0, 1), -found.upper)):
        stake = stake_of(*pair_scores(tally, *pair), 20_000, 0.025)
        assert log_wealth([stake], limit) == pytest.approx(log(1 / 0.025), abs=1e-4)


def test_without_units_nothing_is_known() -> None:
    found = difference(ArmTally(("live", "new"), (0.5, 0.5), (-1.0, 3.0)), "new")
    assert (found.estimate, found.lower, found.upper) == (None, -4.0, 4.0)
    assert not found.better
    assert not found.worse


def test_first_units_that_come_arm_by_arm_do_not_mislead() -> None:
    arm, value = drawn(2_000, (0.9, 0.9), 12)
    order = np.concatenate([np.argsort(arm[:400], kind="stable"), np.arange(400, 2_000)])
    tally = ArmTally(("live", "new"), (0.5, 0.5))
    tally.add(arm[order], value[order])
    found = difference(tally, "new")
    assert not found.better
    assert not found.worse


def test_swapping_the_arms_swaps_the_limits() -> None:
    tally = tally_of(2_000, (0.9, 0.8), shares=(0.8, 0.2))
    one, other = difference(tally, "new", "live"), difference(tally, "live", "new")
    assert one.lower == -(other.upper or 0.0)
    assert one.upper == -(other.lower or 0.0)


def test_limits_scale_with_the_bounds_of_the_values() -> None:
    arm, value = drawn(2_000, (0.9, 0.8), 3)
    plain = ArmTally(("live", "new"), (0.5, 0.5))
    plain.add(arm, value)
    money = ArmTally(("live", "new"), (0.5, 0.5), (-500.0, 1_500.0))
    money.add(arm, 2_000.0 * value - 500.0)
    small, large = difference(plain, "new"), difference(money, "new")
    assert large.lower == pytest.approx(2_000.0 * (small.lower or 0.0), abs=1e-5)
    assert large.upper == pytest.approx(2_000.0 * (small.upper or 0.0), abs=1e-5)


def test_a_clear_difference_is_found_whatever_the_shares() -> None:
    assert difference(tally_of(4_000, (0.8, 0.9)), "new").better
    assert difference(tally_of(20_000, (0.9, 0.8), shares=(0.95, 0.05)), "new").worse


def test_a_third_arm_does_not_touch_the_comparison_of_two_others() -> None:
    arm, value = drawn(6_000, (0.9, 0.8, 0.1), 4)
    three = ArmTally(("live", "new", "odd"), (0.4, 0.4, 0.2), centre=0.8)
    two = ArmTally(("live", "new"), (0.5, 0.5), centre=0.8)
    three.add(arm, value)
    two.add(arm[arm < 2], value[arm < 2])
    assert difference(three, "new") == difference(two, "new")


def test_several_arms_share_the_error() -> None:
    tally = ArmTally(("live", "b", "c"), (0.4, 0.3, 0.3))
    tally.add(*drawn(1_000, (0.9, 0.9, 0.9), 5))
    found = differences(tally, alpha=0.05)
    assert [each.arm for each in found] == ["b", "c"]
    assert found[0] == difference(tally, "b", alpha=0.025)


def test_good_predictions_narrow_the_limits_and_leave_the_truth_within() -> None:
    rng = np.random.default_rng(6)
    arm, known = rng.integers(0, 2, 8_000), rng.random(8_000)
    value = (rng.random(8_000) < 0.05 + 0.9 * (known > 0.5)).astype(np.float64)
    plain = ArmTally(("live", "new"), (0.5, 0.5))
    plain.add(arm, value)
    told = ArmTally(("live", "new"), (0.5, 0.5), predicted=True)
    told.add(arm, value, prediction=0.05 + 0.9 * (known > 0.5))
    wide, narrow = difference(plain, "new"), difference(told, "new")
    assert (narrow.upper or 0) - (narrow.lower or 0) < 0.6 * ((wide.upper or 0) - (wide.lower or 0))
    assert (narrow.lower or 0) < 0.0 < (narrow.upper or 0)


def test_asymptotic_limits_are_about_as_wide_as_exact_ones_of_many_units() -> None:
    arm, value = drawn(20_000, (0.9, 0.9), 7)
    exact, unbounded = (ArmTally(("live", "new"), (0.5, 0.5), bounds) for bounds in ((0, 1), None))
    for tally in (exact, unbounded):
        tally.add(arm, value)
    one, other = difference(exact, "new"), difference(unbounded, "new")
    assert (one.method, other.method) == (Method.BETTING, Method.ASYMPTOTIC)
    widths = [(each.upper or 0) - (each.lower or 0) for each in (one, other)]
    assert widths[0] == pytest.approx(widths[1], rel=0.1)


def test_asymptotic_limits_say_nothing_of_few_units() -> None:
    tally = ArmTally(("live", "new"), (0.5, 0.5), bounds=None)
    tally.add(*drawn(150, (0.9, 0.1), 8))
    assert difference(tally, "new").lower is None


def test_payments_of_a_card_that_are_alike_widen_the_limits() -> None:
    rng = np.random.default_rng(9)
    card = rng.integers(0, 400, 20_000)
    arm, value = card % 2, (rng.random(400) < 0.8).astype(np.float64)[card]
    apart, together = (ArmTally(("live", "new"), (0.5, 0.5), clustered=True) for _ in range(2))
    apart.add(arm, value, unit=rng.integers(0, 2**63, 20_000).astype(np.uint64))
    together.add(arm, value, unit=card.astype(np.uint64))
    one, other = difference(apart, "new"), difference(together, "new")
    assert (other.standard_error or 0.0) > 4.0 * (one.standard_error or 1.0)


def test_too_few_clusters_say_nothing() -> None:
    tally = ArmTally(("live", "new"), (0.5, 0.5), clustered=True)
    arm, value = drawn(1_000, (0.9, 0.1), 10)
    tally.add(arm, value, unit=(np.arange(1_000) % 40).astype(np.uint64))
    assert (difference(tally, "new").lower, difference(tally, "new").upper) == (-1.0, 1.0)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_the_value_of_an_arm_has_limits_about_its_mean(bounds: tuple[float, float] | None) -> None:
    tally = ArmTally(("live", "new"), (0.5, 0.5), bounds)
    tally.add(*drawn(4_000, (0.9, 0.8), 11))
    found = arm_value(tally, "new")
    assert found.units == int(tally.moments[1, 0])
    assert found.lower is not None
    assert found.upper is not None
    assert found.mean is not None
    assert 0.75 < found.lower < found.mean < found.upper < 0.85


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_a_value_outside_its_bounds_is_refused(value: float) -> None:
    tally = ArmTally(("live", "new"), (0.5, 0.5))
    with pytest.raises(UserError, match="expected a finite number within 0 and 1"):
        tally.add(np.array([0]), np.array([value]))


@pytest.mark.parametrize(
    ("arms", "shares"),
    [
        (("a",), (1.0,)),
        (("a", "a"), (0.5, 0.5)),
        (("a", "b"), (0.5, 0.4)),
        (("a", "b"), (1.0, 0.0)),
    ],
)
def test_arms_and_shares_that_do_not_fit_are_refused(
    arms: tuple[str, ...], shares: tuple[float, ...]
) -> None:
    with pytest.raises(UserError, match="expected"):
        ArmTally(arms, shares)


def _ever_excluded(
    runs: int, looks: int, batch: int, rates: tuple[float, float], alpha: float
) -> float:
    wrong = 0
    for run in range(runs):
        tally = ArmTally(("live", "new"), (0.5, 0.5), expected_units=1_000)
        for look in range(looks):
            tally.add(*drawn(batch, rates, 1_000 * run + look))
            found = difference(tally, "new", alpha=alpha)
            truth = rates[1] - rates[0]
            if not (found.lower or 0.0) <= truth <= (found.upper or 0.0):
                wrong += 1
                break
    return wrong / runs


def test_looking_often_excludes_the_truth_seldom() -> None:
    # 40 runs with an error of at most 0.3: above 0.55 with a probability below 0.001.
    assert _ever_excluded(40, 6, 200, (0.8, 0.7), alpha=0.3) <= 0.55


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(0.9, 0.9), (0.9, 0.8), (0.5, 0.5)])
def test_looking_at_every_batch_excludes_the_truth_in_at_most_five_percent(
    rates: tuple[float, float],
) -> None:
    # 150 runs with an error of at most 0.05: above 0.12 with a probability below 0.001.
    assert _ever_excluded(150, 12, 300, rates, alpha=0.05) <= 0.12
