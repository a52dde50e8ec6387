"""Sums over the decisions of a policy by block of payments, so that any window can be read later.

A payment stands in the block of its own number, with all its attempts, however late they are made.
Every policy that is played in the same setting meets the same payments in every block.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.hashing import UIntArray, hash_strings
from simulator.leaderboard.setting import Setting
from simulator.protocol import World
from simulator.simulate import CHUNK_PAYMENTS
from simulator.traffic import Traffic

MOST_BLOCKS = 200

COLUMNS = (
    "payments",
    "decisions",
    "attempts",
    "approved",
    "value",
    "first_value",
    "best",
    "first_best",
    "favourite",
)


def block_size(payments: int) -> int:
    """Payments in a block: as few as give no more than ``MOST_BLOCKS``."""
    return -(-payments // MOST_BLOCKS)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Sums by block; float64[blocks] each.

    Attributes
    ----------
    payments
        payments with a decision.
    decisions, attempts, approved
        decision points met, attempts made, and approvals as they were drawn.
    value
        true chance of approval in expectation over the policy's draw, at all decision points met
        (Rao-Blackwell); its sum over a payment has the chance that it is paid as its expectation.
    first_value
        the same of first attempts alone.
    best, first_best
        the highest chance among the actions, at the same decision points.
    favourite
        the chance of the action that the policy gives the highest probability, mean over those
        that share it: what it would have had without exploring.
    """

    payments: FloatArray
    decisions: FloatArray
    attempts: FloatArray
    approved: FloatArray
    value: FloatArray
    first_value: FloatArray
    best: FloatArray
    first_best: FloatArray
    favourite: FloatArray


def tallied(setting: Setting, batches: Iterable[LoggedBatch]) -> Blocks:
    """The sums over the decisions of a policy in a setting."""
    traffic = setting.traffic
    size = block_size(traffic.payments)
    blocks = -(-traffic.payments // size)
    numbers = numbers_of(setting.world, traffic)
    sums = np.zeros((len(COLUMNS), blocks))
    for batch in batches:
        if not batch.n:
            continue
        block = numbers.of(batch) // size
        for place, column in enumerate(_columns(setting.world, batch)):
            sums[place] += np.bincount(block, column, blocks)
    return Blocks(*sums)


def _columns(world: World, batch: LoggedBatch) -> tuple[FloatArray | None, ...]:
    probability, starts = batch.probability, batch.offsets[:-1]
    assert probability is not None
    chance = world.approval_probability(batch)
    value = batch.sum_by_decision(probability * chance)
    best = np.maximum.reduceat(chance, starts)
    first = (batch.attempt == 1).astype(np.float64)
    top = np.repeat(np.maximum.reduceat(probability, starts), batch.counts)
    is_top = (probability == top).astype(np.float64)
    favourite = batch.sum_by_decision(is_top * chance) / batch.sum_by_decision(is_top)
    made = (~batch.is_stop[batch.chosen_action]).astype(np.float64)
    approved = np.nan_to_num(np.asarray(batch.outcome["approved"], np.float64))
    return first, None, made, approved, value, first * value, best, first * best, favourite


@dataclass(frozen=True, slots=True, eq=False)
class PaymentNumbers:
    """The numbers of a traffic's payments, by the hashes of their ids (sorted)."""

    hashes: UIntArray
    numbers: IntArray

    def of(self, batch: DecisionBatch) -> IntArray:
        """int64[n], the number of each decision's payment, in the order of arrival."""
        return self.numbers[np.searchsorted(self.hashes, hash_strings(batch.payment_id))]


def numbers_of(world: World, traffic: Traffic) -> PaymentNumbers:
    """The numbers of the payments of a traffic in a world."""
    hashes = np.concatenate(
        [
            hash_strings(world.arrivals(traffic, first, last).payment_id)
            for first in range(0, traffic.payments, CHUNK_PAYMENTS)
            for last in [min(first + CHUNK_PAYMENTS, traffic.payments)]
        ]
    )
    order = np.argsort(hashes)
    return PaymentNumbers(hashes[order], order)
