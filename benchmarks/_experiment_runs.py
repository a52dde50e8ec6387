"""Many experiments at once: when the limits of each, looked at after every batch, exclude 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, ndtri

from authopt.batch import FloatArray
from authopt.evaluation.betting.betting import Scores
from authopt.experiments.arm_tally import FIRST_UNITS, ArmTally
from authopt.experiments.difference import difference, stake_of

NEVER = np.inf


@dataclass(frozen=True, slots=True)
class Setting:
    """Payments of two arms, paid or not.

    Attributes
    ----------
    rate, effect
        share paid in the first arm, and how much larger it is in the second.
    share
        of the second arm.
    batch, looks
        payments of a batch, after each of which all is looked at; number of batches.
    expected_units
        see :class:`ArmTally`.
    """

    rate: float
    effect: float
    share: float
    batch: int
    looks: int
    expected_units: int = 20_000


@dataclass(frozen=True, slots=True)
class Decided:
    """float64[runs] each: payments until a difference was found (``NEVER``); with its sign, 1 or
    -1, 0 where none was; and whether the test that is meant for one look finds one at each look
    (bool[looks, runs])."""

    payments: FloatArray
    sign: FloatArray
    fixed: npt.NDArray[np.bool_]


def decided(setting: Setting, runs: int, seed: int, alpha: float = 0.05) -> Decided:
    """Run experiments of payments that are paid or not, exactly as :func:`difference` judges them.

    Of 0/1 values four counts say all (arm x paid); the bets are those of the library
    (``tests/benchmarks/test_experiments.py`` holds both against each other).
    """
    rng = np.random.default_rng(seed)
    first = _counts(rng, setting, FIRST_UNITS, runs)
    centre = first[:, [0, 2]].sum(axis=1) / FIRST_UNITS
    factors = [(sign, *_factors(setting, centre, sign, alpha / 2.0)) for sign in (1.0, -1.0)]
    later = np.zeros((runs, 4))
    payments, signs = np.full(runs, NEVER), np.zeros(runs)
    fixed = np.zeros((setting.looks, runs), bool)
    for look in range(setting.looks):
        later += _counts(rng, setting, setting.batch - (FIRST_UNITS if not look else 0), runs)
        for sign, factor, log_share in factors:
            wealth = logsumexp(np.einsum("rbc,rc->rb", factor, later) + log_share, axis=1)
            found = (wealth >= -log(alpha / 2.0)) & ~np.isfinite(payments)
            payments[found], signs[found] = setting.batch * (look + 1.0), sign
        fixed[look] = _z_test(first + later, alpha)
    return Decided(payments, signs, fixed)


def _counts(rng: np.random.Generator, setting: Setting, n: int, runs: int) -> FloatArray:
    """float64[runs, 4]: second arm paid, not paid; first arm paid, not paid."""
    second = rng.binomial(n, setting.share, runs)
    paid_second = rng.binomial(second, setting.rate + setting.effect)
    paid_first = rng.binomial(n - second, setting.rate)
    cells = [paid_second, second - paid_second, paid_first, n - second - paid_first]
    return np.stack(cells, axis=1).astype(np.float64)


def _factors(
    setting: Setting, centre: FloatArray, sign: float, alpha: float
) -> tuple[FloatArray, FloatArray]:
    """float64[runs, bets, 4], what a payment of each kind adds to log wealths against 0."""
    share = setting.share if sign > 0.0 else 1.0 - setting.share
    most = max(1.0 / share, 1.0 / (1.0 - share))
    times = np.array([1.0 / setting.share] * 2 + [-1.0 / (1.0 - setting.share)] * 2) * sign
    score = (np.array([1.0, 0.0, 1.0, 0.0]) - centre[:, None]) * times
    stake = stake_of(Scores.of(score.ravel()), share, most, setting.expected_units, alpha)
    bets = len(stake.fraction)
    factors = stake.log_factors(0.0, 1).reshape(bets, len(centre), 4)
    return factors.transpose(1, 0, 2), stake.log_share


def _z_test(cells: FloatArray, alpha: float) -> npt.NDArray[np.bool_]:
    n, paid = cells[:, [0, 2]] + cells[:, [1, 3]], cells[:, [0, 2]]
    # Of an arm without payments nothing can be said.
    mean = paid / np.maximum(n, 1.0)
    error = np.sqrt((mean * (1.0 - mean) / np.maximum(n, 1.0)).sum(axis=1))
    enough = (n >= 30.0).all(axis=1)
    return np.asarray(
        enough & (np.abs(mean[:, 0] - mean[:, 1]) > float(ndtri(1.0 - alpha / 2.0)) * error)
    )


Draw = Callable[
    [np.random.Generator], tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.uint64] | None]
]
"""Draws a batch: arm, value and unit of every payment."""


def excluded(
    start: Callable[[np.random.Generator], tuple[ArmTally, Draw]], looks: int, runs: int, seed: int
) -> int:
    """In how many of ``runs`` experiments the library's limits exclude 0 at some look."""
    count = 0
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        tally, draw = start(rng)
        for _ in range(looks):
            arm, value, unit = draw(rng)
            tally.add(arm, value, unit=unit)
            found = difference(tally, "b")
            if found.better or found.worse:
                count += 1
                break
    return count


def cards(batch: int) -> Callable[[np.random.Generator], tuple[ArmTally, Draw]]:
    """Payments of 3,000 cards, which stay with their arm; some cards pay often, some seldom."""

    def start(rng: np.random.Generator) -> tuple[ArmTally, Draw]:
        chance = rng.beta(2.7, 0.3, 3_000)
        arm_of = rng.integers(0, 2, 3_000)
        hashes = rng.integers(0, 2**63, 3_000).astype(np.uint64)
        busy = rng.gamma(1.0, 1.0, 3_000)

        def draw(
            rng: np.random.Generator,
        ) -> tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.uint64] | None]:
            card = rng.choice(3_000, batch, p=busy / busy.sum())
            paid = (rng.random(batch) < chance[card]).astype(np.float64)
            return arm_of[card], paid, hashes[card]

        return ArmTally(("a", "b"), (0.5, 0.5), clustered=True), draw

    return start


def fees(batch: int) -> Callable[[np.random.Generator], tuple[ArmTally, Draw]]:
    """Fees per payment in minor units: skewed, and without a bound."""

    def start(rng: np.random.Generator) -> tuple[ArmTally, Draw]:
        def draw(
            rng: np.random.Generator,
        ) -> tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.uint64] | None]:
            return rng.integers(0, 2, batch), np.rint(rng.lognormal(3.0, 1.0, batch)), None

        return ArmTally(("a", "b"), (0.5, 0.5), bounds=None), draw

    return start
