"""How many payments, and days, an experiment takes: fixed beforehand, or looked at all the time."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, sqrt

import msgspec
import numpy as np
from scipy.special import ndtri

from authopt.errors import UserError
from authopt.evaluation.betting.boundaries import best_rho
from authopt.experiments.verdict import round_up

PATHS = 4_000
"""Simulated experiments; the share that decides in time is known to 0.8 points."""

LOOKS = 1_000
FIRST, LAST = 0.001, 12.0
"""Looks are taken from and until these times the payments of the fixed test."""

SEED = 20_261_129


class Plan(msgspec.Struct, frozen=True):
    """What an experiment of two arms takes.

    Attributes
    ----------
    mean, variance
        of the value per payment, in the log.
    design_effect
        variance of a mean over payments, as a multiple of what it were if they were independent;
        above 1 where payments of a unit are alike.
    reduction
        part of the variance that covariates take away.
    effect
        difference to be found.
    alpha, power
        error, and probability of finding a difference of ``effect``.
    payments_per_day
        that the experiment gets, by its share of the traffic.
    fixed
        payments of both arms for one look at the end.
    sequential_median, sequential_mean, sequential_enough
        payments until the limits that hold at every look exclude 0, if the difference is
        ``effect``: half of the experiments are done by the first, and ``power`` of them by the
        last.
    fixed_days, median_days, enough_days
        the same in days.
    """

    mean: float
    variance: float
    design_effect: float
    reduction: float
    effect: float
    alpha: float
    power: float
    payments_per_day: float
    fixed: int
    sequential_median: int
    sequential_mean: int
    sequential_enough: int
    fixed_days: float
    median_days: float
    enough_days: float


def plan(
    *,
    mean: float,
    variance: float,
    payments_per_day: float,
    effect: float,
    share: float = 1.0,
    of_arm: float = 0.5,
    alpha: float = 0.05,
    power: float = 0.8,
    design_effect: float = 1.0,
    reduction: float = 0.0,
) -> Plan:
    """Plan an experiment of two arms.

    Fixed: (z_{1 - alpha / 2} + z_power)^2 V / effect^2, with V = variance / (p (1 - p)) for an arm
    that gets the part p of the payments. Sequential: the time at which a Brownian motion with that
    drift leaves :func:`authopt.experiments.standard_errors.boundary`, which limits by betting are
    about as wide as, by simulation; looks are 1% apart.

    Parameters
    ----------
    mean, variance
        of a payment's value.
    payments_per_day
        of all traffic.
    effect
        above 0, in the value's unit.
    share
        of the traffic that is in the experiment.
    of_arm
        part of the experiment's payments that the new arm gets.
    alpha, power
        see :class:`Plan`.
    design_effect, reduction
        see :class:`Plan`.

    Raises
    ------
    UserError
        If a number is outside its range.
    """
    within = {
        "effect": (effect, effect > 0.0, "above 0"),
        "share": (share, 0.0 < share <= 1.0, "above 0, at most 1"),
        "the arm's part": (of_arm, 0.0 < of_arm < 1.0, "between 0 and 1"),
        "alpha": (alpha, 0.0 < alpha < 1.0, "between 0 and 1"),
        "power": (power, alpha < power < 1.0, "between alpha and 1"),
        "reduction": (reduction, reduction < 1.0, "below 1"),
        "variance": (variance, variance > 0.0, "above 0: all payments in the log are alike"),
        "payments per day": (payments_per_day, payments_per_day > 0.0, "above 0"),
    }
    for name, (value, fits, expected) in within.items():
        if not fits:
            raise UserError(f"{name} {value:g}: expected a number {expected}")
    spread = variance * (1.0 - reduction) * design_effect / (of_arm * (1.0 - of_arm))
    z = float(ndtri(1.0 - alpha / 2.0) + ndtri(power))
    fixed = ceil(z * z * spread / effect**2)
    median, average, enough = (round_up(times * fixed) for times in sequential_times(alpha, power))
    daily = payments_per_day * share
    return Plan(
        mean=mean,
        variance=variance,
        design_effect=design_effect,
        reduction=reduction,
        effect=effect,
        alpha=alpha,
        power=power,
        payments_per_day=daily,
        fixed=fixed,
        sequential_median=median,
        sequential_mean=average,
        sequential_enough=enough,
        fixed_days=fixed / daily,
        median_days=median / daily,
        enough_days=enough / daily,
    )


@lru_cache(maxsize=32)
def sequential_times(alpha: float, power: float) -> tuple[float, float, float]:
    """Time to decide, as multiples of the fixed test's: median, mean, and ``power`` quantile."""
    z = float(ndtri(1.0 - alpha / 2.0) + ndtri(power))
    rho = best_rho(1.0, alpha / 2.0)
    rng = np.random.default_rng(SEED)
    times = np.geomspace(FIRST, LAST, LOOKS)
    # In units in which the fixed test ends at 1, the drift is z: its estimate is then z / 1.
    limits = np.sqrt((times + rho) * np.log((times + rho) / (alpha * alpha * rho)))
    place, done = np.zeros(PATHS), np.full(PATHS, LAST)
    before = 0.0
    for time, limit in zip(times.tolist(), limits.tolist(), strict=True):
        place += z * (time - before) + sqrt(time - before) * rng.standard_normal(PATHS)
        done = np.where(np.abs(place) >= limit, np.minimum(done, time), done)
        before = time
    return float(np.median(done)), float(done.mean()), float(np.quantile(done, power))
