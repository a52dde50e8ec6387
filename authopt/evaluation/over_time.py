"""The value of a policy over time, by stretches and by a sliding window, and whether it drifts.

Intervals are Wilson's, with the effective sample in the place of the number of trials and the
estimated variance in that of p (1 - p): the limits solve |estimate - value| = z sqrt(variance)
after z^2 effective rows, half at each end of the range, have been put to the sample (Wilson 1927;
with effective samples: Franco, Little, Louis and Slud, 'Comparative Study of Confidence Intervals
for Proportions in Complex Sample Surveys', Journal of Survey Statistics and Methodology 7, 2019).
They are never of zero width, and without any overlap they are the whole range.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from authopt.batch import IntArray, utc_datetime
from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.time_estimates import QUANTITIES, estimate, variance
from authopt.evaluation.time_sums import TimeSums, Totals

STRETCHES = 12
WINDOWS = 36
SHARE = 6
"""A sliding window is one sixth of the whole time, unless its width is given."""

TESTED = 8
LEAST_EFFECTIVE = 50.0
"""Stretches of a drift test have at least this effective sample, or are not used."""

DRIFTS = 0.01
"""P value below which the value is said to change over time."""


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate over a stretch of time; the value is None where the log holds nothing for it."""

    value: float | None
    interval: Interval


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the log.

    Attributes
    ----------
    start, end
        UTC.
    rows, effective
        decisions, and the effective sample size of the policy's weights, in rows.
    logged, value, gain
        mean logged reward; value of the policy; the one less the other, paired.
    """

    start: datetime
    end: datetime
    rows: int
    effective: float
    logged: Figure
    value: Figure
    gain: Figure


@dataclass(frozen=True, slots=True)
class Drift:
    """A test of whether a quantity is the same all the time.

    Attributes
    ----------
    quantity
        ``logged``, ``value`` or ``gain``.
    statistic, degrees
        Wald statistic over stretches that do not overlap: the sum of squared deviations from their
        mean, over the variances; chi-square with so many degrees of freedom where nothing drifts
        (Cochran, 'The Combination of Estimates from Different Experiments', Biometrics 10, 1954).
    p_value
        the smaller of that test's p value and of the largest deviation's (times the number of
        stretches), times two; None where the log is too short to test.
    start, end
        the stretch that deviates most; None as above.
    deviation
        of that stretch from the mean of all; None as above.
    """

    quantity: str
    statistic: float
    degrees: int
    p_value: float | None
    start: datetime | None = None
    end: datetime | None = None
    deviation: float | None = None

    @property
    def found(self) -> bool:
        """Whether the quantity changes over time."""
        return self.p_value is not None and self.p_value < DRIFTS


@dataclass(frozen=True, slots=True)
class OverTime:
    """One policy over time.

    Attributes
    ----------
    estimator
        of the value: ``snips``, or ``dr`` with a reward model.
    confidence
        of every interval, which stands for its own stretch only.
    stretches
        of equal length, one after the other; those without decisions are left out.
    windows
        sliding: each overlaps the next.
    drifts
        tests of the logged mean, of the value and of the gain.
    """

    estimator: str
    confidence: float
    stretches: tuple[Stretch, ...]
    windows: tuple[Stretch, ...]
    drifts: tuple[Drift, ...]


def over_time(
    sums: TimeSums,
    low: float,
    high: float,
    confidence: float = 0.95,
    *,
    design_effect: float = 1.0,
    stretches: int = STRETCHES,
    window_s: int | None = None,
) -> OverTime | None:
    """The value of a policy over time.

    Parameters
    ----------
    sums
        of the policy.
    low, high
        bounds of the reward.
    confidence
        nominal coverage of the intervals.
    design_effect
        how much more the sums of clusters vary than if rows were independent.
    stretches
        number of stretches of equal length.
    window_s
        width of the sliding window in seconds; by default a sixth of the whole time.

    Returns
    -------
    OverTime or None
        None where the log has no times.
    """
    if not len(sums.bins):
        return None
    begin = sums.bins.starts.astype(np.int64)
    first, end = int(begin[0]), int(sums.bins.ends[-1].astype(np.int64))
    known = _Known(sums, low, high, confidence, max(1.0, design_effect))
    edges = np.linspace(first, end, stretches + 1)
    place = np.clip(np.searchsorted(edges, begin, side="right") - 1, 0, stretches - 1)
    width = min(window_s or -(-(end - first) // SHARE), end - first)
    lefts = np.unique(np.linspace(first, end - width, WINDOWS).astype(np.int64))
    windows = [np.flatnonzero((begin >= left) & (begin < left + width)) for left in lefts]
    return OverTime(
        "dr" if sums.with_model else "snips",
        confidence,
        tuple(known.stretch(np.flatnonzero(place == at)) for at in np.unique(place).tolist()),
        tuple(known.stretch(rows) for rows in windows if len(rows)),
        tuple(known.drift(quantity) for quantity in QUANTITIES),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    sums: TimeSums
    low: float
    high: float
    confidence: float
    design_effect: float

    def stretch(self, rows: IntArray) -> Stretch:
        totals = self.sums.totals(rows)
        start, end = self._between(rows)
        return Stretch(
            start,
            end,
            int(totals.rows),
            totals.effective,
            *(self._figure(totals, quantity) for quantity in QUANTITIES),
        )

    def _between(self, rows: IntArray) -> tuple[datetime, datetime]:
        start, end = (utc_datetime(time) for time in self.sums.bins.between(rows))
        assert start is not None
        assert end is not None
        return start, end

    def _figure(self, totals: Totals, quantity: str) -> Figure:
        value = estimate(totals, quantity)
        low, high = self.low, self.high
        size = totals.rows if quantity == "logged" else totals.effective
        missing = 0.0
        if quantity == "gain":
            low, high = self.low - self.high, self.high - self.low
        if quantity != "logged" and totals["coverage"] > 0.0:
            missing = totals["unsupported"] / totals["coverage"]
        centre = (low + high) / 2.0
        if value is not None:
            # Doubly robust values can lie outside the range of the rewards.
            centre = min(max(value, low), high)
        size /= self.design_effect
        spread = size * self.design_effect * variance(totals, quantity, centre) if size else 0.0
        z = float(ndtri(0.5 + self.confidence / 2.0))
        more = size + z**2
        middle = (size * centre + z**2 * (low + high) / 2.0) / more
        half = z * float(np.sqrt(size * spread + z**2 * ((high - low) / 2.0) ** 2)) / more
        # What the log cannot speak of may be worth anything.
        lower = (1.0 - missing) * (middle - half) + missing * low
        upper = (1.0 - missing) * (middle + half) + missing * high
        interval = Interval(
            "wilson", max(low, lower), min(high, upper), self.confidence, Guarantee.ASYMPTOTIC
        )
        return Figure(value, interval)

    def drift(self, quantity: str) -> Drift:
        whole = self.sums.totals()
        overall = estimate(whole, quantity)
        none = Drift(quantity, 0.0, 0, None)
        if overall is None:
            return none
        share = whole.effective / whole.rows
        least = LEAST_EFFECTIVE if quantity == "logged" else LEAST_EFFECTIVE / max(share, 1e-9)
        rows, values, variances = [], [], []
        for some in self.sums.bins.equal_rows(TESTED, least * self.design_effect):
            totals = self.sums.totals(some)
            value = estimate(totals, quantity)
            # About the value of the whole time, as if nothing drifted: a stretch in which all
            # rewards happen to be equal would have no spread about its own.
            spread = self.design_effect * variance(totals, quantity, overall)
            size = totals.rows if quantity == "logged" else totals.effective
            if value is not None and spread > 0.0 and size >= LEAST_EFFECTIVE / 2.0:
                rows.append(some)
                values.append(value)
                variances.append(spread)
        if len(rows) < 2:
            return none
        v, precision = np.array(values), 1.0 / np.array(variances)
        mean = float(v @ precision / precision.sum())
        statistic = float(((v - mean) ** 2) @ precision)
        # The mean holds part of each stretch, which takes that much off its deviation's variance.
        z = np.abs(v - mean) / np.sqrt(1.0 / precision - 1.0 / precision.sum())
        most = int(z.argmax())
        largest = min(1.0, 2.0 * len(v) * float(ndtr(-z[most])))
        p = min(1.0, 2.0 * min(float(chdtrc(len(v) - 1, statistic)), largest))
        return Drift(
            quantity, statistic, len(v) - 1, p, *self._between(rows[most]), float(v[most] - mean)
        )
