"""Splits by payment: folds for cross-fitting, and samples of whole payments.

The attempts of a payment share its card, its amount and its fate. A model that is judged, or used,
on a payment must have seen none of them; so folds and samples are made of payments, by hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from authopt.batch import IntArray, LoggedBatch, concat
from authopt.hashing import UIntArray, hash_strings, salted


def fold_of(payment_id: pa.StringArray, folds: int, seed: int = 0) -> IntArray:
    """int64[n] in ``range(folds)``: the same for all attempts of a payment, wherever it is seen."""
    hashes = salted(hash_strings(payment_id), f"fold:{seed}")
    return (hashes % np.uint64(folds)).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Whole payments out of a log.

    Attributes
    ----------
    batch
        their decisions, in an order that does not depend on the order of the log.
    decisions
        number of decisions that the sample was drawn from.
    """

    batch: LoggedBatch
    decisions: int

    @property
    def is_whole(self) -> bool:
        """Whether every decision is in the sample."""
        return self.batch.n == self.decisions


def sample_payments(
    batches: Iterable[LoggedBatch], max_rows: int, seed: int = 0, salt: str = "sample"
) -> Sample | None:
    """The payments of smallest hash, as many as have at most ``max_rows`` decisions together.

    The log is read once, chunk by chunk, and at most about twice the sample is held. Which payments
    are taken depends on their ids, ``seed`` and ``salt`` alone, not on chunks or their order.

    Parameters
    ----------
    batches
        the log.
    max_rows
        most decisions to take; a single payment that is larger is taken nevertheless.
    seed, salt
        another sample for another seed or purpose.

    Returns
    -------
    Sample or None
        None where the log is empty.
    """
    kept: list[LoggedBatch] = []
    held = decisions = 0
    limit: np.uint64 | None = None
    for batch in batches:
        decisions += batch.n
        if limit is not None:
            batch = _up_to(batch, limit, seed, salt)
        if not batch.n:
            continue
        kept.append(batch)
        held += batch.n
        if held > 2 * max_rows:
            limit = _limit(kept, max_rows, seed, salt)
            kept = [part for part in (_up_to(each, limit, seed, salt) for each in kept) if part.n]
            held = sum(part.n for part in kept)
    if not kept:
        return None
    if held > max_rows:
        limit = _limit(kept, max_rows, seed, salt)
        kept = [part for part in (_up_to(each, limit, seed, salt) for each in kept) if part.n]
    whole = concat(kept)
    order = np.lexsort((hash_strings(whole.decision_id), whole.attempt, _hash(whole, seed, salt)))
    return Sample(whole.take(order.astype(np.int64)), decisions)


def _hash(batch: LoggedBatch, seed: int, salt: str) -> UIntArray:
    return salted(hash_strings(batch.payment_id), f"{salt}:{seed}")


def _limit(batches: list[LoggedBatch], max_rows: int, seed: int, salt: str) -> np.uint64:
    """The largest hash such that the payments up to it have at most ``max_rows`` decisions."""
    hashes = np.concatenate([_hash(batch, seed, salt) for batch in batches])
    payments, counts = np.unique(hashes, return_counts=True)
    fitting = int(np.searchsorted(np.cumsum(counts), max_rows, side="right"))
    return np.uint64(payments[max(fitting - 1, 0)])


def _up_to(batch: LoggedBatch, limit: np.uint64, seed: int, salt: str) -> LoggedBatch:
    keep = _hash(batch, seed, salt) <= limit
    return batch if keep.all() else batch.take(np.flatnonzero(keep).astype(np.int64))
