"""How far an estimate can be trusted: effective sample, weights, support, calibration."""

from __future__ import annotations

import numpy as np

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.covering import mean_limits
from authopt.evaluation.diagnosis import Diagnostics, MeanWeight, WeightBin
from authopt.evaluation.log_sums import LogSums
from authopt.evaluation.policy_sums import HIGHEST_POWER, LOWEST_POWER, PolicySums
from authopt.evaluation.quantities import Level, Remark
from authopt.evaluation.terms import THIN

LEAST_EFFECTIVE = 200.0
"""Effective sample size below which asymptotic intervals are vetoed.

With approval near 0.9, few declines carry all of the information on their rate: an effective
sample of 200 holds about 20 of them. In simulations (approval 0.93, nominal 95%) the normal
interval of SNIPS covers 42% to 68% at an effective sample of 36, 91% to 93% at 250.
"""

LEAST_SUPPORT = 0.99
"""Share of evaluation mass with support below which asymptotic intervals are vetoed."""

ALARM_CONFIDENCE = 0.999
"""A mean weight outside the interval of this confidence means that the propensities are wrong."""

MISCALIBRATED = 4.0
"""Standard errors between how often a route was taken and its propensities, to speak of it."""


def effective_sample_size(table: BucketTable) -> float:
    """(sum of w)^2 / sum of w^2, in rows (Kish, 'Survey Sampling', 1965); 0 without overlap."""
    squares = table.total("w*w")
    return table.total("w") ** 2 / squares if squares > 0.0 else 0.0


def mean_weight(sums: PolicySums, clusters: int, confidence: float) -> MeanWeight:
    """The mean weight, and whether what it should be is in its interval."""
    rows = sums.table.total("one")
    missing = sums.table.total("unsupported") / rows
    value, expected = sums.table.total("w") / rows, 1.0 - missing
    if sums.largest_possible <= 1.0 and sums.table.total("w") == rows:
        return MeanWeight(value, value, value, expected, True)
    largest = sums.largest_possible
    if not np.isfinite(largest):
        largest = sums.largest_seen
    high = max(1.0, largest + sums.most_unsupported)
    lower, upper = mean_limits(sums.table, "coverage", 0.0, high, clusters, confidence)
    covered = None if clusters < 2 else lower <= 1.0 <= upper
    return MeanWeight(value, lower - missing, upper - missing, expected, covered)


def diagnostics_of(
    sums: PolicySums,
    clusters: int,
    confidence: float,
    max_weight: float | None,
    support_known: bool,
) -> Diagnostics:
    """The diagnostics of one policy.

    Parameters
    ----------
    sums
        of the policy.
    clusters
        number of clusters in the log.
    confidence
        of the mean weight's interval.
    max_weight
        as the user declared it, or None.
    support_known
        whether the log has the probability of every eligible action.
    """
    rows = sums.table.total("one")
    effective = effective_sample_size(sums.table)
    if max_weight is not None:
        possible, source = max_weight, "declared"
    elif np.isfinite(sums.largest_possible):
        possible, source = sums.largest_possible, "computed"
    else:
        possible, source = None, "unbounded"
    return Diagnostics(
        effective_sample_size=effective,
        effective_share=effective / rows,
        largest_weight_seen=sums.largest_seen,
        largest_weight_possible=possible,
        largest_weight_source=source,
        mean_weight=mean_weight(sums, clusters, confidence),
        unsupported_mass=sums.table.total("unsupported") / rows if support_known else None,
        thin_mass=sums.table.total("thin") / rows if support_known else None,
        thin_below=THIN,
        weights=_bins(sums),
    )


def veto_of(effective: float, unsupported: float) -> str | None:
    """Why asymptotic intervals must not be relied on, or None.

    Parameters
    ----------
    effective
        effective sample size, rows.
    unsupported
        share of the evaluation policy's probability on actions that the log never took.
    """
    if effective < LEAST_EFFECTIVE:
        return f"effective sample of {effective:,.0f} rows, below {LEAST_EFFECTIVE:.0f}"
    if unsupported > 1.0 - LEAST_SUPPORT:
        return (
            f"{unsupported:.1%} of the policy's probability is on actions that the log never took"
        )
    return None


