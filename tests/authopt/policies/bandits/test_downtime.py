from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.policies.bandits.downtime import Downtime, Rule
from authopt.policies.bandits.segments import Outcomes
from tests.authopt.policies.batches import START, Decision, batch_of

ROUTE = "adyen"


def outcomes(times: list[float], rewards: list[int]) -> Outcomes:
    zeros = np.zeros(len(times), np.int64)
    at = START + (np.array(times) * 1e6).astype("m8[us]")
    return Outcomes([()], zeros, (ROUTE,), zeros, np.array(rewards, np.float64), at)


def is_down(downtime: Downtime, seconds: float) -> bool:
    batch = batch_of([Decision(1, ((ROUTE, 0),), "visa", 1.0, None, (0.0,))])
    batch.decided_at[:] = START + np.timedelta64(int(seconds * 1e6), "us")
    return bool(downtime.is_down(batch)[0])


def one_by_one(rule: Rule, times: list[float], rewards: list[int]) -> float:
    """The score by the engine's steps, an outcome at a time."""
    score = made = reset = 0.0
    for number, (now, reward) in enumerate(zip(times, rewards, strict=True)):
        if number == 0 or now - made > rule.hard_reset_s:
            score, made, reset = 1.0, now, now
        elif score < rule.threshold and now - reset > rule.soft_reset_s:
            score, reset = rule.after_soft_reset, now
        if rule.score == "penalty":
            score = score * 0.95
            score = min(score * (1.0526 if reward else 1.0), 1.0)
        else:
            score = score * (1.0 - rule.weight) + (rule.weight if reward else 0.0)
    return score


@pytest.mark.parametrize("rule", [Rule(), Rule("penalty"), Rule(credit=3, soft_reset_s=60)])
@given(
    waits=st.lists(st.integers(1, 400), min_size=1, max_size=120),
    rate=st.sampled_from([0.0, 0.3, 0.9]),
    cut=st.integers(0, 120),
)
@settings(max_examples=25, deadline=None)
def test_scores_are_those_of_the_engines_steps(
    rule: Rule, waits: list[int], rate: float, cut: int
) -> None:
    times = np.cumsum(waits).astype(float).tolist()
    rewards = (np.random.default_rng(len(waits)).random(len(waits)) < rate).astype(int).tolist()
    downtime = Downtime(rule, ())
    for part in (slice(0, cut), slice(cut, None)):
        if times[part]:
            downtime.add(outcomes(times[part], rewards[part]))
    assert downtime.score[0, 0] == pytest.approx(one_by_one(rule, times, rewards))


def test_a_route_goes_down_after_failures_and_comes_back_for_a_trial_after_a_while() -> None:
    downtime = Downtime(Rule(), ())
    downtime.add(outcomes([float(second) for second in range(20)], [1] * 8 + [0] * 12))
    assert is_down(downtime, 21)
    assert is_down(downtime, 899)
    assert not is_down(downtime, 901)
    # Ten failures' credit: nine leave it in, the tenth takes it out again.
    downtime.add(outcomes([902.0 + second for second in range(9)], [0] * 9))
    assert not is_down(downtime, 912)
    downtime.add(outcomes([912.0], [0]))
    assert is_down(downtime, 913)


def test_an_old_score_is_made_anew() -> None:
    downtime = Downtime(Rule(soft_reset_s=1e6), ())
    downtime.add(outcomes([0.0] * 20, [0] * 20))
    assert is_down(downtime, 9_000)
    assert not is_down(downtime, 9_001)


def test_ordinary_declines_do_not_take_a_route_out() -> None:
    downtime = Downtime(Rule(), ())
    rewards = (np.random.default_rng(4).random(5_000) < 0.87).astype(int).tolist()
    downtime.add(outcomes(np.arange(5_000.0).tolist(), rewards))
    assert downtime.score[0, 0] > downtime.rule.threshold


def test_the_default_score_of_the_engine_takes_a_busy_route_out_whatever_its_rate() -> None:
    downtime = Downtime(Rule("penalty"), ())
    downtime.add(outcomes(np.arange(800.0).tolist(), [1 if n % 10 else 0 for n in range(800)]))
    assert is_down(downtime, 801)


def test_the_threshold_lies_the_deviations_below_the_normal_rate() -> None:
    rule = Rule(normal=0.9, down=0.5, deviations=4.0)
    deviation = np.sqrt(0.9 * 0.1 * rule.weight / 2)
    assert (0.9 - rule.threshold) / deviation == pytest.approx(4.0, rel=0.01)


def test_nonsense_is_refused() -> None:
    with pytest.raises(UserError, match="0 < down < normal < 1"):
        Rule(normal=0.3, down=0.4)
    with pytest.raises(UserError, match="numbers above 0"):
        Rule(credit=0)
