"""Checks that tell whether propensities are those that actions were drawn with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import Categorical, LoggedBatch
from authopt.evaluation.block import Block
from authopt.evaluation.propensities.checks import checks_of
from authopt.evaluation.propensities.deviations import tail
from authopt.evaluation.propensities.sums import MOST_VALUES, PropensitySums
from authopt.evaluation.propensities.verdicts import Verdict, holm, worst
from tests.authopt.evaluation.propensities.faulty import FAULTS, block_of, sound, sums_of


@pytest.mark.parametrize(
    ("fault", "seen_by"), FAULTS.items(), ids=lambda each: getattr(each, "__name__", each)
)
def test_every_fault_is_found_by_the_check_that_is_made_for_it(
    fault: Callable[[LoggedBatch], LoggedBatch], seen_by: str
) -> None:
    checks = {check.name: check for check in checks_of(sums_of(fault(sound(20_000, seed=11))))}
    assert checks[seen_by].verdict is Verdict.WRONG, checks[seen_by]
    assert checks[seen_by].remedy


def test_a_sound_log_raises_no_more_false_alarms_than_stated() -> None:
    seeds = 100
    alarms = sum(
        worst(checks_of(sums_of(sound(1_000, seed=seed)))) is not Verdict.OK
        for seed in range(seeds)
    )
    # One alarm is expected at most; five or more come with a chance of 0.3%.
    assert alarms <= 4


@pytest.mark.slow
def test_a_large_sound_log_raises_no_more_false_alarms_than_stated() -> None:
    alarms = sum(
        worst(checks_of(sums_of(sound(20_000, seed=seed)))) is not Verdict.OK for seed in range(200)
    )
    assert alarms <= 4


@given(st.lists(st.integers(0, 400), max_size=4), st.booleans())
def test_parts_add_up_to_the_whole_in_any_order(cuts: list[int], backwards: bool) -> None:
    batch = sound(400, seed=2)
    bounds = [0, *sorted(cuts), 400]
    parts = [sums_of(batch.take(slice(start, stop))) for start, stop in itertools.pairwise(bounds)]
    if backwards:
        parts.reverse()
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert [_figures(check) for check in checks_of(total)] == [
        _figures(check) for check in checks_of(sums_of(batch))
    ]


def _figures(check: object) -> tuple[object, ...]:
    p, z = getattr(check, "corrected", None), getattr(check, "statistic", None)
    return (
        getattr(check, "name", None),
        getattr(check, "verdict", None),
        None if p is None else round(p, 9),
        None if z is None else round(z, 9),
    )


def test_a_part_comes_back_from_its_state() -> None:
    sums = sums_of(sound(500))
    assert checks_of(PropensitySums.from_state(sums.state())) == checks_of(sums)
    assert all(array.dtype != object for array in sums.state().values())


def test_nothing_added_up_says_nothing() -> None:
    assert worst(checks_of(PropensitySums())) is Verdict.UNKNOWN


def test_one_decision_raises_no_alarm() -> None:
    checks = checks_of(sums_of(sound(1)))
    assert worst(checks) is Verdict.OK
    assert all(np.isfinite(check.statistic) for check in checks if check.statistic is not None)


def test_a_deterministic_policy_without_exploration_raises_no_alarm() -> None:
    batch = sound(500)
    certain = np.zeros(batch.m)
    certain[batch.chosen_action] = 1.0
    batch = replace(batch, probability=certain, propensity=np.ones(batch.n))
    assert worst(checks_of(sums_of(batch))) is Verdict.OK


def test_propensities_alone_say_less_and_the_checks_say_so() -> None:
    checks = {
        check.name: check for check in checks_of(sums_of(replace(sound(2_000), probability=None)))
    }
    assert checks["route"].verdict is Verdict.UNKNOWN
    assert checks["weight"].verdict is Verdict.OK
    assert "Log the probability" in checks["route"].remedy


def test_propensities_alone_that_lack_support_are_no_fault() -> None:
    batch = sound(2_000)
    certain = replace(batch, probability=None, propensity=np.ones(batch.n))
    assert worst(checks_of(sums_of(certain))) is Verdict.OK


def test_plain_arrays_are_checked_without_routes_and_times() -> None:
    block = block_of(sound(2_000))
    bare = Block(arrays=block.arrays, hashes=block.hashes, bucket=block.bucket, own=block.own)
    sums = PropensitySums()
    sums.add(bare, bare.own)
    checks = {check.name: check.verdict for check in checks_of(sums)}
    assert checks["route"] is checks["drift"] is Verdict.UNKNOWN
    assert checks["position"] is checks["cdf"] is Verdict.OK


def test_the_place_of_a_fault_in_time_is_named() -> None:
    fault = next(fault for fault in FAULTS if fault.__name__ == "stale")
    checks = {check.name: check for check in checks_of(sums_of(fault(sound(20_000, seed=11))))}
    # The last of 20,000 minutes from 1 January on, of which the last fifth is stale.
    assert "2026-01-1" in checks["drift"].sentence
    first = checks["drift"].sentence.split("; ")[1][:10]
    assert np.datetime64(first) >= np.datetime64("2026-01-11")


def test_columns_with_many_values_are_no_control_variates_whatever_the_order() -> None:
    batch = sound(400)
    names = Categorical(np.arange(400, dtype=np.int32) % 100, tuple(f"m{i}" for i in range(100)))
    batch = replace(batch, context={**batch.context, "merchant_id": names})
    left, right = sums_of(batch.take(slice(0, 50))), sums_of(batch.take(slice(50, 400)))
    for sums in (sums_of(batch), left + right, right + left):
        assert sums.too_many == {"merchant_id"}
        assert not any(label.startswith("merchant_id=") for label in sums.cells.labels)
    assert len({label for label in left.cells.labels if "merchant" in label}) == 50 <= MOST_VALUES


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_lies_between_the_p_values_and_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for p, after in zip(p_values, corrected, strict=True):
        assert min(p, 1.0) <= after <= min(1.0, len(p_values) * p) + 1e-12
    assert sorted(range(len(p_values)), key=lambda at: (corrected[at], p_values[at])) == sorted(
        range(len(p_values)), key=lambda at: (p_values[at], at)
    ) or len(set(p_values)) < len(p_values)


def test_holm_agrees_with_the_textbook() -> None:
    # Holm (1979): with 0.01, 0.04, 0.03 the factors are 3, 1 and 2, kept increasing.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_the_tail_bound_holds_where_the_action_is_rare() -> None:
    rng = np.random.default_rng(0)
    p, n, runs = 0.01, 300, 20_000
    excess = rng.binomial(n, p, runs) - n * p
    bounds = np.array([tail(float(each), n * p * (1 - p), 1.0)[1] for each in np.unique(excess)])
    bound = bounds[np.searchsorted(np.unique(excess), excess)]
    for level in (0.1, 0.01, 0.001):
        assert (bound[excess > 0] <= level).sum() / runs <= level
