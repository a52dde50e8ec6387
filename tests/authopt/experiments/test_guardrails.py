"""How much worse an arm may be in what an experiment is not about."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.experiments.arm_tally import ArmTally
from authopt.experiments.guardrails import Guardrail, Judgement, State, judge, unmeasured
from tests.authopt.experiments.units import tally_of


def _attempts(more: float, n: int = 4_000) -> ArmTally:
    tally = ArmTally(("live", "new"), (0.5, 0.5), bounds=None)
    rng = np.random.default_rng(1)
    arm = rng.integers(0, 2, n)
    tally.add(arm, 1.0 + rng.poisson(0.3 + more * arm))
    return tally


def _one(guardrail: Guardrail, tally: ArmTally) -> Judgement:
    return judge([guardrail], {guardrail.metric: tally})[0]


@pytest.mark.parametrize(
    ("guardrail", "tally", "state"),
    [
        (Guardrail("paid", 0.02), tally_of(8_000, (0.9, 0.8)), State.BROKEN),
        (Guardrail("paid", 0.02), tally_of(8_000, (0.8, 0.9)), State.HOLDS),
        (Guardrail("paid", 0.01), tally_of(600, (0.9, 0.9)), State.OPEN),
        (Guardrail("attempts", 0.1), _attempts(0.5), State.BROKEN),
        (Guardrail("attempts", 0.6), _attempts(0.3), State.HOLDS),
        (Guardrail("attempts", 0.3), _attempts(0.3), State.OPEN),
        (Guardrail("attempts", 0.1), ArmTally(("a", "b"), (0.5, 0.5), None), State.UNKNOWN),
    ],
)
def test_a_guardrail_is_broken_when_the_limits_say_so_and_holds_when_they_exclude_it(
    guardrail: Guardrail, tally: ArmTally, state: State
) -> None:
    assert _one(guardrail, tally).state is state


def test_the_sentence_says_what_is_how_much_worse_than_what_is_borne() -> None:
    found = _one(Guardrail("paid", 0.02), tally_of(8_000, (0.9, 0.8)))
    assert found.why.startswith("the share of payments that are paid of new less that of live is -")
    assert found.why.endswith("worse than the tolerance of 0.02")


def test_all_guardrails_and_arms_share_the_error_of_the_side_of_harm() -> None:
    tallies = {"paid": tally_of(500, (0.9, 0.9)), "attempts": _attempts(0.0)}
    found = judge([Guardrail("paid"), Guardrail("attempts")], tallies, alpha=0.04)
    sides = [(1.0 - each.difference.confidence) / 2.0 for each in found]
    assert sum(sides) == pytest.approx(0.04)


def test_a_metric_that_nobody_measured_is_named() -> None:
    guardrails = [Guardrail("paid"), Guardrail("latency_ms", 50.0)]
    tallies = {"paid": tally_of(500, (0.9, 0.9))}
    assert unmeasured(guardrails, tallies) == ["latency_ms"]
    assert [each.guardrail.metric for each in judge(guardrails, tallies)] == ["paid"]


@pytest.mark.parametrize(("metric", "tolerance"), [("speed", 0.0), ("paid", -0.1)])
def test_a_guardrail_that_means_nothing_is_refused(metric: str, tolerance: float) -> None:
    with pytest.raises(UserError, match="guardrail"):
        Guardrail(metric, tolerance)
