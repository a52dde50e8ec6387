"""Guardrails: how much worse an arm may be in what an experiment is not about, before it pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from authopt.errors import UserError
from authopt.experiments.arm_tally import ArmTally
from authopt.experiments.difference import Difference, difference
from authopt.experiments.metrics import METRICS, Better


class Guardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much worse than the first arm another one may be.

    Attributes
    ----------
    metric
        name of one of :data:`authopt.experiments.metrics.METRICS`.
    tolerance
        at least 0, in the metric's own unit (0.01 of a share is one point).

    Raises
    ------
    UserError
        If there is no such metric or the tolerance is negative.
    """

    metric: str
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise UserError(
                f"guardrail {self.metric!r}: no such metric; there are {', '.join(METRICS)}"
            )
        if not 0.0 <= self.tolerance < float("inf"):
            raise UserError(
                f"guardrail {self.metric}: a tolerance of {self.tolerance:g}; expected 0 or more"
            )


class State(StrEnum):
    """What is known of an arm's guardrail."""

    BROKEN = "broken"
    HOLDS = "holds"
    OPEN = "open"
    UNKNOWN = "unknown"


class Judgement(msgspec.Struct, frozen=True):
    """One guardrail for one arm.

    Attributes
    ----------
    guardrail, arm
        which.
    state
        broken: worse by more than the tolerance; holds: not worse by more than it; open: the limits
        do not say yet; unknown: nothing was measured.
    difference
        of the arm against the first one.
    why
        one sentence.
    """

    guardrail: Guardrail
    arm: str
    state: State
    difference: Difference
    why: str


def judge(
    guardrails: Sequence[Guardrail], tallies: Mapping[str, ArmTally], alpha: float = 0.05
) -> list[Judgement]:
    """Judge all guardrails of all arms, at any time and as often as one likes.

    Parameters
    ----------
    guardrails
        fixed beforehand.
    tallies
        by metric; a guardrail whose metric has none is left out: see :func:`unmeasured`.
    alpha
        probability that any guardrail of any arm is ever called broken although it is not (half of
        the error of each two-sided limit; Bonferroni over guardrails and arms).
    """
    found: list[Judgement] = []
    for guardrail in guardrails:
        tally = tallies.get(guardrail.metric)
        if tally is None:
            continue
        others = tally.arms[1:]
        # Only the limit on the side of harm can break a guardrail.
        each = min(0.5, 2.0 * alpha / len(guardrails) / len(others))
        found.extend(_judged(guardrail, difference(tally, arm, alpha=each)) for arm in others)
    return found


def unmeasured(guardrails: Sequence[Guardrail], tallies: Mapping[str, ArmTally]) -> list[str]:
    """Metrics of guardrails that nothing was measured of."""
    return [each.metric for each in guardrails if each.metric not in tallies]


def _judged(guardrail: Guardrail, found: Difference) -> Judgement:
    metric = METRICS[guardrail.metric]
    harm_low, harm_high = found.lower, found.upper
    if metric.better is Better.HIGHER:
        harm_low = None if found.upper is None else -found.upper
        harm_high = None if found.lower is None else -found.lower
    if found.estimate is None:
        state = State.UNKNOWN
    elif harm_low is not None and harm_low > guardrail.tolerance:
        state = State.BROKEN
    elif harm_high is not None and harm_high <= guardrail.tolerance:
        state = State.HOLDS
    else:
        state = State.OPEN
    return Judgement(guardrail, found.arm, state, found, _sentence(guardrail, found, state))


def _sentence(guardrail: Guardrail, found: Difference, state: State) -> str:
    metric = METRICS[guardrail.metric]
    what = f"{metric.words} of {found.arm} less that of {found.against}"
    if state is State.UNKNOWN:
        return f"{what} was not measured yet"
    limits = f"{_number(found.lower)} to {_number(found.upper)}"
    judged = {
        State.BROKEN: "worse than the tolerance of",
        State.HOLDS: "within the tolerance of",
        State.OPEN: "not yet known to be within the tolerance of",
    }[state]
    return f"{what} is {limits}: {judged} {guardrail.tolerance:g}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.4g}"
