"""The figures of a replay, by hand on few decisions, and along time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from authopt.policies.uniform import Uniform
from simulator.replay.answering import ByNobody, Source
from simulator.replay.figures import figures_of
from simulator.replay.logged_payments import in_payments
from simulator.replay.over_time import latency_over_time, over_time
from simulator.replay.replayed import Replayed, Traffic
from tests.factories import logged_batch
from tests.simulator.replay.small_logs import SAME_WORLD, log, replay

NAN = float("nan")


def four_payments() -> Replayed:
    """Paid at the second attempt; never; not known; paid though an attempt is not known."""
    reward = np.array([0.0, 1.0, 0.0, 0.0, 0.0, NAN, NAN, 1.0])
    batch = logged_batch(8)
    batch = replace(batch, reward=reward, outcome={"approved": reward})
    return Replayed(
        log=in_payments(batch),
        payments=4,
        policy="p",
        batch=batch,
        source=np.array([0, 0, 0, 1, 1, 5, 4, 0], np.int8),
        matched=np.array([1, 1, 1, 0, 0, 0, 1, 1], np.bool_),
        fallbacks=Counter({"why": 2}),
    )


def test_values_rest_on_what_is_known() -> None:
    figures = figures_of(four_payments())
    assert figures.replay.decisions == figures.replay.attempts == 8
    assert figures.replay.approved == 2
    assert figures.replay.per_decision == pytest.approx(2 / 6)
    assert figures.replay.payments_known == 3
    assert figures.replay.per_payment == pytest.approx(2 / 3)
    assert figures.agreement == pytest.approx(5 / 8)
    assert figures.sources == {"log": 4, "model": 2, "unknown": 1, "not_followed": 1}
    assert figures.fallbacks == {"why": 2}


def test_nothing_known_has_no_value() -> None:
    replayed = four_payments()
    blank = replace(replayed.batch, reward=np.full(8, NAN))
    figures = figures_of(replace(replayed, batch=blank))
    assert figures.replay.per_decision is None
    assert figures.replay.per_payment is None


def test_traffic_is_told_in_milliseconds_and_per_second() -> None:
    traffic = Traffic(
        seconds=2.0,
        requests=100,
        outcomes=40,
        retried=1,
        at_s=np.linspace(0, 2, 50),
        latency_s=np.full(50, 0.004),
        late_s=np.array([0.0, 0.1, 0.3]),
        errors=Counter({"a": 3}),
        stopped=None,
    )
    told = figures_of(replace(four_payments(), traffic=traffic)).traffic
    assert told is not None
    assert told.requests_per_second == 50.0
    assert told.latency_ms is not None
    assert told.latency_ms.p99 == pytest.approx(4.0)
    assert told.late_p50_s == pytest.approx(0.1)
    assert told.late_largest_s == pytest.approx(0.3)


def test_stretches_hold_every_decision_once() -> None:
    replayed = replay(Uniform(), SAME_WORLD)
    found = over_time(replayed)
    assert found.replay.decisions.sum() == replayed.batch.n
    assert found.log.decisions.sum() == log().batch.n
    assert np.allclose(found.log.routes.sum(axis=1), 1.0)
    mean = np.average(found.log.approved, weights=found.log.decisions)
    assert mean == pytest.approx(log().batch.reward.mean())
    assert len(found.middle) > 10


def test_unknown_outcomes_are_no_declines_along_time() -> None:
    replayed = replay(Uniform(), ByNobody())
    found = over_time(replayed)
    assert (replayed.source == Source.NOT_FOLLOWED).mean() > 0.5
    assert np.nanmean(found.replay.approved) > 0.6


def test_latency_has_its_quantiles_by_when_it_was() -> None:
    at = np.linspace(0.0, 10.0, 1_000)
    latency = np.where(at < 5.0, 0.001, 0.010)
    found = latency_over_time(at, latency)
    assert np.allclose(found.p50[found.middle_s < 4.5], 1.0)
    assert np.allclose(found.p50[found.middle_s > 5.5], 10.0)
