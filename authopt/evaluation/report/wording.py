"""How figures are worded, at the terminal and on the page alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.result import Evaluation
from authopt.prices.currencies import decimals_of

FEWEST_DECIMALS, MOST_DECIMALS = 2, 6

NOTHING = "—"
"""Stands where the log holds nothing to estimate from."""


class Direction(StrEnum):
    """What an interval of a gain says."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "not distinguishable"


@dataclass(frozen=True, slots=True)
class Scale:
    """How rewards are printed: in percent where they lie between 0 and 1, else as numbers.

    Rewards in money are told in major units of their currency: EUR 1.234, not 123.4.

    The narrowest interval decides on the decimals, so that none is printed as if it had no width
    (one narrower than the last decimal that is ever printed is rounding, and decides nothing).
    """

    percent: bool
    decimals: int = FEWEST_DECIMALS
    currency: str | None = None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Scale:
        """For what is quoted: by the bounds of the reward and the recommended intervals."""
        intervals = [each.interval for each in _quoted(evaluation)]
        return cls.fitting(_in_percent(evaluation), intervals, currency=_currency(evaluation))

    @classmethod
    def in_full(cls, evaluation: Evaluation) -> Scale:
        """For tables of all estimators and all intervals, some of which may be far narrower."""
        every = [interval for each in _every(evaluation) for interval in each.intervals]
        return cls.fitting(_in_percent(evaluation), every, currency=_currency(evaluation))

    @classmethod
    def fitting(
        cls,
        percent: bool,
        intervals: Iterable[Interval],
        decimals: int = FEWEST_DECIMALS,
        currency: str | None = None,
    ) -> Scale:
        """With enough decimals, and at least so many, for these intervals."""
        factor = cls(percent, currency=currency).factor
        widths = [interval.width * factor for interval in intervals]
        widths = [width for width in widths if width > 10.0**-MOST_DECIMALS]
        while widths and min(widths) < 5.0 * 10.0**-decimals and decimals < MOST_DECIMALS:
            decimals += 1
        return cls(percent, decimals, currency)

    @property
    def factor(self) -> float:
        """What a reward is multiplied by before it is printed or drawn."""
        if self.currency is not None:
            return 10.0 ** -(decimals_of(self.currency) or 0)
        return 100.0 if self.percent else 1.0

    def value(self, value: float | None) -> str:
        """A value."""
        if value is None:
            return NOTHING
        prefix = "" if self.currency is None else f"{self.currency} "
        return f"{prefix}{self._number(value)}{'%' if self.percent else ''}"

    def interval(self, interval: Interval) -> str:
        """The limits of a value."""
        return f"{self._number(interval.lower)} to {self._number(interval.upper)}"

    def gain(self, value: float | None) -> str:
        """A difference of values, with its sign."""
        if value is None:
            return NOTHING
        return self._number(value, "+")

    def gain_interval(self, interval: Interval) -> str:
        """The limits of a difference, with their signs."""
        return f"{self.gain(interval.lower)} to {self.gain(interval.upper)}"

    def gain_with_unit(self, value: float | None) -> str:
        """A difference with its short unit."""
        return NOTHING if value is None else f"{self.gain(value)}{self.short_unit}"

    def _number(self, value: float, sign: str = "") -> str:
        # No "-0.00": what rounds to 0 has no sign of its own.
        return format(round(self.factor * value, self.decimals) + 0.0, f"{sign},.{self.decimals}f")

    @property
    def gain_unit(self) -> str:
        """What differences are counted in."""
        if self.currency is not None:
            return self.currency
        return "percentage points" if self.percent else "units of the reward"

    @property
    def short_unit(self) -> str:
        """The same after a number: a currency, percentage points, or nothing."""
        if self.currency is not None:
            return f" {self.currency}"
        return " pp" if self.percent else ""


def _currency(evaluation: Evaluation) -> str | None:
    return evaluation.log.reward_currency


def _in_percent(evaluation: Evaluation) -> bool:
    log = evaluation.log
    return log.reward_currency is None and (log.reward_low, log.reward_high) == (0.0, 1.0)


def _every(evaluation: Evaluation) -> Iterator[Estimate]:
    for policy in evaluation.policies:
        yield from (*policy.estimates, *policy.gains)
        if policy.payments is not None:
            yield from (*policy.payments.value.estimates, *policy.payments.value.gains)
    for comparison in evaluation.comparisons:
        yield from comparison.estimates


def _quoted(evaluation: Evaluation) -> Iterator[Estimate]:
    for policy in evaluation.policies:
        found = [policy.value, policy.gain]
        if policy.payments is not None:
            found += [policy.payments.value.estimate, policy.payments.value.gain]
        yield from (each for each in found if each is not None)
    for comparison in evaluation.comparisons:
        yield comparison.difference


def direction(gain: Estimate) -> Direction:
    """Whether the recommended interval of a gain lies on one side of 0.

    One that holds only in the limit, or must not be relied on, proves nothing.
    """
    interval = gain.interval
    if interval.guarantee is Guarantee.ASYMPTOTIC or interval.vetoed:
        return Direction.OPEN
    if interval.lower > 0.0:
        return Direction.BETTER
    return Direction.WORSE if interval.upper < 0.0 else Direction.OPEN


def sign(gain: Estimate) -> str:
    """The same in one word, which needs no colour to be read."""
    said = direction(gain)
    return "unclear" if said is Direction.OPEN else said.value


def holds(interval: Interval) -> str:
    """How far an interval can be relied on, in words."""
    return {
        Guarantee.COVERS: "covers",
        Guarantee.ANYTIME: "covers at all times",
        Guarantee.ASYMPTOTIC: "in the limit",
    }[interval.guarantee]


def weight(value: float | None) -> str:
    """A largest weight; "any" where nothing bounds it."""
    if value is None:
        return "any"
    return f"{value:,.1f}" if value < 1000.0 else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share of probability; "unknown" where the log does not say."""
    if value is not None and 0.0 < value < 0.0005:
        return "<0.1%"  # not "0.0%": a little is not nothing
    return "unknown" if value is None else f"{value:.1%}"


def p_value(value: float | None) -> str:
    """A p value, or that it is not known."""
    if value is None:
        return "unknown"
    return "<0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def listed(names: list[str]) -> str:
    """Names in a row: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


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
    mean = f"mean {log.reward}" if log.reward_currency is None else "mean reward"
    facts.append((mean, scale.value(log.mean_reward)))
    source = log.propensity_source
    facts.append(("propensities", source.upper() if source == "estimated" else source))
    facts += [(f"left out: {each.reason}", f"{each.rows:,}") for each in log.left_out]
    return tuple(facts)
