"""What to do: ship an arm, keep the first one, or go on, and for how many payments about."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import sqrt

import msgspec

from authopt.experiments.arm_tally import UNITS, ArmTally
from authopt.experiments.by_segment import SegmentDifference
from authopt.experiments.difference import Difference
from authopt.experiments.guardrails import Judgement, State
from authopt.experiments.sample_ratio import SampleRatio
from authopt.experiments.standard_errors import boundary

MOST_MORE = 1_000_000_000
"""Payments beyond which nobody waits."""

MOST_WIDER = 1.5
"""Factor by which limits may go on to be wider than those of a Brownian motion."""


class Answer(StrEnum):
    """What a verdict comes to."""

    SHIP = "ship"
    KEEP = "keep"
    CONTINUE = "continue"


class Verdict(msgspec.Struct, frozen=True):
    """What to do, and why.

    Attributes
    ----------
    answer
        ship ``arm``, keep the first arm, or continue.
    arm
        that is shipped, or that is kept.
    why
        one plain sentence.
    reasons
        further sentences.
    payments_more
        about how many until the answer is known if what was seen is the truth; None where there is
        an answer, or that is not known.
    harmed
        segments in which an arm that is still in question is worse than the first one, as
        ``arm: column = segment``.
    sound
        whether units came to arms as planned; where they did not, nothing was read.
    """

    answer: Answer
    arm: str
    why: str
    reasons: tuple[str, ...] = ()
    payments_more: int | None = None
    harmed: tuple[str, ...] = ()
    sound: bool = True


def verdict(
    tally: ArmTally,
    differences: Sequence[Difference],
    ratio: SampleRatio,
    judgements: Sequence[Judgement] = (),
    segments: Sequence[SegmentDifference] = (),
    *,
    worthwhile: float = 0.0,
) -> Verdict:
    """Come to an answer; may be asked for at any time and as often as one likes.

    Parameters
    ----------
    tally
        of what decides.
    differences
        of the other arms against the first one, all for the same error.
    ratio
        of the units.
    judgements
        of guardrails: an arm with a broken one is not shipped.
    segments
        in which an arm may do harm.
    worthwhile
        least gain that anyone would ship for, in the value's unit: an arm that is known to gain
        less is not waited for. With 0, only an arm that is known to lose is not.
    """
    baseline = tally.arms[0]
    if ratio.mismatch():
        return Verdict(
            Answer.KEEP,
            baseline,
            f"Keep {baseline} and look for the fault: units did not come to the arms as planned "
            f"({_units(ratio)}, p = {ratio.p_value:.1g}), so nothing else can be believed.",
            sound=False,
        )
    broken = {each.arm: each for each in judgements if each.state is State.BROKEN}
    open_arms = [each for each in differences if each.arm not in broken]
    harmed = tuple(
        f"{each.difference.arm}: {each.column} = {each.segment}"
        for each in segments
        if each.difference.worse and each.difference.arm not in broken
    )
    reasons = tuple(f"{each.arm} is out: {each.why}." for each in broken.values())
    if harmed:
        reasons += (f"Worse in these segments: {'; '.join(harmed)}.",)
    better = [each for each in open_arms if each.better]
    if better:
        best = max(better, key=lambda each: each.estimate or 0.0)
        return Verdict(
            Answer.SHIP,
            best.arm,
            f"Ship {best.arm}: {_against(best)}{', but see the segments' if harmed else ''}.",
            reasons,
            harmed=harmed,
        )
    undecided = [each for each in open_arms if not _hopeless(each, worthwhile)]
    if not undecided:
        said = "; ".join(_against(each) for each in open_arms) or "every other arm is out"
        little = f", less than the {worthwhile:g} that is worthwhile" if worthwhile else ""
        return Verdict(
            Answer.KEEP,
            baseline,
            f"Keep {baseline}: {said}{little if open_arms else ''}.",
            reasons,
            harmed=harmed,
        )
    more = [units_more(tally, each, worthwhile) for each in undecided]
    known = [each for each in more if each is not None]
    last = max(known) if len(known) == len(more) else None
    how_long = (
        "it cannot be said yet how many payments more"
        if last is None
        else f"about {last:,} payments more if what was seen so far is the truth"
    )
    return Verdict(
        Answer.CONTINUE,
        baseline,
        f"Go on: {'; '.join(_against(each) for each in undecided)}; {how_long}.",
        reasons,
        last,
        harmed,
    )


def units_more(tally: ArmTally, found: Difference, worthwhile: float = 0.0) -> int | None:
    """About how many values more (of all arms) until an open difference is decided.

    That is when limits as wide as a Brownian motion's (:func:`boundary`) exclude 0, or what is
    worthwhile, if the estimate and the variance stay as they are. None where that is not known, or
    takes more than ``MOST_MORE``.
    """
    if found.estimate is None or found.standard_error is None:
        return None
    pair = [tally.place(found.arm), tally.place(found.against)]
    seen = float(tally.moments[pair, UNITS].sum())
    target = max(abs(found.estimate), worthwhile - found.estimate if worthwhile else 0.0)
    spread = found.standard_error * sqrt(seen)
    alpha = 1.0 - found.confidence

    def half(units: float) -> float:
        return wider * spread / sqrt(units) * boundary(units, tally.expected_units, alpha)

    wider = 1.0
    if found.lower is not None and found.upper is not None:
        # Of few units, limits that are exact are wider; how much so soon passes.
        wider = min(max((found.upper - found.lower) / 2.0 / half(seen), 1.0), MOST_WIDER)

    low, high = seen, seen
    while half(high) > target:
        low, high = high, 2.0 * high
        if high > MOST_MORE:
            return None
    while high - low > 0.001 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if half(middle) > target else (low, middle)
    of_all = float(sum(tally.shares[place] for place in pair))
    # Two figures are more than such a guess deserves already.
    return round_up(max(high - seen, 1.0) / of_all)


def round_up(number: float) -> int:
    """To two figures."""
    step = 10 ** max(len(str(int(number))) - 2, 0)
    return int(-(-number // step) * step)


def _hopeless(found: Difference, worthwhile: float) -> bool:
    return found.upper is not None and (found.upper < worthwhile or found.worse)


def _against(found: Difference) -> str:
    if found.estimate is None:
        return f"{found.arm} or {found.against} has no payment yet"
    limits = (
        "no limits yet"
        if found.lower is None or found.upper is None
        else f"{found.lower:+.4g} to {found.upper:+.4g}"
    )
    if found.estimate < 0.0:
        return f"{found.arm} loses {-found.estimate:.4g} per payment to {found.against} ({limits})"
    return f"{found.arm} gains {found.estimate:+.4g} per payment on {found.against} ({limits})"


def _units(ratio: SampleRatio) -> str:
    planned = (share * sum(ratio.units) for share in ratio.shares)
    return ", ".join(
        f"{units:,} of {each:,.0f}" for units, each in zip(ratio.units, planned, strict=True)
    )
