"""The same settings and seed make the same world and the same log, however they are cut."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import concat
from authopt.errors import UserError
from authopt.logs.arrow import to_arrow
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world import CardWorld, WorldSettings, make_world
from simulator.world.countries import COUNTRIES
from tests.simulator.world.sample import ROUTER, SMALL, WORLD, run

TINY = WorldSettings(seed=4, issuers=20, cards=2_000, merchants=12)


def fingerprint(world: CardWorld, traffic: Traffic) -> str:
    batch = run(world, traffic)
    digest = hashlib.sha256(world.approval_probability(batch).tobytes())
    for column in to_arrow(batch).columns:
        digest.update(str(column.to_pylist()).encode())
    return digest.hexdigest()


def test_another_process_makes_the_same_log() -> None:
    code = (
        "from tests.simulator.world.test_repeatable import TINY, fingerprint;"
        "from simulator.world import make_world; from simulator.traffic import Traffic;"
        "print(fingerprint(make_world(TINY), Traffic(300, days=9, seed=6)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert other.stdout.strip() == fingerprint(make_world(TINY), Traffic(300, days=9, seed=6))


def test_the_rows_do_not_depend_on_the_chunks() -> None:
    traffic = Traffic(900, seed=5)
    whole = concat(list(simulate(WORLD, traffic, ROUTER)))
    parts = concat(list(simulate(WORLD, traffic, ROUTER, chunk_payments=70)))
    assert to_arrow(whole).to_pylist() == to_arrow(parts).to_pylist()


def test_worlds_of_other_seeds_and_events_live_side_by_side() -> None:
    traffic = Traffic(200, seed=5)
    before = fingerprint(WORLD, traffic)
    assert fingerprint(make_world(TINY), traffic) != before
    assert fingerprint(make_world(SMALL), traffic) == before


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(-(2**40), 2**63 - 1),
    payments=st.integers(1, 300),
    days=st.sampled_from([0.02, 0.5, 1.0, 7.3, 400.0]),
    start=st.datetimes(datetime(2018, 1, 1), datetime(2039, 1, 1)),
)
def test_payments_arrive_within_the_traffic_in_the_order_of_their_numbers(
    seed: int, payments: int, days: float, start: datetime
) -> None:
    begin = np.datetime64(start, "s")
    batch = WORLD.arrivals(Traffic(payments, begin, days, seed), 0, payments)
    assert (np.diff(batch.decided_at) >= np.timedelta64(0)).all()
    assert batch.decided_at[0] >= begin
    assert batch.decided_at[-1] <= begin + np.timedelta64(int(np.ceil(days * 86_400)), "s")
    assert len(set(batch.payment_id.to_pylist())) == payments


def test_traffic_goes_on_past_its_last_payment() -> None:
    traffic = Traffic(100, days=5, seed=2)
    batch = WORLD.arrivals(traffic, 0, 250)
    assert (np.diff(batch.decided_at) >= np.timedelta64(0)).all()
    assert batch.decided_at[150] >= traffic.start + np.timedelta64(5, "D")
    assert batch.decided_at[249] < traffic.start + np.timedelta64(13, "D")


def test_payments_of_another_seed_are_other_payments() -> None:
    one, other = (WORLD.arrivals(Traffic(50, seed=seed), 0, 50) for seed in (1, 2))
    assert one.payment_id.to_pylist() != other.payment_id.to_pylist()
    assert not one.context["card_ref"].equals(other.context["card_ref"])


def test_a_bill_is_tried_as_often_as_the_settings_say() -> None:
    for most in (1, 3):
        world = make_world(WorldSettings(4, 20, 2_000, 12, bill_attempts=most))
        batch = run(world, Traffic(600, seed=3))
        bills = np.array([v == "mit" for v in batch.context["initiator"].values()])
        assert batch.attempt[bills].max() == most


@pytest.mark.parametrize(
    ("name", "value"), [("issuers", len(COUNTRIES) - 1), ("cards", 10), ("merchants", 0)]
)
def test_settings_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"world: {name} is {value}; expected"):
        WorldSettings(**{name: value})


def test_all_names_are_different() -> None:
    world = make_world()
    for names in (world.issuer_names, world.merchant_names, world.route_names):
        assert len(set(names)) == len(names)
    assert len(world.issuer_names) == 300
    assert set(world.default_order) == set(world.route_names)
    assert world.delays_s[0] == 0
