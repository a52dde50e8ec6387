"""Logs whose propensities are sound, and the ways in which real ones go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from authopt.batch import Categorical, FloatArray, LoggedBatch
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import bucket_of, cluster_hashes
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.propensities.sums import PropensitySums
from authopt.evaluation.terms import logging_terms
from authopt.hashing import hash_strings, salted, unit_interval
from authopt.sampling import normalise, sample, uniforms
from tests.factories import logged_batch

ROUTES = ("adyen", "braintree", "checkout", "dlocal")


def drawn(
    batch: LoggedBatch, truth: FloatArray, listed: FloatArray, uniform: FloatArray | None = None
) -> LoggedBatch:
    """Actions drawn by the probabilities ``truth``, while ``listed`` are the ones logged."""
    uniform = uniforms(batch.decision_id, "faulty") if uniform is None else uniform
    chosen = sample(batch, truth, uniform)
    propensity = listed[batch.offsets[:-1] + chosen]
    return replace(batch, chosen=chosen, probability=listed, propensity=propensity)


def sound(n: int, seed: int = 0) -> LoggedBatch:
    """Ragged eligible sets, a policy that depends on everything, two attempts per payment."""
    batch = logged_batch(n, ROUTES, seed=seed)
    rng = np.random.default_rng(seed)
    keep = (rng.random(batch.m) < 0.8) | (batch.action_route == 0)
    left = batch.decisions().keep_actions(keep)
    batch = replace(
        batch,
        action_route=left.action_route,
        action_delay_s=left.action_delay_s,
        offsets=left.offsets,
        probability=None,
        chosen=np.zeros(n, np.int64),
    )
    truth = normalise(batch, np.exp(rng.normal(size=batch.m)))
    return drawn(batch, truth, truth)


def _true(batch: LoggedBatch) -> FloatArray:
    assert batch.probability is not None
    return batch.probability


def shifted(batch: LoggedBatch) -> LoggedBatch:
    """One route's probability is logged 0.03 too high."""
    truth = _true(batch)
    return drawn(batch, truth, normalise(batch, truth + 0.03 * (batch.action_route == 1)))


def of_another_action(batch: LoggedBatch) -> LoggedBatch:
    """The propensity is that of the first action, as when the head of VW's list is logged."""
    return replace(batch, propensity=_true(batch)[batch.offsets[:-1]])


def rotated(batch: LoggedBatch) -> LoggedBatch:
    """Probabilities are listed one action further than they belong."""
    truth = _true(batch)
    place = np.arange(batch.m) + 1
    ends = np.repeat(batch.offsets[1:], batch.counts)
    starts = np.repeat(batch.offsets[:-1], batch.counts)
    return drawn(batch, truth, truth[np.where(place == ends, starts, place)])


def before_masking(batch: LoggedBatch) -> LoggedBatch:
    """A fifth of the mass was on actions that were masked before the draw."""
    truth = _true(batch)
    return drawn(
        batch, truth, truth * np.repeat(np.where(batch.attempt == 1, 0.8, 1.0), batch.counts)
    )


def before_masking_of_taken(batch: LoggedBatch) -> LoggedBatch:
    """The same where only the propensity of the taken action is logged."""
    return replace(before_masking(batch), probability=None)


def stale(batch: LoggedBatch) -> LoggedBatch:
    """In the last fifth of the time another policy drew than the one that is logged."""
    truth = _true(batch)
    other = normalise(batch, truth * np.array([1.0, 1.5, 0.7, 1.3])[batch.action_route])
    late = np.arange(batch.n) >= 0.8 * batch.n
    return drawn(batch, np.where(np.repeat(late, batch.counts), other, truth), truth)


def sharper(batch: LoggedBatch) -> LoggedBatch:
    """The softmax was drawn from at another temperature than it was logged at."""
    truth = _true(batch)
    return drawn(batch, normalise(batch, truth**1.15), truth)


def epsilon_mislabelled(batch: LoggedBatch) -> LoggedBatch:
    """Epsilon-greedy: the floor epsilon / K is logged for the action that got the rest too."""
    greedy = np.zeros(batch.m)
    greedy[batch.offsets[:-1]] = 1.0
    flat = 1.0 / np.repeat(batch.counts, batch.counts)
    second = np.zeros(batch.m)
    second[batch.offsets[1:] - 1] = 1.0
    return drawn(batch, 0.9 * greedy + 0.1 * flat, 0.9 * second + 0.1 * flat)


def overridden(batch: LoggedBatch) -> LoggedBatch:
    """A rule forces the first route for some Visa payments, after the probabilities were logged."""
    truth = _true(batch)
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    forced = (network.codes == 0) & (np.arange(batch.n) % 8 == 0)
    first = np.zeros(batch.m)
    first[batch.offsets[:-1]] = 1.0
    return drawn(batch, np.where(np.repeat(forced, batch.counts), first, truth), truth)


def not_uniform(batch: LoggedBatch) -> LoggedBatch:
    """The random numbers favour small values."""
    truth = _true(batch)
    return drawn(batch, truth, truth, uniforms(batch.decision_id, "faulty") ** 1.1)


def seeded_by_payment(batch: LoggedBatch) -> LoggedBatch:
    """All attempts of a payment are drawn with the same random number."""
    truth = _true(batch)
    uniform = unit_interval(salted(hash_strings(batch.payment_id), "same"))
    return drawn(batch, truth, truth, uniform)


FAULTS: dict[Callable[[LoggedBatch], LoggedBatch], str] = {
    shifted: "route",
    of_another_action: "taken",
    rotated: "surprise",
    before_masking: "sums",
    before_masking_of_taken: "weight",
    stale: "drift",
    sharper: "surprise",
    epsilon_mislabelled: "top",
    overridden: "segments",
    not_uniform: "cdf",
    seeded_by_payment: "independence",
}
"""Each fault, and a check that must see it."""


def block_of(batch: LoggedBatch) -> Block:
    """A batch as the engine hands it to the parts."""
    arrays = LoggedArrays(
        offsets=batch.offsets,
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        probability=batch.probability,
    )
    payment = cluster_hashes(batch, "payment_id")
    return Block(
        arrays=arrays,
        hashes=payment,
        bucket=bucket_of(payment),
        own=logging_terms(arrays),
        batch=batch,
        payment=payment,
    )


def sums_of(*batches: LoggedBatch) -> PropensitySums:
    """All of these batches added up."""
    sums = PropensitySums()
    for batch in batches:
        block = block_of(batch)
        sums.add(block, block.own)
    return sums
