"""Data of the plot of logged probabilities against how often actions came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authopt.evaluation.propensities.calibration import OVERALL, calibration_of
from tests.authopt.evaluation.propensities.faulty import shifted, sound, sums_of


def test_bins_hold_every_eligible_action_once() -> None:
    batch = sound(2_000)
    overall, *routes = calibration_of(sums_of(batch))
    assert overall.name == OVERALL
    assert sum(one.count for one in overall.bins) == batch.m
    assert sum(one.count for route in routes for one in route.bins) == batch.m
    assert sum(one.observed * one.count for one in overall.bins) == pytest.approx(batch.n)
    assert sum(one.predicted * one.count for one in overall.bins) == pytest.approx(batch.n)
    assert {route.name for route in routes} == set(batch.routes)


def test_sound_probabilities_lie_within_the_intervals() -> None:
    bins = [one for each in calibration_of(sums_of(sound(20_000))) for one in each.bins]
    inside = sum(one.lower <= one.predicted <= one.upper for one in bins)
    assert inside / len(bins) >= 0.85


def test_shifted_probabilities_stand_out_for_their_route() -> None:
    calibrations = calibration_of(sums_of(shifted(sound(20_000))))
    route = next(each for each in calibrations if each.name == "braintree")
    above = sum(one.predicted > one.upper for one in route.bins)
    assert above >= 3


def test_propensities_alone_have_no_plot() -> None:
    assert calibration_of(sums_of(replace(sound(100), probability=None))) == ()
