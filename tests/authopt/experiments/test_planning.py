"""How long an experiment takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.experiments.arm_tally import ArmTally
from authopt.experiments.difference import difference
from authopt.experiments.planning import plan, sequential_times
from authopt.experiments.verdict import round_up
from tests.authopt.experiments.units import drawn

USUAL: dict[str, Any] = {"mean": 0.9, "variance": 0.09, "payments_per_day": 1_000.0, "effect": 0.02}


def test_the_fixed_test_needs_what_the_textbook_says() -> None:
    # (1.959964 + 0.841621)^2 * 0.09 * 4 / 0.02^2
    assert plan(**USUAL).fixed == 7_064


@pytest.mark.parametrize(
    ("change", "times"),
    [
        ({"effect": 0.01}, 4.0),
        ({"of_arm": 0.1}, 0.25 / 0.09),
        ({"design_effect": 3.0}, 3.0),
        ({"reduction": 0.4}, 0.6),
    ],
)
def test_it_needs_more_where_effects_are_smaller_or_values_vary_more(
    change: dict[str, float], times: float
) -> None:
    usual, other = plan(**USUAL), plan(**USUAL | change)
    assert other.fixed == pytest.approx(times * usual.fixed, rel=1e-3)
    assert other.sequential_enough == pytest.approx(times * usual.sequential_enough, rel=0.1)


def test_a_share_of_the_traffic_takes_longer_and_no_more_payments() -> None:
    whole, part = plan(**USUAL), plan(**USUAL | {"share": 0.25})
    assert part.fixed == whole.fixed
    assert part.fixed_days == pytest.approx(4.0 * whole.fixed_days)
    assert part.enough_days == pytest.approx(part.sequential_enough / 250.0)


def test_half_of_the_experiments_are_done_before_most_are() -> None:
    median, mean, enough = sequential_times(0.05, 0.8)
    assert median < mean < enough < 2.5


@pytest.mark.parametrize(
    "change",
    [
        {"effect": 0.0},
        {"share": 1.5},
        {"variance": 0.0},
        {"power": 0.01},
        {"reduction": 1.0},
        {"of_arm": 1.0},
        {"payments_per_day": 0.0},
    ],
)
def test_numbers_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UserError, match="expected a number"):
        plan(**USUAL | change)


@pytest.mark.parametrize(("number", "rounded"), [(7.2, 8), (99.0, 99), (12_345.0, 13_000)])
def test_guesses_are_rounded_up_to_two_figures(number: float, rounded: int) -> None:
    assert round_up(number) == rounded


@pytest.mark.slow
def test_the_payments_that_are_planned_are_about_those_that_it_takes() -> None:
    planned = plan(mean=0.8, variance=0.16, payments_per_day=1.0, effect=0.05)
    batch, taken = planned.fixed // 12, []
    for run in range(80):
        tally = ArmTally(("a", "b"), (0.5, 0.5), expected_units=planned.sequential_median)
        for look in range(1, 200):
            tally.add(*drawn(batch, (0.775, 0.825), 1_000 * run + look))
            if difference(tally, "b").better:
                break
        taken.append(look * batch)
    assert np.median(taken) == pytest.approx(planned.sequential_median, rel=0.25)
    assert np.quantile(taken, 0.8) == pytest.approx(planned.sequential_enough, rel=0.25)
