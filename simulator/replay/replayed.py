"""What a replay was: every decision with its outcome, where that is from, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray, LoggedBatch, TimeArray, concat
from authopt.hashing import hash_strings
from simulator.replay.course import SourceArray, Step
from simulator.replay.logged_payments import LoggedPayments, sent_at


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests to a service, as the one who sends them sees them.

    Attributes
    ----------
    seconds
        from the first request to the last answer.
    requests
        how many were answered or given up; outcomes included.
    outcomes
        how many outcomes were told.
    retried
        requests that were sent again, after no answer or after one that asked for it.
    at_s, latency_s
        float64[decisions answered], when each was sent, from the start, and how long it took.
    late_s
        float64[requests], how much later than due each was sent; empty if nothing was due.
    errors
        what went wrong, and how often; none of these requests is repeated any more.
    stopped
        why the replay ended before its time; None if it did not.
    """

    seconds: float
    requests: int
    outcomes: int
    retried: int
    at_s: FloatArray
    latency_s: FloatArray
    late_s: FloatArray
    errors: Counter[str]
    stopped: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """All decisions of a replay.

    Attributes
    ----------
    log
        what was replayed.
    payments
        how many of its payments.
    policy
        who decided.
    batch
        n decisions by time, with the log's ids, exact propensities and outcomes.
    source, matched
        int8[n] and bool[n], as in :class:`simulator.replay.course.Step`.
    fallbacks
        decisions in which the policy had no say, by reason.
    traffic
        None where no service was asked.
    """

    log: LoggedPayments
    payments: int
    policy: str
    batch: LoggedBatch
    source: SourceArray
    matched: BoolArray
    fallbacks: Counter[str] = field(default_factory=Counter)
    traffic: Traffic | None = None

    @property
    def payment(self) -> IntArray:
        """int64[n], the place of each decision's payment in the log."""
        place = self.log.place_of_payment
        return np.array([place[name] for name in self.batch.payment_id.to_pylist()], np.int64)


def put_together(
    log: LoggedPayments,
    payments: int,
    policy: str,
    steps: Sequence[Step],
    fallbacks: Counter[str],
    traffic: Traffic | None = None,
) -> Replayed:
    """The steps of a replay as one, by time; of the same moment in an order that ids fix."""
    batch = concat([step.batch for step in steps])
    order = np.lexsort((hash_strings(batch.decision_id), batch.decided_at))
    return Replayed(
        log=log,
        payments=payments,
        policy=policy,
        batch=batch.take(order),
        source=np.concatenate([step.source for step in steps])[order],
        matched=np.concatenate([step.matched for step in steps])[order],
        fallbacks=fallbacks,
        traffic=traffic,
    )


def known_at(batch: LoggedBatch) -> TimeArray:
    """datetime64[us][n], when each outcome is known: as the log says, else once it was sent."""
    sent = sent_at(batch)
    latency = batch.outcome.get("latency_ms")
    if isinstance(latency, np.ndarray):
        sent = sent + (1e3 * np.nan_to_num(latency)).astype("m8[us]")
    told = batch.outcome.get("outcome_at")
    if not isinstance(told, np.ndarray):
        return sent
    return np.where(np.isnat(told), sent, np.maximum(told.astype("M8[us]"), batch.decided_at))
