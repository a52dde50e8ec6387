"""A small world of cards and a log of it, made once for all tests."""

from __future__ import annotations

from functools import cache

import numpy as np

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, LoggedBatch, concat
from simulator.logging_policy import MerchantRouter
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world import CardWorld, WorldSettings, make_world

SMALL = WorldSettings(issuers=50, cards=20_000, merchants=24)
WORLD = make_world(SMALL)
ROUTER = MerchantRouter(WORLD.default_order)


def run(world: CardWorld, traffic: Traffic) -> LoggedBatch:
    return concat(list(simulate(world, traffic, ROUTER)))


@cache
def log(payments: int = 20_000, seed: int = 1) -> LoggedBatch:
    return run(WORLD, Traffic(payments, seed=seed))


def category(batch: DecisionBatch, name: str) -> Categorical:
    outcome = batch.outcome if isinstance(batch, LoggedBatch) else {}
    column = batch.context.get(name, outcome.get(name))
    assert isinstance(column, Categorical)
    return column


def has(batch: DecisionBatch, name: str, *values: str) -> BoolArray:
    return np.asarray(category(batch, name).recode(values) >= 0)


def numbers(batch: DecisionBatch, name: str) -> FloatArray:
    outcome = batch.outcome if isinstance(batch, LoggedBatch) else {}
    return np.asarray(batch.context.get(name, outcome.get(name)), np.float64)


def seconds(times: np.ndarray) -> FloatArray:
    return np.asarray((times - np.datetime64("1970-01-01")) / np.timedelta64(1, "s"))


def sent_at(batch: LoggedBatch) -> np.ndarray:
    return batch.decided_at + batch.action_delay_s[batch.chosen_action].astype("m8[s]")


def previous_rows(batch: LoggedBatch) -> tuple[np.ndarray, np.ndarray]:
    """Rows of later attempts, and the rows of the attempts just before them."""
    ids = np.array(batch.payment_id.to_pylist())
    order = np.lexsort((batch.attempt, ids))
    later = np.flatnonzero(ids[order][1:] == ids[order][:-1]) + 1
    return order[later], order[later - 1]
