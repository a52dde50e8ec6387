"""The mean of 1/propensity: silent where propensities are right, loud where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.logs.audit.inverse import InverseSums, deviations
from authopt.logs.audit.report import InverseCheck
from authopt.logs.audit.timeline import SLICES, TimelineSums
from authopt.sampling import normalise, sample
from authopt.time_bins import MOST_BINS
from tests.factories import logged_batch


def checks(batch: LoggedBatch) -> tuple[InverseCheck, ...]:
    sums = InverseSums()
    sums.add(batch, deviations(batch))
    return sums.report()


def sliced(batch: LoggedBatch) -> list[InverseCheck]:
    sums, timeline = InverseSums(), TimelineSums()
    found = deviations(batch)
    sums.add(batch, found)
    timeline.add(batch, found)
    parts = timeline.report(sums.design_effect())
    return [part.inverse for part in parts if part.inverse is not None]


def claiming(batch: LoggedBatch, weights: tuple[float, ...]) -> LoggedBatch:
    """The same log, but the policy says it preferred routes by these factors."""
    assert batch.probability is not None
    claimed = normalise(batch, batch.probability * np.tile(weights, batch.n))
    return replace(batch, probability=claimed, propensity=claimed[batch.chosen_action])


def drawn(batch: LoggedBatch, rare: float, rng: np.random.Generator) -> LoggedBatch:
    """The same decisions with a first route that is rare, drawn anew."""
    k = len(batch.routes)
    probability = np.full(batch.m, (1.0 - rare) / (k - 1))
    probability[::k] = rare
    chosen = sample(batch, probability, rng.random(batch.n))
    propensity = probability[batch.offsets[:-1] + chosen]
    return replace(batch, chosen=chosen, probability=probability, propensity=propensity)


def test_uniform_logging_meets_the_number_of_actions_exactly() -> None:
    total, *routes = checks(logged_batch(3_000, uniform_logging=True))
    assert total.mean == pytest.approx(3.0)
    assert total.expected == 3.0
    assert not total.alarm
    for route in routes:
        assert route.expected == 1.0
        assert route.mean == pytest.approx(1.0, abs=0.1)
        assert abs(route.mean - 1.0) < 4 * route.standard_error


def test_a_policy_without_a_choice_is_no_alarm() -> None:
    total, route = checks(logged_batch(200, routes=("adyen",)))
    assert (total.mean, total.expected, total.z, total.alarm) == (1.0, 1.0, 0.0, False)
    assert route.z == 0.0


def test_actions_of_probability_zero_are_not_expected() -> None:
    batch = logged_batch(2_000, uniform_logging=True)
    probability = np.where(batch.action_route == 2, 0.0, 0.5)
    chosen = np.arange(2_000) % 2
    batch = replace(batch, chosen=chosen, probability=probability, propensity=np.full(2_000, 0.5))
    total, *routes = checks(batch)
    assert total.mean == total.expected == 2.0
    assert [route.what for route in routes] == ["adyen", "braintree"]


def test_propensities_of_another_policy_are_found_overall_or_by_route() -> None:
    found = checks(claiming(logged_batch(5_000), (3.0, 1.0, 1.0)))
    assert any(check.alarm for check in found)
    adyen = next(check for check in found if check.what == "adyen")
    assert adyen.mean < 1.0


def test_a_change_of_policy_that_the_log_missed_shows_in_time() -> None:
    batch = logged_batch(8_000, uniform_logging=True)
    late = np.arange(batch.n) >= 6_000
    # From then on the first route is taken always, and still claimed to be one of three.
    weights = np.where(late[batch.decision_of_action] & (batch.action_route > 0), 0.25, 1.0)
    true = normalise(batch, weights)
    chosen = sample(batch, true, np.random.default_rng(1).random(batch.n))
    claimed = normalise(batch, np.where(batch.action_route == 0, 1.2, 1.0))
    log = replace(
        batch,
        chosen=chosen,
        probability=claimed,
        propensity=claimed[batch.offsets[:-1] + chosen],
    )
    found = sliced(log)
    assert len(found) == SLICES
    z = [check.z or 0.0 for check in found]
    assert max(abs(value) for value in z[6:]) > max(abs(value) for value in z[:6])
    assert found[-1].alarm


def test_with_the_taken_action_alone_only_too_much_is_an_alarm() -> None:
    batch = replace(logged_batch(4_000, uniform_logging=True), probability=None)
    total = checks(batch)[0]
    assert (total.exact, total.alarm) == (False, False)
    low = checks(replace(batch, propensity=np.full(batch.n, 0.9)))[0]
    assert low.mean < low.expected
    assert not low.alarm
    high = checks(replace(batch, propensity=np.full(batch.n, 0.1)))[0]
    assert high.alarm


def test_decisions_without_a_propensity_are_left_out() -> None:
    batch = logged_batch(1_000, uniform_logging=True)
    unknown = replace(batch, propensity=np.where(np.arange(1_000) < 400, np.nan, 1 / 3))
    assert checks(unknown)[0].decisions == 600
    assert checks(replace(batch, propensity=np.full(1_000, np.nan), probability=None)) == ()


def test_a_rare_action_that_never_came_is_no_alarm() -> None:
    batch = logged_batch(500, uniform_logging=True)
    probability = np.tile([0.002, 0.499, 0.499], 500)
    chosen = 1 + np.arange(500) % 2
    batch = replace(batch, chosen=chosen, probability=probability, propensity=np.full(500, 0.499))
    total, *routes = checks(batch)
    # What came hardly varies; what could have come does.
    variance = 1 / 0.002 + 2 / 0.499 - 9
    assert total.standard_error == pytest.approx(np.sqrt(variance / 500))
    assert not any(check.alarm for check in (total, *routes))
    rare = next(check for check in routes if check.what == "adyen")
    assert rare.mean == 0.0
    assert rare.standard_error == pytest.approx(np.sqrt((1 / 0.002 - 1) / 500))


def test_draws_shared_by_a_payment_widen_the_standard_error() -> None:
    batch = logged_batch(6_000, attempts_per_payment=6, seed=3)
    assert batch.probability is not None
    first = (np.arange(batch.n) // 6) * 6
    probability = batch.probability.reshape(batch.n, -1)[first].ravel()
    chosen = batch.chosen[first]
    sticky = replace(
        batch,
        chosen=chosen,
        probability=probability,
        propensity=probability[batch.offsets[:-1] + chosen],
    )
    alone, together = checks(batch)[0], checks(sticky)[0]
    assert together.standard_error > 1.8 * alone.standard_error
    assert not together.alarm


def test_slices_are_cut_alike_whatever_the_chunks() -> None:
    # Eleven days by the second: more bins than are kept.
    batch = logged_batch(9_000)
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.integers(0, 10**6, batch.n)) * np.timedelta64(1, "s")
    batch = replace(batch, decided_at=batch.decided_at[:1] + seconds)
    whole, left, right = TimelineSums(), TimelineSums(), TimelineSums()
    whole.add(batch, deviations(batch))
    for at in rng.permutation(90):
        part = batch.take(slice(at * 100, at * 100 + 100))
        (left if at % 6 else right).add(part, deviations(part))
    assert len(whole.report(1.0)) == SLICES
    assert whole.bins <= MOST_BINS < batch.n
    assert 1_400 < right.bins <= 1_500
    for one, other in zip((left + right).report(1.0), whole.report(1.0), strict=True):
        assert (one.start, one.end, one.decisions) == (other.start, other.end, other.decisions)
        assert one.inverse is not None
        assert other.inverse is not None
        assert one.inverse.z == pytest.approx(other.inverse.z)


@pytest.mark.slow
@pytest.mark.parametrize("rare", [0.3, 0.02, 0.002])
def test_right_propensities_hardly_ever_raise_an_alarm(rare: float) -> None:
    batch = logged_batch(2_000)
    rng = np.random.default_rng(2026)
    runs = 2_000
    alarms = 0
    for _ in range(runs):
        log = drawn(batch, rare, rng)
        alarms += any(check.alarm for check in (*checks(log), *sliced(log)))
    # Twelve checks in each; Bernstein's bound alone allows 0.8%, the normal law 0.08%.
    assert alarms / runs < 0.002


@pytest.mark.slow
def test_wrong_propensities_raise_an_alarm_nearly_always() -> None:
    batch = logged_batch(5_000)
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(200):
        log = drawn(batch, 0.2, rng)
        found += any(check.alarm for check in checks(claiming(log, (1.5, 1.0, 1.0))))
    assert found >= 190
