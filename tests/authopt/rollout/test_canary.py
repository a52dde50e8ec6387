"""What is done with a canary."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.rollout.canary import CanaryRules, CanaryState, CanaryVerdict, judge_canary
from authopt.rollout.harm import Tallies


def judged(
    live: tuple[int, int],
    canary: tuple[int, int],
    rules: CanaryRules = CanaryRules(),  # noqa: B008
    *breaches: str,
) -> CanaryVerdict:
    """By payments of each arm that were not paid, and that were."""
    tallies = Tallies.of_payments(
        0.05, np.array([live], np.float64), np.array([canary], np.float64), 0.93
    )
    return judge_canary(tallies, rules, breaches)


def test_without_outcomes_it_is_left_alone() -> None:
    verdict = judged((0, 0), (0, 0))
    assert verdict.state is CanaryState.HEALTHY
    assert (verdict.difference, verdict.chance, verdict.lost) == (None, 1.0, 0.0)


def test_one_that_does_harm_is_rolled_back_with_the_figures() -> None:
    verdict = judged((3_500, 46_500), (260, 2_370))
    assert verdict.state is CanaryState.ROLLED_BACK
    assert verdict.why.startswith(
        "The canary has 90.11% of 2,630, the live policy 93.00% of 50,000"
    )
    assert "about 76 outcomes were lost" in verdict.why
    assert verdict.chance <= 0.036
    assert verdict.upper < 0.0


def test_one_that_does_no_harm_is_ready_once_that_is_sure() -> None:
    early, later = judged((350, 4_650), (18, 245)), judged((14_000, 186_000), (735, 9_790))
    assert (early.state, later.state) == (CanaryState.HEALTHY, CanaryState.READY)
    assert later.lower > -0.01
    assert "1 are borne" in later.why


def test_a_smaller_tolerance_asks_for_more() -> None:
    units = (14_000, 186_000), (735, 9_790)
    assert judged(*units, CanaryRules(tolerance=0.002)).state is CanaryState.HEALTHY


def test_a_few_units_are_never_enough() -> None:
    units = (14_000, 186_000), (735, 9_790)
    assert judged(*units, CanaryRules(least_units=20_000)).state is CanaryState.HEALTHY


def test_a_better_one_is_ready_and_loses_nothing() -> None:
    verdict = judged((14_000, 186_000), (500, 10_025))
    assert verdict.state is CanaryState.READY
    assert verdict.lost < 0.0
    assert verdict.chance == 1.0


def test_a_broken_guardrail_rolls_it_back_whatever_the_outcomes_say() -> None:
    verdict = judged((14_000, 186_000), (500, 10_025), CanaryRules(), "latency rose by 80 ms.")
    assert verdict.state is CanaryState.ROLLED_BACK
    assert verdict.why == "A guardrail broke: latency rose by 80 ms."


def test_arms_of_the_wrong_size_roll_it_back() -> None:
    verdict = judged((3_500, 46_500), (100, 900))
    assert verdict.state is CanaryState.ROLLED_BACK
    assert "has 1.96% of the units that count, and should have 5%" in verdict.why


def test_arms_of_about_the_right_size_do_not() -> None:
    assert judged((3_500, 46_500), (180, 2_390)).breaches == ()


@pytest.mark.parametrize(
    "wrong", [{"false_alarm": 0.0}, {"tolerance": 1.0}, {"false_ready": -1.0}, {"least_units": -1}]
)
def test_rules_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        CanaryRules(**wrong)  # type: ignore[arg-type]
