"""Tiny payments added up for a policy, and what their logs hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction as F
from math import lcm

import numpy as np

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import bucket_of, cluster_hashes
from authopt.evaluation.estimating import quantity_of
from authopt.evaluation.intervals import estimate
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.payments.columns import payment_table
from authopt.evaluation.payments.estimators import COUNT_ESTIMATORS, REWARD_ESTIMATORS
from authopt.evaluation.payments.result import PaymentResult
from authopt.evaluation.payments.rows import PaymentSums, stopping_mass
from authopt.evaluation.payments.survey import survey
from authopt.evaluation.scores import Range
from authopt.evaluation.settings import Settings
from authopt.evaluation.terms import logging_terms, terms_of
from authopt.hashing import hash_strings
from simulator.tiny_episodes import (
    EPISODES,
    LOGGING,
    Policy,
    TinyEpisodes,
    episode_log,
)

POLICY: Policy = ((F(1, 5), F(3, 5), F(1, 5)), (F(9, 10), F(1, 10)))

STOPS_EARLIER: Policy = ((F(3, 10), F(1, 10), F(6, 10)), (F(1, 10), F(9, 10)))

GOES_ON: Policy = ((F(2, 3), F(1, 3), F(0)), (F(1), F(0)))

NEVER_STOPS: Policy = ((F(2, 3), F(1, 3), F(0)), (F(1), F(0)))

NEVER_SECOND: Policy = ((F(3, 4), F(0), F(1, 4)), (F(2, 3), F(1, 3)))

WRONG = ((F(1, 3), F(9, 10), F(2, 5)), (F(4, 5), F(1, 5)))
"""Predictions that are far off; giving up is predicted to bring something."""

FAST = Settings(bootstrap=0)


def block_of(batch: LoggedBatch, q: FloatArray | None = None) -> Block:
    arrays = LoggedArrays(
        offsets=batch.offsets,
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        probability=batch.probability,
        q=q,
    )
    hashes = cluster_hashes(batch, "payment_id")
    return Block(
        arrays=arrays,
        hashes=hashes,
        bucket=bucket_of(hashes),
        own=logging_terms(arrays),
        batch=batch,
        payment=hash_strings(batch.payment_id),
    )


def added(
    batches: list[LoggedBatch],
    policy: Callable[[LoggedBatch], FloatArray],
    q: Callable[[LoggedBatch], FloatArray] | None = None,
    *,
    stopping: bool = True,
    sums: PaymentSums | None = None,
) -> PaymentSums:
    sums = PaymentSums(state_columns=("x_state",)) if sums is None else sums
    for batch in batches:
        block, probabilities = block_of(batch, q(batch) if q else None), policy(batch)
        mass = stopping_mass(batch, probabilities) if stopping else None
        sums.add(block, replace(terms_of(block.arrays, probabilities), stopping=mass))
    return sums


def values(result: PaymentResult, measure: str = "value") -> dict[str, float]:
    return {each.estimator: each.value or 0.0 for each in result.measure(measure).estimates}


def every_payment(logging: Policy = LOGGING, world: TinyEpisodes = EPISODES) -> LoggedBatch:
    """Each payment as often as it happens: what a log without end looks like."""
    payments = world.payments(logging)
    times = lcm(*(each.probability.denominator for each in payments))
    return episode_log(
        tuple(each for each in payments for _ in range(int(each.probability * times))), logging
    )


def point_estimates(sums: PaymentSums) -> dict[tuple[str, str], float]:
    """By what is counted and by estimator, without the intervals."""
    found = survey(sums)
    table = payment_table(sums, found, Range(0.0, 1.0, np.inf, 1.0, 0.0, 1.0, 2), 1.0)
    return {
        (counted, each.name): estimate(table.sums, quantity_of(each.of(counted, table.steps)))
        or 0.0
        for counted, used in (("r", REWARD_ESTIMATORS), ("made", COUNT_ESTIMATORS))
        for each in used
    }
