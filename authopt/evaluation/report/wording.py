"""How figures and verdicts are worded, at the terminal and on the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from authopt.evaluation.result import Estimate, Evaluation, Guarantee, Interval, PolicyResult


class Direction(StrEnum):
    """What an interval of a gain says."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "not distinguishable"


@dataclass(frozen=True, slots=True)
class Scale:
    """How rewards are printed: in percent where they lie between 0 and 1, else as numbers."""

    percent: bool

    @classmethod
    def of(cls, evaluation: Evaluation) -> Scale:
        """By the bounds of the reward."""
        return cls((evaluation.log.reward_low, evaluation.log.reward_high) == (0.0, 1.0))

    def value(self, value: float | None) -> str:
        """A value."""
        if value is None:
            return "—"
        return f"{value:.2%}" if self.percent else f"{value:,.4g}"

    def interval(self, interval: Interval) -> str:
        """The limits of a value."""
        if self.percent:
            return f"{100 * interval.lower:.2f} to {100 * interval.upper:.2f}"
        return f"{interval.lower:,.4g} to {interval.upper:,.4g}"

    def gain(self, value: float | None) -> str:
        """A difference of values, with its sign."""
        if value is None:
            return "—"
        return f"{100 * value:+.2f}" if self.percent else f"{value:+,.4g}"

    def gain_interval(self, interval: Interval) -> str:
        """The limits of a difference, with their signs."""
        return f"{self.gain(interval.lower)} to {self.gain(interval.upper)}"

    @property
    def gain_unit(self) -> str:
        """What differences are counted in."""
        return "percentage points" if self.percent else "units of the reward"


def direction(gain: Estimate) -> Direction:
    """Whether the recommended interval of a gain lies on one side of 0."""
    if gain.interval.guarantee is not Guarantee.COVERS:
        return Direction.OPEN
    if gain.interval.lower > 0.0:
        return Direction.BETTER
    return Direction.WORSE if gain.interval.upper < 0.0 else Direction.OPEN


def weight(value: float | None) -> str:
    """A largest weight; "any" where nothing bounds it."""
    return "any" if value is None else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A share of probability; "unknown" where the log does not say."""
    return "unknown" if value is None else f"{value:.1%}"


def verdict(evaluation: Evaluation) -> tuple[str, ...]:
    """The answer in a few sentences."""
    scale = Scale.of(evaluation)
    own, *others = evaluation.policies
    logged = f"The logging policy earned {scale.value(own.value.value)} per decision."
    if not others:
        return (logged, "No other policy was judged: name one with --policy.")
    better = [each for each in others if _direction(each) is Direction.BETTER]
    said = [logged]
    if better:
        best = max(better, key=lambda each: each.gain.interval.lower if each.gain else 0.0)
        said.append(f"{_name(best)} is better: {_gain(best, evaluation, scale)}.")
        rest = [_name(each) for each in better if each is not best]
        if rest:
            said.append(f"Also better than the logging policy: {', '.join(rest)}.")
    else:
        said.append("No policy is better than the logging policy beyond doubt on this log.")
        most = max(others, key=_estimated_gain)
        if most.gain is not None and _estimated_gain(most) > 0.0:
            said.append(f"The most promising is {_name(most)}: {_gain(most, evaluation, scale)}.")
    worse = [_name(each) for each in others if _direction(each) is Direction.WORSE]
    if worse:
        said.append(f"Worse than the logging policy: {', '.join(worse)}.")
    if evaluation.log.propensity_source == "estimated":
        said.append("All of this rests on estimated propensities, whose error no interval covers.")
    return tuple(said)


def _direction(policy: PolicyResult) -> Direction:
    return Direction.OPEN if policy.gain is None else direction(policy.gain)


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


def log_facts(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """What the evaluation rests on: label and figure."""
    log, scale = evaluation.log, Scale.of(evaluation)
    about = "" if log.clusters_exact else "about "
    facts = [
        ("decisions", f"{log.rows:,}"),
        (f"clusters ({log.cluster})", f"{about}{log.clusters:,}"),
    ]
    if log.first is not None and log.last is not None:
        facts.append(("from", f"{log.first:%Y-%m-%d %H:%M} UTC"))
        facts.append(("to", f"{log.last:%Y-%m-%d %H:%M} UTC"))
    facts.append((f"mean {log.reward}", scale.value(log.mean_reward)))
    facts.append(("propensities", log.propensity_source.upper()
                  if log.propensity_source == "estimated" else log.propensity_source))  # fmt: skip
    facts += [(f"left out: {each.reason}", f"{each.rows:,}") for each in log.left_out]
    return tuple(facts)
