"""Evidence that a share has risen, minute by minute, at a bounded rate of false alarms.

A Shiryaev-Roberts e-detector (Shin, Ramdas & Rinaldo, "E-detectors: a nonparametric framework for
sequential change detection", NEJSDS 2023, definition 2.2 and theorem 2.4): with e-values L of the
minutes, M becomes L (M + 1). While every minute's L has an expectation of at most 1 given all
before it, M less the number of minutes is a supermartingale, so that the mean time until M reaches
a threshold A is at least A minutes. The mean of several detectors is one too: over alternatives
here, and over streams in :mod:`authopt.alarms.watch`.

L is the likelihood ratio of a Bernoulli share ``q`` against ``bound``, q above it. Its expectation
is at most 1 for any values in [0, 1] whose conditional mean is at most ``bound``, not only for
0 and 1: (q / bound)^x ((1 - q) / (1 - bound))^(1 - x) is convex in x, so it lies below the chord
between its ends. So sums of probabilities are judged as counts are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

_MOST = 1e300


class Since(msgspec.Struct):
    """When a change began, by Page's estimate: where the sum of log likelihood ratios was lowest.

    Attributes
    ----------
    total
        sum of log likelihood ratios since then.
    start_us
        of its minute, microseconds since 1970.
    n, bad
        outcomes since then, and the sum of them that is bad.
    usual
        the sum that would be usual for them.
    """

    total: float = 0.0
    start_us: int = 0
    n: float = 0.0
    bad: float = 0.0
    usual: float = 0.0

    def add(self, start_us: int, n: float, bad: float, usual: float, ratio: float) -> None:
        """Take in a minute."""
        if self.total <= 0.0:
            self.total, self.start_us, self.n, self.bad, self.usual = 0.0, start_us, 0.0, 0.0, 0.0
        self.total += ratio
        self.n += n
        self.bad += bad
        self.usual += n * usual


class Evidence(msgspec.Struct):
    """What has come together against "as usual".

    Attributes
    ----------
    sums
        of the detectors, one per alternative.
    began
        when, if so, by alternative.
    """

    sums: list[float] = []
    began: list[Since] = []

    @property
    def total(self) -> float:
        """Mean of the detectors; 0 before the first minute."""
        return sum(self.sums) / len(self.sums) if self.sums else 0.0

    @property
    def since(self) -> Since:
        """By the alternative that most speaks for; there must have been a minute."""
        return self.began[max(range(len(self.sums)), key=self.sums.__getitem__)]

    def add(
        self,
        start_us: int,
        n: float,
        bad: float,
        usual: float,
        bound: float,
        alternatives: Sequence[float],
        most_log: float,
    ) -> None:
        """Take in a minute.

        Parameters
        ----------
        start_us
            of the minute, microseconds since 1970.
        n, bad
            outcomes, and the sum of them that is bad, at most n.
        usual
            their usual share, for the record.
        bound
            the conditional mean is at most this as long as nothing is wrong; in (0, 1).
        alternatives
            shares above it.
        most_log
            most that one minute may count for, as a log likelihood ratio: a smaller e-value is one
            too, and no single minute raises the alarm alone.
        """
        if len(self.sums) != len(alternatives):
            self.sums = [0.0] * len(alternatives)
            self.began = [Since() for _ in alternatives]
        for place, share in enumerate(alternatives):
            ratio = min(log_ratio(n, bad, bound, share), most_log)
            self.sums[place] = min(math.exp(ratio) * (self.sums[place] + 1.0), _MOST)
            self.began[place].add(start_us, n, bad, usual, ratio)

    def clear(self) -> None:
        """Start again."""
        self.sums, self.began = [], []


def log_ratio(n: float, bad: float, usual: float, other: float) -> float:
    """Log likelihood ratio of a share ``other`` against ``usual``, both in (0, 1)."""
    return bad * math.log(other / usual) + (n - bad) * math.log((1.0 - other) / (1.0 - usual))
