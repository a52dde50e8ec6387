"""Alarms on the simulator: an outage is told within minutes, and quiet weeks are quiet."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.alarms.counts import ALL
from benchmarks._alarm_minutes import MINUTE_US, minutes_of
from benchmarks._outage_stage import DOWN, HALF, ISSUER, Times
from benchmarks.alarms import LONGEST_MINUTES, MOST_FALSE, OURS, month, outage
from simulator.logging_policy import MerchantRouter
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world import make_world
from simulator.world.cast_routes import DEFAULT_ORDER


def test_an_outage_is_told_within_minutes_and_nothing_before_it() -> None:
    minutes, early = outage(DOWN, "static", Times(300, 360, 0), 4)[OURS]

    assert minutes <= LONGEST_MINUTES
    assert early == 0


def test_minutes_hold_every_decision_once_in_order_and_the_parts_add_up_to_the_whole() -> None:
    log = list(
        simulate(make_world(), Traffic(2_000, days=0.5, seed=3), MerchantRouter(DEFAULT_ORDER))
    )
    minutes = list(minutes_of(log))

    starts = np.array([each.start_us for each in minutes])
    assert (np.diff(starts) == MINUTE_US).all()
    assert sum(each.streams[ALL].decisions for each in minutes) == sum(each.n for each in log)
    for minute in minutes:
        by_route = [of for (name, _), of in minute.streams.items() if name == "route"]
        assert sum(of.answered for of in by_route) == minute.streams[ALL].answered


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [DOWN, HALF, ISSUER], ids=lambda each: each.name)
def test_every_outage_is_told(trouble: object) -> None:
    assert outage(trouble, "static", Times(1_800, 1_200, 0), 5)[OURS][0] < 20  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_quiet_month_is_quiet() -> None:
    assert len(month(6, 100_000)[OURS].false) <= MOST_FALSE
