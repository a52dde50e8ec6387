"""The steps of a decision where there is but one, as in a live service: few arrays, the same bits.

A call of numpy costs about as much as a whole step here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.asked import Asked, with_missing
from authopt.batch import BoolArray, DecisionBatch, FloatArray, IntArray, take_column
from authopt.rules import Rules
from authopt.rules.apply import ReasonArray
from authopt.rules.one_decision import reasons_of_one
from authopt.rules.tables import NO_REASON
from authopt.sampling import are_possible, normalise_one, sample_one, total_of, uniform_of


def asked_of_one(batch: DecisionBatch, rules: Rules) -> Asked:
    """As :func:`authopt.asked.asked` for a batch of one."""
    reasons = reasons_of_one(batch, rules)
    if reasons.count(NO_REASON) == len(reasons):
        keep, reason = _all_kept(len(reasons))
        return Asked(batch, keep, reason, rules.reasons, batch)
    kept = [place for place, each in enumerate(reasons) if each == NO_REASON]
    if not kept:
        kept = [len(reasons)]
        reasons = [*reasons, NO_REASON]
        batch = _with_stop(batch)
    keep = np.array([each == NO_REASON for each in reasons], np.bool_)
    reason = np.array(reasons, np.int16)
    return Asked(batch, keep, reason, rules.reasons, _only(batch, kept))


def is_distribution(given: FloatArray) -> bool:
    """Whether the numbers of one decision are possible probabilities, and not all 0."""
    values = given.tolist()
    return are_possible(values) and 0.0 < total_of(values) < math.inf


def draw_one(asked: Asked, given: FloatArray, salt: str) -> tuple[FloatArray, IntArray, FloatArray]:
    """As :func:`authopt.decision.draw` for one decision."""
    if len(given) != asked.eligible.m:
        raise ValueError(f"expected {asked.eligible.m} probabilities, got {len(given)}")
    probability = normalise_one(np.asarray(given, np.float64).tolist())
    drawn = chosen = sample_one(probability, uniform_of(asked.batch.decision_id, salt))
    propensity = probability[drawn]
    if asked.eligible is not asked.batch:
        left, keep = iter(probability), asked.keep.tolist()
        probability = [next(left) if kept else 0.0 for kept in keep]
        chosen = [place for place, kept in enumerate(keep) if kept][drawn]
    return np.array(probability), np.array([chosen], np.int64), np.array([propensity])


@lru_cache(maxsize=256)
def _all_kept(m: int) -> tuple[BoolArray, ReasonArray]:
    keep, reason = np.ones(m, np.bool_), np.full(m, NO_REASON, np.int16)
    keep.flags.writeable = reason.flags.writeable = False
    return keep, reason


def _with_stop(batch: DecisionBatch) -> DecisionBatch:
    routes = batch.routes if STOP_ROUTE in batch.routes else (*batch.routes, STOP_ROUTE)
    m = batch.m
    end = np.array([m], np.int64)
    return replace(
        batch,
        routes=routes,
        action_route=np.array([*batch.action_route.tolist(), routes.index(STOP_ROUTE)], np.int32),
        action_delay_s=np.array([*batch.action_delay_s.tolist(), 0], np.int64),
        offsets=np.array([0, m + 1], np.int64),
        action_features={
            name: with_missing(column, end) for name, column in batch.action_features.items()
        },
    )


def _only(batch: DecisionBatch, kept: list[int]) -> DecisionBatch:
    rows = np.array(kept, np.int64)
    return replace(
        batch,
        action_route=batch.action_route[rows],
        action_delay_s=batch.action_delay_s[rows],
        offsets=np.array([0, len(kept)], np.int64),
        action_features={
            name: take_column(column, rows) for name, column in batch.action_features.items()
        },
    )
