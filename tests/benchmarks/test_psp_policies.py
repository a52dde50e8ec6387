"""Policies of the PSP benchmark that are trained anew as time goes on."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.policies.priority import Priority
from authopt.policies.uniform import Uniform
from benchmarks._psp_policies import Refreshed
from tests.factories import logged_batch


def test_every_decision_is_made_by_the_policy_of_its_time() -> None:
    log = logged_batch(60, with_stop=True)
    times = np.sort(log.decided_at)
    since = np.array([times[0], times[40]])
    first, second = Priority(("adyen",)), Uniform()
    found = Refreshed(since, (first, second), "both").probabilities(log)
    late = np.repeat(log.decided_at >= times[40], log.counts)
    assert late.any()
    expected = np.where(late, second.probabilities(log), first.probabilities(log))
    assert found == pytest.approx(expected)
