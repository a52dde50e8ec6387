"""Units of experiments, drawn for tests."""

from __future__ import annotations

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.experiments.arm_tally import ArmTally


def drawn(
    n: int, rates: tuple[float, ...], seed: int, shares: tuple[float, ...] | None = None
) -> tuple[IntArray, FloatArray]:
    """Arms (int64[n]) and whether each unit paid (float64[n])."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(len(rates), n, p=shares).astype(np.int64)
    return arm, (rng.random(n) < np.array(rates)[arm]).astype(np.float64)


def tally_of(
    n: int, rates: tuple[float, float], seed: int = 1, shares: tuple[float, float] = (0.5, 0.5)
) -> ArmTally:
    """Two arms, ``live`` and ``new``."""
    tally = ArmTally(("live", "new"), shares)
    tally.add(*drawn(n, rates, seed, shares))
    return tally
