"""Ship, keep, or go on."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.experiments.arm_tally import ArmTally
from authopt.experiments.by_segment import SegmentDifference
from authopt.experiments.difference import difference, differences
from authopt.experiments.guardrails import Guardrail, judge
from authopt.experiments.sample_ratio import SampleRatio, sample_ratio
from authopt.experiments.verdict import Answer, Verdict, units_more, verdict
from tests.authopt.experiments.units import drawn, tally_of

EVEN = sample_ratio((500, 500), (0.5, 0.5))


def _of(tally: ArmTally, ratio: SampleRatio = EVEN, worthwhile: float = 0.0) -> Verdict:
    return verdict(tally, differences(tally), ratio, worthwhile=worthwhile)


def test_an_arm_that_is_better_is_shipped() -> None:
    found = _of(tally_of(6_000, (0.8, 0.9)))
    assert (found.answer, found.arm, found.payments_more) == (Answer.SHIP, "new", None)
    assert found.why.startswith("Ship new: new gains +0.")


def test_an_arm_that_is_worse_is_not() -> None:
    found = _of(tally_of(6_000, (0.9, 0.8)))
    assert (found.answer, found.arm) == (Answer.KEEP, "live")
    assert found.why.startswith("Keep live: new loses 0.")


def test_the_best_of_several_better_arms_is_shipped() -> None:
    tally = ArmTally(("live", "b", "c"), (0.4, 0.3, 0.3))
    tally.add(*drawn(9_000, (0.6, 0.8, 0.9), 1, (0.4, 0.3, 0.3)))
    assert verdict(tally, differences(tally), EVEN).arm == "c"


def test_an_arm_that_cannot_gain_what_is_worthwhile_is_not_waited_for() -> None:
    tally = tally_of(20_000, (0.9, 0.9))
    assert _of(tally, worthwhile=0.05).answer is Answer.KEEP
    assert _of(tally).answer is Answer.CONTINUE


def test_an_open_question_says_about_how_many_payments_more() -> None:
    tally = tally_of(4_000, (0.9, 0.92))
    found = _of(tally)
    assert found.answer is Answer.CONTINUE
    assert found.payments_more is not None
    assert f"about {found.payments_more:,} payments more" in found.why


def test_so_many_payments_more_would_decide() -> None:
    tally = tally_of(4_000, (0.9, 0.92), seed=2)
    before = difference(tally, "new")
    more = units_more(tally, before)
    assert more is not None
    # The same units over and over: estimate and variance stay as they are.
    times = 1.0 + 1.1 * more / 4_000
    grown = ArmTally(("live", "new"), (0.5, 0.5), centre=tally.centre)
    grown.moments = tally.moments * times
    for key, counts in tally.counts.counts.items():
        grown.counts.counts[key] = counts * times
    assert not before.better
    assert difference(grown, "new").better


def test_nothing_is_said_of_how_long_before_there_are_payments() -> None:
    found = _of(ArmTally(("live", "new"), (0.5, 0.5)))
    assert (found.answer, found.payments_more) == (Answer.CONTINUE, None)


def test_a_broken_split_stops_all_reading() -> None:
    found = _of(tally_of(6_000, (0.8, 0.9)), sample_ratio((4_000, 2_000), (0.5, 0.5)))
    assert (found.answer, found.sound) == (Answer.KEEP, False)
    assert "4,000 of 3,000" in found.why


def test_an_arm_with_a_broken_guardrail_is_not_shipped_however_good_it_is() -> None:
    tally = tally_of(6_000, (0.8, 0.9))
    attempts = ArmTally(("live", "new"), (0.5, 0.5), bounds=None)
    arm = np.arange(4_000) % 2
    attempts.add(arm, 1.0 + arm + (np.arange(4_000) % 3 == 0))
    judgements = judge([Guardrail("attempts", 0.1)], {"attempts": attempts})
    found = verdict(tally, differences(tally), EVEN, judgements)
    assert (found.answer, found.arm) == (Answer.KEEP, "live")
    assert "attempts per payment" in found.reasons[0]


@pytest.mark.parametrize("rates", [(0.9, 0.8), (0.8, 0.9)])
def test_segments_are_named_only_where_they_are_harmed(rates: tuple[float, float]) -> None:
    tally = tally_of(6_000, (0.8, 0.9))
    inside = SegmentDifference("network", "amex", 6_000, difference(tally_of(6_000, rates), "new"))
    found = verdict(tally, differences(tally), EVEN, segments=[inside])
    assert found.harmed == (("new: network = amex",) if rates[0] > rates[1] else ())
    assert ("see the segments" in found.why) == (rates[0] > rates[1])
