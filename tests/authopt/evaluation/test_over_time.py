"""The value over time: stretches, sliding windows, and a test of drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import BucketTable, bucket_of, integer_hashes
from authopt.evaluation.over_time import Drift, OverTime, over_time
from authopt.evaluation.terms import terms_of
from authopt.evaluation.time_estimates import QUANTITIES, dependence
from authopt.evaluation.time_sums import TimeSums
from authopt.sampling import normalise
from tests.authopt.evaluation.propensities.faulty import block_of, sound

RATES = np.array([0.5, 0.6, 0.7, 0.8])


def log(n: int, seed: int = 0, drop: float = 0.0) -> LoggedBatch:
    """Routes succeed at ``RATES``; in the last third of the time, by ``drop`` less."""
    batch = sound(n, seed)
    rate = RATES[batch.action_route[batch.chosen_action]]
    rate = rate - drop * (np.arange(n) >= 2 * n / 3)
    return replace(batch, reward=(np.random.default_rng(seed).random(n) < rate).astype(np.float64))


def favouring_the_first(batch: LoggedBatch) -> FloatArray:
    return normalise(batch, np.where(batch.action_route == 0, 3.0, 1.0))


def sums_of(*batches: LoggedBatch, model: bool = False) -> TimeSums:
    sums = TimeSums.empty(model)
    for batch in batches:
        block = block_of(batch)
        arrays = replace(block.arrays, q=RATES[batch.action_route]) if model else block.arrays
        sums.add(block, terms_of(arrays, favouring_the_first(batch)))
    return sums


def judged(sums: TimeSums, **options: float) -> OverTime:
    found = over_time(sums, 0.0, 1.0, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def drift_of(found: OverTime, quantity: str) -> Drift:
    return next(drift for drift in found.drifts if drift.quantity == quantity)


@pytest.mark.parametrize("model", [False, True])
def test_a_single_stretch_gives_the_estimates_of_the_whole_log(model: bool) -> None:
    batch = log(600)
    (whole,) = judged(sums_of(batch, model=model), stretches=1).stretches
    arrays = replace(block_of(batch).arrays, q=RATES[batch.action_route])
    terms = terms_of(arrays, favouring_the_first(batch))
    assert terms.w is not None
    assert terms.v is not None
    assert terms.q is not None
    value = float(terms.w @ terms.r / terms.w.sum())
    if model:
        value = float((terms.w * (terms.r - terms.q) + terms.v).mean())
    assert whole.value.value == pytest.approx(value, abs=1e-12)
    assert whole.gain.value == pytest.approx(value - terms.r.mean(), abs=1e-12)
    assert whole.rows == 600


@pytest.mark.parametrize("model", [False, True])
def test_the_variance_of_a_gain_is_that_of_its_paired_residuals(model: bool) -> None:
    batch = log(600)
    (whole,) = judged(sums_of(batch, model=model), stretches=1).stretches
    arrays = replace(block_of(batch).arrays, q=RATES[batch.action_route])
    terms = terms_of(arrays, favouring_the_first(batch))
    w, r = np.asarray(terms.w), terms.r
    residual = w * (r - w @ r / w.sum()) / w.mean()
    if model:
        score = w * (r - np.asarray(terms.q)) + np.asarray(terms.v)
        residual = score - score.mean()
    spread = ((residual - (r - r.mean())) ** 2).sum() / 600**2
    n, z, gain = w.sum() ** 2 / (w @ w), 1.959963984540054, whole.gain.value
    assert gain is not None
    half = z * np.sqrt(n * n * spread + z**2) / (n + z**2)
    assert whole.gain.interval.width == pytest.approx(2 * half, rel=1e-9)


def test_the_logged_mean_has_the_interval_of_wilson() -> None:
    batch = log(300)
    (whole,) = judged(sums_of(batch), stretches=1).stretches
    n, p, z = 300, batch.reward.mean(), 1.959963984540054
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert whole.logged.interval.lower == pytest.approx(centre - half, abs=1e-12)
    assert whole.logged.interval.upper == pytest.approx(centre + half, abs=1e-12)


def test_stretches_are_of_equal_length_and_hold_every_decision_once() -> None:
    found = judged(sums_of(log(900)))
    assert sum(stretch.rows for stretch in found.stretches) == 900
    assert len(found.stretches) == 12
    assert all(
        earlier.end <= later.start
        for earlier, later in zip(found.stretches, found.stretches[1:], strict=False)
    )
    assert len(found.windows) > 12
    assert found.windows[0].end > found.windows[1].start


@given(st.integers(1, 299), st.booleans())
def test_parts_add_up_to_the_whole_in_any_order(cut: int, backwards: bool) -> None:
    batch = log(300)
    left, right = sums_of(batch.take(slice(0, cut))), sums_of(batch.take(slice(cut, 300)))
    total = right + left if backwards else left + right
    whole = sums_of(batch)
    assert np.allclose(total.bins.sums, whole.bins.sums, rtol=1e-12, atol=1e-12)
    assert (total.bins.starts == whole.bins.starts).all()


def test_a_part_comes_back_from_its_state() -> None:
    sums = sums_of(log(300), model=True)
    assert judged(TimeSums.from_state(sums.state())) == judged(sums)


def test_years_of_log_stay_in_bounded_memory() -> None:
    batch = log(6_000)
    times = np.datetime64("2016-01-01", "us") + np.arange(6_000) * np.timedelta64(13, "h")
    sums = sums_of(replace(batch, decided_at=times))
    assert len(sums.bins) <= 4_096
    assert sum(stretch.rows for stretch in judged(sums).stretches) == 6_000


def test_a_drop_is_found_and_placed() -> None:
    found = judged(sums_of(log(5_000, drop=0.15)))
    for quantity in ("logged", "value"):
        drift = drift_of(found, quantity)
        assert drift.found
        assert drift.deviation is not None
        assert drift.deviation < 0.0
        # 5,000 minutes from 1 January on; the drop comes after two thirds.
        assert drift.end is not None
        assert drift.end.day >= 3


def test_a_drop_that_hits_all_policies_alike_leaves_the_gain_alone() -> None:
    assert not drift_of(judged(sums_of(log(5_000, drop=0.15))), "gain").found


@pytest.mark.parametrize("model", [False, True])
def test_where_nothing_drifts_the_test_seldom_says_so(model: bool) -> None:
    alarms = dict.fromkeys(QUANTITIES, 0)
    for seed in range(60):
        for drift in judged(sums_of(log(2_000, seed), model=model)).drifts:
            alarms[drift.quantity] += drift.found
    # 1% of 60 are expected; 5 or more come with a chance of 0.04%.
    assert max(alarms.values()) <= 4


def test_the_intervals_of_stretches_cover_the_value() -> None:
    covered = total = 0
    for seed in range(60):
        batch = log(1_200, seed)
        rates = RATES[batch.action_route]
        truth = float(batch.sum_by_decision(favouring_the_first(batch) * rates).mean())
        for stretch in judged(sums_of(batch), stretches=6).stretches:
            interval = stretch.value.interval
            covered += interval.lower <= truth <= interval.upper
            total += 1
    assert covered / total >= 0.93


def test_without_overlap_the_interval_is_the_whole_range() -> None:
    batch = log(60)
    block = block_of(batch)
    elsewhere = np.zeros(batch.m)
    # All mass on an action that was not taken.
    elsewhere[batch.offsets[:-1] + (batch.chosen + 1) % batch.counts] = 1.0
    several = np.flatnonzero(batch.counts > 1)
    block = block_of(batch.take(several))
    probabilities = np.concatenate(
        [elsewhere[batch.offsets[row] : batch.offsets[row + 1]] for row in several.tolist()]
    )
    sums = TimeSums.empty(False)
    sums.add(block, terms_of(block.arrays, probabilities))
    (whole,) = judged(sums, stretches=1).stretches
    assert whole.value.value is None
    assert (whole.value.interval.lower, whole.value.interval.upper) == (0.0, 1.0)
    assert (whole.gain.interval.lower, whole.gain.interval.upper) == (-1.0, 1.0)


def test_one_decision_gives_a_wide_interval_and_no_test() -> None:
    found = judged(sums_of(log(1)))
    (stretch,) = found.stretches
    assert stretch.value.interval.width > 0.6
    assert all(drift.p_value is None for drift in found.drifts)


def test_equal_rewards_give_no_interval_of_zero_width_and_no_drift() -> None:
    found = judged(sums_of(replace(log(500), reward=np.ones(500))))
    assert all(stretch.value.interval.width > 0.0 for stretch in found.stretches)
    assert not any(drift.found for drift in found.drifts)


def test_dependent_rows_widen_the_intervals() -> None:
    sums = sums_of(log(500))
    plain, clustered = judged(sums), judged(sums, design_effect=2.0)
    assert all(
        wide.value.interval.width > narrow.value.interval.width
        for wide, narrow in zip(clustered.stretches, plain.stretches, strict=True)
    )


@pytest.mark.parametrize(("together", "effect"), [(1, 1.0), (4, 4.0)])
def test_dependence_is_the_number_of_rows_that_are_alike(together: int, effect: float) -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    cluster = np.arange(n) // together
    reward = (rng.random(n // together) < 0.4).astype(np.float64)[cluster]
    weight = rng.exponential(size=n // together)[cluster]
    score = weight * reward
    columns = {"one": np.ones(n), "wr": score, "coverage": weight, "wr*wr": score**2}
    columns |= {"coverage*wr": score * weight, "coverage*coverage": weight**2}
    table = BucketTable.of(bucket_of(integer_hashes(cluster)), columns)
    assert dependence(table) == pytest.approx(effect, rel=0.15)


def test_plain_arrays_have_no_value_over_time() -> None:
    block = block_of(log(50))
    bare = Block(arrays=block.arrays, hashes=block.hashes, bucket=block.bucket, own=block.own)
    sums = TimeSums.empty(False)
    sums.add(bare, bare.own)
    assert over_time(sums, 0.0, 1.0) is None
