"""How figures and verdicts are worded, at the terminal and on the page alike."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from authopt.evaluation.result import (
    Estimate,
    Evaluation,
    Guarantee,
    Interval,
    Level,
    PolicyResult,
)

FEWEST_DECIMALS, MOST_DECIMALS = 2, 6


class Direction(StrEnum):
    """What an interval of a gain says."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "not distinguishable"


@dataclass(frozen=True, slots=True)
class Scale:
    """How rewards are printed: in percent where they lie between 0 and 1, else as numbers.

    The narrowest interval decides on the decimals, so that none is printed as if it had no width
    (one narrower than the last decimal that is ever printed is rounding, and decides nothing).
    """

    percent: bool
    decimals: int = FEWEST_DECIMALS

    @classmethod
    def of(cls, evaluation: Evaluation) -> Scale:
        """By the bounds of the reward and the intervals."""
        percent = (evaluation.log.reward_low, evaluation.log.reward_high) == (0.0, 1.0)
        widths = [
            interval.width * (100.0 if percent else 1.0)
            for policy in evaluation.policies
            for estimate in (*policy.estimates, *policy.gains)
            for interval in estimate.intervals
        ]
        widths = [width for width in widths if width > 10.0**-MOST_DECIMALS]
        decimals = FEWEST_DECIMALS
        while widths and min(widths) < 5.0 * 10.0**-decimals and decimals < MOST_DECIMALS:
            decimals += 1
        return cls(percent, decimals)

    def value(self, value: float | None) -> str:
        """A value."""
        if value is None:
            return "—"
        return f"{self._number(value)}{'%' if self.percent else ''}"

    def interval(self, interval: Interval) -> str:
        """The limits of a value."""
        return f"{self._number(interval.lower)} to {self._number(interval.upper)}"

    def gain(self, value: float | None) -> str:
        """A difference of values, with its sign."""
        if value is None:
            return "—"
        return self._number(value, "+")

    def gain_interval(self, interval: Interval) -> str:
        """The limits of a difference, with their signs."""
        return f"{self.gain(interval.lower)} to {self.gain(interval.upper)}"

    def _number(self, value: float, sign: str = "") -> str:
        shown = 100.0 * value if self.percent else value
        # No "-0.00": what rounds to 0 has no sign of its own.
        return format(round(shown, self.decimals) + 0.0, f"{sign},.{self.decimals}f")

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


def sign(gain: Estimate) -> str:
    """The same in one word, which needs no colour to be read."""
    said = direction(gain)
    return "unclear" if said is Direction.OPEN else said.value


def weight(value: float | None) -> str:
    """A largest weight; "any" where nothing bounds it."""
    return "any" if value is None else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A share of probability; "unknown" where the log does not say."""
    if value is not None and 0.0 < value < 0.0005:
        return "<0.1%"  # not "0.0%": a little is not nothing
    return "unknown" if value is None else f"{value:.1%}"


def verdict(evaluation: Evaluation) -> tuple[str, ...]:
    """The answer in a few sentences, with what speaks against it."""
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
    if alarmed(evaluation):
        whose = [_name(each) for each in evaluation.policies if _worst(each) is Level.ALARM]
        of = f" of {', '.join(whose)}" if whose else ""
        said.append(f"Do not act on the figures{of} before the alarms below are cleared up.")
    doubted = [_name(each) for each in evaluation.policies if _worst(each) is Level.WARNING]
    if doubted:
        said.append(f"There are warnings on {', '.join(doubted)}: read them first.")
    if any(each.level is Level.WARNING for each in evaluation.remarks):
        said.append("There are warnings on the log itself: read them first.")
    if evaluation.log.propensity_source == "estimated":
        said.append("All of this rests on estimated propensities, whose error no interval covers.")
    return tuple(said)


def _direction(policy: PolicyResult) -> Direction:
    return Direction.OPEN if policy.gain is None else direction(policy.gain)


def alarmed(evaluation: Evaluation) -> bool:
    """Whether there is an alarm on any policy or on the log."""
    return any(each.level is Level.ALARM for each in evaluation.remarks) or any(
        _worst(each) is Level.ALARM for each in evaluation.policies
    )


def _worst(policy: PolicyResult) -> Level | None:
    levels = {remark.level for remark in policy.remarks}
    return next((each for each in (Level.ALARM, Level.WARNING) if each in levels), None)


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


def command(evaluation: Evaluation) -> str | None:
    """The command that makes this evaluation again; None where the log was in memory.

    What an evaluation does not keep (``--seed``, ``--folds``, ``--learn-every``) is not in it.
    """
    log = evaluation.log
    if log.path is None:
        return None
    words = ["authopt", "evaluate", log.path]
    for policy in evaluation.policies:
        if policy.is_logging_policy:
            continue
        words += ["--policy", policy.spec]
    bounds = (log.reward_low, log.reward_high)
    if (log.reward, bounds) != ("approved", (0.0, 1.0)):
        words += ["--reward", f"column:{log.reward}:{_exact(bounds[0])}:{_exact(bounds[1])}"]
    words += ["--cluster", log.cluster, "--confidence", _exact(evaluation.confidence)]
    words += ["--bootstrap", str(evaluation.bootstrap)]
    for policy in evaluation.policies:
        largest = policy.diagnostics.largest_weight_possible
        if policy.diagnostics.largest_weight_source == "declared" and largest is not None:
            words += ["--max-weight", _exact(largest)]
            break
    if evaluation.reward_model is None:
        words.append("--no-reward-model")
    return shlex.join(words)


def _exact(value: float) -> str:
    return str(value).removesuffix(".0")
