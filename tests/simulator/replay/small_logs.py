"""Logs of the small world, small enough for tests, and replays of them."""

from __future__ import annotations

from functools import cache

from authopt.batch import concat
from authopt.policies.protocol import Policy
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.replay.answering import Answering, ByModel, ByWorld, fitted_to
from simulator.replay.course import Course
from simulator.replay.in_process import InProcessReplay
from simulator.replay.logged_payments import LoggedPayments, in_payments
from simulator.replay.replayed import Replayed
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic

WORLD = small_world()
SEED = 3
TRAFFIC = Traffic(1_500, days=10, seed=SEED)
SAME_WORLD = ByWorld(WORLD, SEED)


@cache
def log() -> LoggedPayments:
    made = simulate(WORLD, TRAFFIC, MerchantRouter(DEFAULT_ORDER))
    return in_payments(concat(list(made)))


@cache
def model() -> ByModel:
    return fitted_to(log(), seed=1)


def replay(
    policy: Policy,
    answering: Answering,
    *,
    of: LoggedPayments | None = None,
    payments: int = TRAFFIC.payments,
    run: str = "test",
    slot_s: int | None = None,
) -> Replayed:
    course = Course(of or log(), answering, payments)
    going = InProcessReplay(course, policy, run, slot_s=slot_s)
    made = sum(going.decisions())
    replayed = going.result()
    assert replayed.batch.n == made
    return replayed
