"""The benchmark of experiments judges them as the library does."""

from __future__ import annotations

import numpy as np

from authopt.experiments.arm_tally import FIRST_UNITS, ArmTally
from authopt.experiments.difference import difference
from benchmarks._experiment_runs import Setting, decided


def test_an_experiment_is_decided_at_the_look_at_which_the_library_decides_it() -> None:
    setting = Setting(rate=0.7, effect=0.1, share=0.3, batch=300, looks=12, expected_units=1_000)
    found = decided(setting, runs=1, seed=5)
    rng = np.random.default_rng(5)
    tally = ArmTally(("a", "b"), (0.7, 0.3), expected_units=1_000)
    payments, left = np.inf, FIRST_UNITS
    for look in range(-1, setting.looks):
        size = FIRST_UNITS if look < 0 else setting.batch - left
        left = 0 if look >= 0 else left
        second = int(rng.binomial(size, 0.3, 1)[0])
        paid_second = int(rng.binomial(np.array([second]), 0.8)[0])
        paid_first = int(rng.binomial(np.array([size - second]), 0.7)[0])
        arm = np.repeat([1, 0], [second, size - second])
        value = np.zeros(size)
        value[:paid_second] = 1.0
        value[second : second + paid_first] = 1.0
        tally.add(arm, value)
        if look >= 0 and difference(tally, "b").better:
            payments = (look + 1.0) * setting.batch
            break
    assert np.isfinite(payments)
    assert found.payments[0] == payments
    assert found.sign[0] == 1.0
