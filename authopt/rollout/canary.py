"""What to do with a canary: roll it back, let it go on, or give it more traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from authopt.errors import UserError
from authopt.experiments.sample_ratio import log_bayes_factor
from authopt.rollout.harm import Tallies, log_wealth, lower_limit, upper_limit

RATIO_SHARE = 0.1
"""Of the probability of a false alarm that is spent on the sizes of the arms."""


class CanaryState(StrEnum):
    """What a canary's outcomes say."""

    ROLLED_BACK = "rolled-back"
    """It does harm, or broke a guardrail: the live policy takes its payments."""
    HEALTHY = "healthy"
    """Nothing is known against it, and not enough for it."""
    READY = "ready"
    """It does no harm beyond the tolerance."""


@dataclass(frozen=True, slots=True)
class CanaryRules:
    """By what a canary is judged.

    Attributes
    ----------
    false_alarm
        probability that a harmless canary is ever rolled back for its outcomes, or for the sizes
        of the arms, in (0, 1); a tenth of it is for the latter. Guardrails come on top.
    false_ready
        probability that one which is worse by the tolerance or more is ever called ready, in
        (0, 1).
    tolerance
        difference that is borne, in the unit of the outcome: 0.01 is a point of the rate.
    least_units
        of the canary, before it can be ready.
    """

    false_alarm: float = 0.04
    false_ready: float = 0.05
    tolerance: float = 0.01
    least_units: int = 500

    def __post_init__(self) -> None:
        for name in ("false_alarm", "false_ready", "tolerance"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise UserError(f"canary: {name} is {value:g}; expected above 0 and below 1")
        if self.least_units < 0:
            raise UserError(f"canary: least_units is {self.least_units}; expected 0 or more")

    @property
    def harm_alpha(self) -> float:
        """What is left of ``false_alarm`` for the outcomes."""
        return self.false_alarm * (1.0 - RATIO_SHARE)

    @property
    def ratio_alpha(self) -> float:
        """What of ``false_alarm`` is for the sizes of the arms."""
        return self.false_alarm * RATIO_SHARE


DEFAULT_RULES = CanaryRules()


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """What is known of a canary.

    Attributes
    ----------
    state
        what is to be done.
    why
        one sentence with the figures.
    live_units, canary_units
        that count.
    live_rate, canary_rate
        mean outcomes; None without units.
    difference
        the canary's less the live policy's, beyond what was expected of each unit; None without
        units in both.
    lower, upper
        limits of the difference, each of which ever errs with a probability of at most
        ``false_ready`` and nine tenths of ``false_alarm``, however often one looks.
    chance
        at most the probability that a harmless canary ever looks as bad as this one does now: an
        anytime-valid p-value, in (0, 1].
    lost
        outcomes that the canary's units lack by the estimate, such as payments that were not paid
        and would have been; below 0 for a gain.
    breaches
        guardrails that were broken, one sentence each.
    """

    state: CanaryState
    why: str
    live_units: int
    canary_units: int
    live_rate: float | None
    canary_rate: float | None
    difference: float | None
    lower: float
    upper: float
    chance: float
    lost: float
    breaches: tuple[str, ...] = ()


def judge_canary(
    tallies: Tallies,
    rules: CanaryRules = DEFAULT_RULES,
    breaches: Sequence[str] = (),
) -> CanaryVerdict:
    """Judge a canary by what was seen so far.

    It may be asked after every payment: the errors of ``rules`` are for the canary's whole life.
    Being rolled back is final, and the caller's to remember.

    Parameters
    ----------
    tallies
        units of the canary's life, in both arms, that count by the same rule.
    rules
        by which it is judged.
    breaches
        guardrails that it broke, one sentence each; any of them rolls it back.
    """
    difference = tallies.difference
    live_rate, canary_rate = tallies.rates
    canary_units = int(tallies.canary.sum())
    evidence = log_wealth(tallies, 0.0, -1.0)
    found = CanaryVerdict(
        state=CanaryState.HEALTHY,
        why="",
        live_units=int(tallies.live.sum()),
        canary_units=canary_units,
        live_rate=live_rate,
        canary_rate=canary_rate,
        difference=difference,
        lower=lower_limit(tallies, rules.false_ready),
        upper=upper_limit(tallies, rules.harm_alpha),
        chance=float(np.exp(-max(evidence, 0.0))),
        lost=0.0 if difference is None else -difference * canary_units,
        breaches=(*breaches, *_wrong_sizes(tallies, rules)),
    )
    return _decided(found, rules)


def ratio_evidence(tallies: Tallies) -> float:
    """Logarithm of the evidence that the canary's share is not the declared one.

    With the declared share, it ever exceeds log(1 / alpha) with a probability of at most alpha.
    Units that were assigned with different shares are tested share by share.

    Everything that is said of a canary rests on this share. A service that loses the canary's
    outcomes, or counts them earlier, breaks it, and looks like harm or like its absence.
    """
    total = 0.0
    for share in np.unique(tallies.share).tolist():
        same = tallies.share == share
        counts = np.array([tallies.live[same].sum(), tallies.canary[same].sum()])
        total += float(log_bayes_factor(counts, np.array([1.0 - share, share])))
    return total


def _wrong_sizes(tallies: Tallies, rules: CanaryRules) -> tuple[str, ...]:
    evidence = ratio_evidence(tallies)
    if evidence < -np.log(rules.ratio_alpha):
        return ()
    units = tallies.live + tallies.canary
    declared, seen = (
        float(each.sum() / units.sum()) for each in (tallies.share * units, tallies.canary)
    )
    return (
        f"the canary has {100 * seen:.3g}% of the units that count, and should have "
        f"{100 * declared:.3g}%: units get lost, or do not count by the same rule",
    )


def _decided(found: CanaryVerdict, rules: CanaryRules) -> CanaryVerdict:
    if found.breaches:
        broken = "; ".join(each.rstrip(".") for each in found.breaches)
        return replace(found, state=CanaryState.ROLLED_BACK, why=f"A guardrail broke: {broken}.")
    if found.difference is None:
        return replace(found, why="One of the arms has no outcome yet.")
    if found.chance <= rules.harm_alpha:
        return replace(
            found,
            state=CanaryState.ROLLED_BACK,
            why=f"{_seen(found)}: a canary that does no harm ever looks as bad in at most "
            f"{found.chance:.2g} of cases; about {found.lost:.0f} outcomes were lost.",
        )
    if found.canary_units < rules.least_units:
        least = f"{rules.least_units:,}"
        return replace(found, why=f"{_seen(found)}; fewer than {least} units say little.")
    if found.lower > -rules.tolerance:
        return replace(
            found,
            state=CanaryState.READY,
            why=f"{_seen(found)}: it is no more than {-100 * min(found.lower, 0.0):.2f} points "
            f"worse, and {100 * rules.tolerance:g} are borne.",
        )
    return replace(
        found,
        why=f"{_seen(found)}: no evidence of harm, but it may still be up to "
        f"{-100 * found.lower:.2f} points worse, and {100 * rules.tolerance:g} are borne.",
    )


def _seen(found: CanaryVerdict) -> str:
    assert found.canary_rate is not None
    assert found.live_rate is not None
    return (
        f"The canary has {100 * found.canary_rate:.2f}% of {found.canary_units:,}, the live policy "
        f"{100 * found.live_rate:.2f}% of {found.live_units:,}"
    )
