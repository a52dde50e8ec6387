"""From the batches of a log to blocks: what is unusable is left out, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import SALT, bucket_of, cluster_hashes
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import logging_terms
from authopt.hashing import hash_strings, salted
from authopt.rewards import Reward

NO_OUTCOME = "the outcome is not known"
NO_PROPENSITY = "the propensity is not known"
SAMPLE_SALT = "evaluation-sample"

BAD_PROPENSITY = "the propensity is outside (0, 1]"


class PredictsReward(Protocol):
    """A reward model: q(x, a), cross-fitted, so that no row was seen in its own prediction."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], predicted reward of every eligible action."""


def block_of(
    batch: LoggedBatch,
    left_out: Counter[str],
    *,
    reward: Reward,
    reward_model: PredictsReward | None,
    cluster: str,
    path: Path | None,
    embeddings: Collection[str] = (),
) -> Block | None:
    """The usable decisions of a batch as a block; None where there are none.

    Parameters
    ----------
    batch
        n decisions with their rewards.
    left_out
        decisions that cannot be used are counted here, by reason.
    reward
        gives the bounds that rewards cannot leave.
    reward_model
        predicts the reward of every eligible action, or None.
    cluster
        column whose values are the clusters.
    path
        file of the log, for errors.
    embeddings
        action features to marginalise over (:func:`embeddings_of`).

    Raises
    ------
    UserError
        If a reward is outside its bounds, or there is no such column.
    """
    kept = usable(batch, left_out)
    if not kept.n:
        return None
    check_rewards(kept, reward, path)
    arrays = arrays_of(kept, reward_model, embeddings)
    payment = hash_strings(kept.payment_id)
    hashes = salted(payment, SALT) if cluster == "payment_id" else cluster_hashes(kept, cluster)
    return Block(
        arrays=arrays,
        hashes=hashes,
        bucket=bucket_of(hashes),
        own=logging_terms(arrays),
        batch=kept,
        payment=payment,
    )


def usable(batch: LoggedBatch, left_out: Counter[str]) -> LoggedBatch:
    """The decisions with an outcome and a propensity; the others are counted by reason."""
    low, high = batch.propensity.min(initial=1.0), batch.propensity.max(initial=0.0)
    # A sum with a missing number in it is missing.
    if low > 0.0 and high <= 1.0 and not np.isnan(batch.reward.sum()):
        return batch
    no_outcome = np.isnan(batch.reward)
    no_propensity = ~no_outcome & np.isnan(batch.propensity)
    bad = ~no_outcome & ~no_propensity & ~((batch.propensity > 0.0) & (batch.propensity <= 1.0))
    for reason, rows in (
        (NO_OUTCOME, no_outcome),
        (NO_PROPENSITY, no_propensity),
        (BAD_PROPENSITY, bad),
    ):
        if rows.any():
            left_out[reason] += int(rows.sum())
    keep = ~(no_outcome | no_propensity | bad)
    return batch if keep.all() else batch.take(np.flatnonzero(keep))


def embeddings_of(batch: LoggedBatch) -> tuple[str, ...]:
    """Features that tell groups of a decision's actions apart: where there is a choice of delays.

    With one delay, all actions of a route are one action, and marginalising changes nothing.
    """
    if batch.probability is None or not (batch.action_delay_s != batch.action_delay_s[:1]).any():
        return ()
    return ("route", "delay")


def arrays_of(
    batch: LoggedBatch, reward_model: PredictsReward | None, embeddings: Collection[str] = ()
) -> LoggedArrays:
    """What was logged, as arrays alone."""
    q = None
    if reward_model is not None:
        q = np.asarray(reward_model.predict(batch.decisions()), np.float64)
        if q.shape != (batch.m,) or not np.isfinite(q).all():
            raise ValueError(f"the reward model must give {batch.m} finite predictions")
    probability = batch.probability
    if probability is not None and np.isnan(probability).any():
        probability = None
    features: dict[str, npt.NDArray[np.integer]] = {
        "route": batch.action_route,
        "delay": batch.action_delay_s,
    }
    return LoggedArrays(
        offsets=batch.offsets,
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        probability=probability,
        q=q,
        embedding={name: values for name, values in features.items() if name in embeddings},
    )


def check_rewards(batch: LoggedBatch, reward: Reward, path: Path | None) -> None:
    """Raise a UserError where a reward is outside its declared bounds."""
    low, high = reward.bounds
    outside = np.flatnonzero(~((batch.reward >= low) & (batch.reward <= high)))
    if len(outside):
        row = int(outside[0])
        raise UserError(
            f"{path or 'the log'}: decision {id_of(batch, row)!r} has reward {batch.reward[row]:g} "
            f"(reward {reward.name!r}), outside its bounds [{low:g}, {high:g}]. Intervals rest on "
            "the bounds: declare them so that they hold, "
            + (
                f"for example --reward column:{reward.name}:LOW:HIGH"
                if reward.currency is None
                else "with the key largest of the reward's file"
            )
        )


def some_payments(block: Block, every: int) -> Block:
    """One payment in ``every``, with all of its decisions; without predictions.

    Which they are does not depend on the buckets. A block of plain arrays is left as it is.
    """
    if every == 1 or block.batch is None or block.payment is None:
        return block
    chosen = salted(block.payment, SAMPLE_SALT) % np.uint64(every) == 0
    rows = np.flatnonzero(chosen)
    batch = block.batch.take(rows)
    arrays = arrays_of(batch, None)
    return Block(
        arrays=arrays,
        hashes=block.hashes[rows],
        bucket=block.bucket[rows],
        own=logging_terms(arrays),
        batch=batch,
        payment=block.payment[rows],
    )


def check_order(batch: LoggedBatch, last: np.datetime64 | None, otherwise: str = "") -> None:
    """Raise a UserError where decisions are not in the order of time.

    Parameters
    ----------
    batch
        n decisions.
    last
        time of the decision before them, or None.
    otherwise
        what a user can do beside sorting the log.
    """
    times = batch.decided_at
    before = np.concatenate([times[:1] if last is None else [last], times[:-1]])
    early = np.flatnonzero(times < before)
    if len(early):
        row = int(early[0])
        raise UserError(
            "a policy that learns follows the log in the order of time, but decision "
            f"{id_of(batch, row)!r} ({times[row]}Z) stands after one at {before[row]}Z. Sort the "
            f"log by decided_at{otherwise}"
        )


def id_of(batch: LoggedBatch, decision: int | None) -> str | None:
    """The id of one decision; None where the decision is not known."""
    return None if decision is None else str(batch.decision_id[decision].as_py())