def policy_remarks(sums: PolicySums, diagnostics: Diagnostics, clusters: int) -> tuple[Remark, ...]:
    """What a reader must know before trusting the figures of one policy."""
    remarks = []
    mean = diagnostics.mean_weight
    if mean.covered is False:
        alarm = mean_weight(sums, clusters, ALARM_CONFIDENCE).covered is False
        remarks.append(
            Remark(
                Level.ALARM if alarm else Level.NOTE,
                f"mean weight {mean.value:.3f} [{mean.lower:.3f}, {mean.upper:.3f}], expected "
                f"{mean.expected:.3f}: "
                + ("the propensities are wrong" if alarm else "look at the propensities"),
            )
        )
    effective = diagnostics.effective_sample_size
    if effective < LEAST_EFFECTIVE:
        remarks.append(
            Remark(
                Level.WARNING,
                f"effective sample of {effective:,.0f} rows ({diagnostics.effective_share:.1%}): "
                "the log says little about this policy",
            )
        )
    missing = diagnostics.unsupported_mass or 0.0
    if missing > 0.0:
        remarks.append(
            Remark(
                Level.WARNING if missing > 1.0 - LEAST_SUPPORT else Level.NOTE,
                f"{missing:.2%} of its probability is on actions that the logging policy never "
                "takes: their reward is unknown, and covering intervals allow for worst and best",
            )
        )
    if (diagnostics.thin_mass or 0.0) > 0.1:
        remarks.append(
            Remark(
                Level.WARNING,
                f"{diagnostics.thin_mass:.1%} of its probability is on actions that the logging "
                f"policy takes less than {diagnostics.thin_below:.0%} of the time",
            )
        )
    if diagnostics.largest_weight_source == "unbounded":
        remarks.append(
            Remark(
                Level.NOTE,
                "the log gives the propensity of the taken action alone, so the largest possible "
                "weight is unknown and intervals allow for any; declare it with --max-weight",
            )
        )
    return tuple(remarks)


def log_remarks(log: LogSums, propensity_source: str) -> tuple[Remark, ...]:
    """What a reader must know of the log itself."""
    remarks = []
    if propensity_source == "estimated":
        remarks.append(
            Remark(
                Level.WARNING,
                "the propensities were estimated, not logged: every figure rests on that model, "
                "and no interval covers its error",
            )
        )
    total = log.rows + sum(log.left_out.values())
    for reason, rows in log.left_out.most_common():
        share = rows / total
        remarks.append(
            Remark(
                Level.WARNING if share > 0.05 else Level.NOTE,
                f"{rows:,} of {total:,} rows ({share:.1%}) left out: {reason}",
            )
        )
    if log.disagreement > 1e-6:
        remarks.append(
            Remark(
                Level.WARNING,
                "the propensity of the taken action and its probability in the log differ by up "
                f"to {log.disagreement:.2g}; weights use the propensity",
            )
        )
    for route, mass in log.logging.items():
        error = log.variance[route] ** 0.5
        gap = log.taken[route] - mass
        if abs(gap) > MISCALIBRATED * error + 1e-6 * max(mass, 1.0):
            remarks.append(
                Remark(
                    Level.WARNING,
                    f"route {route!r} was taken {log.taken[route]:,} times; by the logged "
                    f"probabilities {mass:,.1f} ± {error:,.1f} were expected",
                )
            )
    return tuple(remarks)


def _bins(sums: PolicySums) -> tuple[WeightBin, ...]:
    used = np.flatnonzero(sums.weights).tolist()
    bins = []
    for place in range(used[0], used[-1] + 1) if used else ():
        lower, upper = 0.0, 0.0
        if place:
            power = place - 1 + LOWEST_POWER
            lower = 0.0 if power == LOWEST_POWER else 2.0**power
            upper = max(2.0 ** (power + 1), sums.largest_seen if power == HIGHEST_POWER else 0.0)
        bins.append(WeightBin(lower, upper, int(sums.weights[place])))
    return tuple(bins)
