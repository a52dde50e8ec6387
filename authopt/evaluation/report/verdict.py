"""The answer in a few sentences and a few figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from authopt.evaluation.quantities import Estimate, Interval, Level
from authopt.evaluation.report.doubts import alarmed, doubts
from authopt.evaluation.report.money import money, money_interval, unit_of
from authopt.evaluation.report.wording import NOTHING, Direction, Scale, direction, listed
from authopt.evaluation.result import Evaluation, PolicyResult

MOST_CURRENCIES = 2
"""Currencies that have room among the figures; the page's table of money holds all."""


class Mood(StrEnum):
    """Whether a figure is good news."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "soft"


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the few figures that stand out.

    Attributes
    ----------
    label
        what it is.
    figure
        the figure itself.
    detail
        its interval, or what it is made from.
    mood
        what it says.
    """

    label: str
    figure: str
    detail: str
    mood: Mood = Mood.OPEN


def chosen(evaluation: Evaluation) -> PolicyResult | None:
    """The policy to speak of: the surest winner, else the most promising; None without any.

    Among policies that are better than the logging policy, it is the one whose gain has the
    largest lower limit.
    """
    others = [each for each in evaluation.policies if not each.is_logging_policy]
    better = [each for each in others if _direction(each) is Direction.BETTER]
    if better:
        return max(better, key=lambda each: each.gain.interval.lower if each.gain else 0.0)
    return max(others, key=_estimated_gain, default=None)


def against(evaluation: Evaluation, policy: PolicyResult, other: PolicyResult) -> Direction:
    """How a policy compares with another one that did not make the log."""
    found = difference(evaluation, policy, other)
    return Direction.OPEN if found is None else direction(found)


def difference(
    evaluation: Evaluation, policy: PolicyResult, other: PolicyResult
) -> Estimate | None:
    """A policy's value less another's, whichever way round they were compared."""
    for each in evaluation.comparisons:
        if (each.first, each.second) == (policy.name, other.name):
            return each.difference
        if (each.first, each.second) == (other.name, policy.name):
            return _turned(each.difference)
    return None


def verdict(evaluation: Evaluation) -> tuple[str, ...]:
    """The answer: who wins and by how much, how the others stand, and what speaks against it."""
    scale = Scale.of(evaluation)
    own, *others = evaluation.policies
    earned = scale.value(own.value.value)
    if not others:
        return (
            f"The logging policy earned {earned} per decision.",
            "No other policy was judged: name one with --policy.",
        )
    best = chosen(evaluation)
    assert best is not None
    if _direction(best) is Direction.BETTER:
        first = (
            f"{_name(best)} is better than the logging policy, which earned {earned} per "
            f"decision: {_gain(best, evaluation, scale)}."
        )
    else:
        first = (
            f"By this log no policy can be told better than the logging policy, which earned "
            f"{earned} per decision."
        )
        if best.gain is not None and best.gain.value is not None:
            first += f" The highest estimate is that of {_name(best)}: "
            first += f"{_gain(best, evaluation, scale)}."
    said = [first, _others(evaluation, best)]
    # Whoever reads one sentence only must not miss an alarm.
    said.insert(0 if alarmed(evaluation) else 2, _caveats(evaluation))
    return tuple(sentence for sentence in said if sentence)


def headlines(evaluation: Evaluation) -> tuple[Headline, ...]:
    """The figures that stand out, of the policy to speak of."""
    scale, best = Scale.of(evaluation), chosen(evaluation)
    if best is None or best.gain is None:
        return ()
    said = direction(best.gain)
    mood = {Direction.BETTER: Mood.GOOD, Direction.WORSE: Mood.BAD}.get(said, Mood.OPEN)
    level = f"{evaluation.confidence:.0%}"
    gain = best.gain
    label = "highest estimate" if gain.value is not None else "not to be told"
    if said is Direction.BETTER:
        label = "best policy"
    found = [
        Headline(label, best.name, f"{said.value} {_preposition(said)} the logging policy", mood),
        Headline(
            "gain per decision",
            scale.gain_with_unit(gain.value),
            f"{level}: {scale.gain_interval(gain.interval)}{scale.short_unit}"
            + (f"; {_points(gain.value)}" if scale.percent and gain.value is not None else ""),
            mood,
        ),
        _whole_log(evaluation, best, gain),
    ]
    if best.payments is not None and (paid := best.payments.value.gain) is not None:
        found.append(
            Headline(
                "gain per payment",
                scale.gain_with_unit(paid.value),
                f"{paid.interval.confidence:.0%}: {scale.gain_interval(paid.interval)}"
                f"{scale.short_unit}",
                _mood(paid),
            )
        )
    found += [
        Headline(
            f"approved volume, {unit_of(volume.currency)}",
            money(volume.gain.value, volume.currency, "+"),
            f"{level}: {money_interval(volume.gain.interval, volume.currency)}",
            _mood(volume.gain),
        )
        for volume in best.volume[:MOST_CURRENCIES]
    ]
    return tuple(found)


