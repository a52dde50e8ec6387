"""Weights of routes: exact, and never a way to lose a route."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.policies.uniform import Uniform
from authopt.policies.vw_manifest import ProbeAction
from service.live.weighted import LARGEST, SMALLEST, Weighted
from service.models.probes import Probe

ROUTES = ("a", "b", "c")
WEIGHTS = st.dictionaries(st.sampled_from(ROUTES), st.floats(SMALLEST, LARGEST))


def batch(routes: tuple[str, ...] = (*ROUTES, "stop")):
    return Probe(2, {}, tuple(ProbeAction(route, 0) for route in routes), ()).batch()


@given(WEIGHTS)
def test_probabilities_are_the_policys_times_the_weight(weights: dict[str, float]) -> None:
    found = Weighted(Uniform(), weights).probabilities(batch())
    wanted = np.array([weights.get(route, 1.0) for route in (*ROUTES, "stop")])
    assert found == pytest.approx(wanted / wanted.sum(), rel=1e-12)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found > 0).all()


def test_a_weight_of_one_changes_nothing() -> None:
    assert np.array_equal(
        Weighted(Uniform(), {"a": 1.0}).probabilities(batch(("a", "b"))), [0.5, 0.5]
    )
