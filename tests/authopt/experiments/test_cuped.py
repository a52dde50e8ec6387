"""What the past foretells of units' values."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.experiments.arm_tally import ArmTally
from authopt.experiments.cuped import FIRST_UPDATE, Cuped, SavedCuped, variance_reduction


def _units(n: int, noise: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n, 2))
    covariates[rng.random(n) < 0.1, 0] = np.nan
    signal = 0.5 + 0.2 * np.nan_to_num(covariates[:, 0]) - 0.1 * covariates[:, 1]
    return covariates, signal + noise * rng.normal(size=n)


@given(st.lists(st.integers(0, 900), max_size=5))
@settings(max_examples=20, deadline=None)
def test_predictions_do_not_depend_on_batches(ends: list[int]) -> None:
    covariates, value = _units(900, 0.1)
    whole = Cuped.of(2, 0.5).foretell(covariates, value)
    cuped, parts = Cuped.of(2, 0.5), []
    for start, end in zip([0, *sorted(ends)], [*sorted(ends), 900], strict=True):
        parts.append(cuped.foretell(covariates[start:end], value[start:end]))
        saved = msgspec.json.encode(cuped.saved())
        cuped = Cuped.restored(msgspec.json.decode(saved, type=SavedCuped))
    assert np.concatenate(parts) == pytest.approx(whole)


@given(st.integers(1, 599))
@settings(max_examples=20, deadline=None)
def test_a_prediction_knows_nothing_of_its_own_unit_or_later_ones(place: int) -> None:
    covariates, value = _units(600, 0.1)
    changed = value.copy()
    changed[place:] += 10.0
    before, after = (Cuped.of(2, 0.5).foretell(covariates, each) for each in (value, changed))
    assert (before[: place + 1] == after[: place + 1]).all()


def test_the_first_units_are_foretold_by_the_usual_value() -> None:
    covariates, value = _units(300, 0.1)
    found = Cuped.of(2, 0.7).foretell(covariates, value)
    assert (found[:FIRST_UPDATE] == 0.7).all()
    assert (found[FIRST_UPDATE:] != 0.7).all()


def test_slopes_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(2)
    covariates = rng.normal(size=(20_000, 1))
    value = 0.3 + 0.5 * covariates[:, 0] + rng.normal(size=20_000)
    cuped = Cuped.of(1, 0.0)
    cuped.foretell(covariates, value)
    slope = np.cov(covariates[:, 0], value)[0, 1] / covariates.var()
    told = cuped.foretell(np.array([[0.0], [1.0]]), np.zeros(2))
    assert told[1] - told[0] == pytest.approx(slope, abs=0.02)


@pytest.mark.parametrize(("noise", "least", "most"), [(0.01, 0.9, 1.0), (5.0, -0.05, 0.05)])
def test_as_much_variance_goes_as_the_covariates_explain(
    noise: float, least: float, most: float
) -> None:
    covariates, value = _units(5_000, noise)
    tally = ArmTally(("a", "b"), (0.5, 0.5), bounds=None, predicted=True)
    arm = np.arange(5_000) % 2
    tally.add(arm, value, prediction=Cuped.of(2, 0.5).foretell(covariates, value))
    assert least <= (variance_reduction(tally) or 0.0) <= most


def test_a_covariate_that_never_varies_changes_nothing() -> None:
    value = np.random.default_rng(3).random(500)
    found = Cuped.of(1, 0.5).foretell(np.ones((500, 1)), value)
    assert np.isfinite(found).all()
    assert found[-1] == pytest.approx(value.mean(), abs=0.05)