def _whole_log(evaluation: Evaluation, best: PolicyResult, gain: Estimate) -> Headline:
    """What the gain comes to over the whole log: by payments where these are known."""
    rows, what = evaluation.log.rows, "decisions"
    if best.payments is not None and (paid := best.payments.value.gain) is not None:
        rows, what, gain = best.payments.payments, "payments", paid
    limits, reward, currency = gain.interval, evaluation.log.reward, evaluation.log.reward_currency
    if currency is not None:
        whole = [
            None if each is None else rows * each
            for each in (gain.value, limits.lower, limits.upper)
        ]
        value, lower, upper = (money(each, currency, "+") for each in whole)
        return Headline(
            f"{unit_of(currency)} in this log",
            value,
            f"{limits.confidence:.0%}: {lower} to {upper} by {rows:,} {what}",
            _mood(gain),
        )
    return Headline(
        f"{'approvals' if reward == 'approved' else reward} in this log",
        NOTHING if gain.value is None else f"{round(rows * gain.value):+,}",
        f"{limits.confidence:.0%}: {round(rows * limits.lower):+,} to "
        f"{round(rows * limits.upper):+,} of {rows:,} {what}",
        _mood(gain),
    )


def _others(evaluation: Evaluation, best: PolicyResult) -> str:
    rest = [p for p in evaluation.policies if not p.is_logging_policy and p is not best]
    said = []
    standing = {
        at: [_name(other) for other in rest if against(evaluation, best, other) is at]
        for at in Direction
    }
    parts = []
    if standing[Direction.BETTER]:
        parts.append(f"better than {listed(standing[Direction.BETTER])}")
    if standing[Direction.WORSE]:
        parts.append(f"worse than {listed(standing[Direction.WORSE])}")
    if standing[Direction.OPEN]:
        parts.append(f"not distinguishable from {listed(standing[Direction.OPEN])}")
    if parts:
        said.append(f"Among the candidates, {_name(best)} is {', '.join(parts)}.")
    also = [_name(each) for each in rest if _direction(each) is Direction.BETTER]
    if also:
        said.append(f"Also better than the logging policy: {listed(also)}.")
    worse = [_name(each) for each in (best, *rest) if _direction(each) is Direction.WORSE]
    if worse:
        said.append(f"Worse than the logging policy: {listed(worse)}.")
    return " ".join(said)


def _caveats(evaluation: Evaluation) -> str:
    """What speaks against all that, in short."""
    said, found = [], doubts(evaluation)
    alarms = [doubt for doubt in found if doubt.level is Level.ALARM]
    if alarms:
        whose = list(dict.fromkeys(name for doubt in alarms for name in doubt.about))
        of = f" of {listed([f'“{name}”' for name in whose])}" if whose else ""
        if any(not doubt.about for doubt in alarms):
            of = ""
        said.append(f"Do not act on the figures{of} before the alarms are cleared up.")
    doubted = {name: 0 for doubt in found if doubt.level is Level.WARNING for name in doubt.about}
    if doubted:
        everyone = len(doubted) == len(evaluation.policies) > 1
        names = "every policy" if everyone else listed([f"“{name}”" for name in doubted])
        said.append(f"There are warnings on {names}: read them first.")
    if any(doubt.level is Level.WARNING and not doubt.about for doubt in found):
        said.append("There are warnings on the log itself: read them first.")
    if evaluation.log.propensity_source == "estimated":
        said.append("All of this rests on estimated propensities, whose error no interval covers.")
    return " ".join(said)


def _direction(policy: PolicyResult) -> Direction:
    return Direction.OPEN if policy.gain is None else direction(policy.gain)


def _mood(gain: Estimate) -> Mood:
    said = direction(gain)
    return {Direction.BETTER: Mood.GOOD, Direction.WORSE: Mood.BAD}.get(said, Mood.OPEN)


def _estimated_gain(policy: PolicyResult) -> float:
    if policy.gain is None or policy.gain.value is None:
        return float("-inf")
    return policy.gain.value


def _name(policy: PolicyResult) -> str:
    return f"“{policy.name}”"


def _gain(policy: PolicyResult, evaluation: Evaluation, scale: Scale) -> str:
    assert policy.gain is not None
    return (
        f"{scale.gain(policy.gain.value)} {scale.gain_unit} per decision "
        f"({evaluation.confidence:.0%} interval {scale.gain_interval(policy.gain.interval)})"
    )


def _points(value: float) -> str:
    return f"{round(10_000 * value):+,} basis points"


def _preposition(said: Direction) -> str:
    return "from" if said is Direction.OPEN else "than"


def _turned(estimate: Estimate) -> Estimate:
    def turned(interval: Interval) -> Interval:
        return replace(interval, lower=-interval.upper, upper=-interval.lower)

    return replace(
        estimate,
        value=None if estimate.value is None else -estimate.value,
        intervals=tuple(turned(each) for each in estimate.intervals),
    )
