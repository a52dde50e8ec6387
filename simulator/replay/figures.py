"""The figures of a replay: decisions, outcomes, value against the log's own, latency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch
from simulator.replay.answering import Source
from simulator.replay.replayed import Replayed, Traffic


@dataclass(frozen=True, slots=True)
class Worth:
    """What the decisions on some payments brought.

    Attributes
    ----------
    decisions, attempts
        decision points met, and attempts made at them.
    approved
        attempts that were approved.
    per_decision
        mean approval of the decisions whose outcome is known; None where none is.
    payments_known
        payments whose end is known: one attempt approved, or no outcome missing.
    per_payment
        share of these that were paid; None where there is none.
    """

    decisions: int
    attempts: int
    approved: int
    per_decision: float | None
    payments_known: int
    per_payment: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from sending a request for a decision to its answer."""

    p50: float
    p90: float
    p99: float
    largest: float


@dataclass(frozen=True, slots=True)
class TrafficFigures:
    """What sending was like.

    Attributes
    ----------
    seconds, requests, requests_per_second
        decisions and outcomes together.
    outcomes_told
        outcomes that the service has taken.
    retried
        requests sent again.
    latency_ms
        of decisions; None if there was none.
    late_p50_s, late_largest_s
        how far behind its due time a request was sent; None where as fast as possible was asked.
    errors
        requests that failed for good, by what was wrong.
    stopped
        why the replay ended before its time, if it did.
    """

    seconds: float
    requests: int
    requests_per_second: float
    outcomes_told: int
    retried: int
    latency_ms: Latency | None
    late_p50_s: float | None
    late_largest_s: float | None
    errors: dict[str, int]
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """A replay in figures; ``log`` is what the log's own decisions brought on the same payments.

    ``agreement`` is the share of decisions that took the log's action at the log's own decision
    point; ``sources`` counts decisions by where their outcome is from.
    """

    policy: str
    payments: int
    replay: Worth
    log: Worth
    agreement: float
    sources: dict[str, int]
    fallbacks: dict[str, int]
    traffic: TrafficFigures | None


def figures_of(replayed: Replayed) -> Figures:
    """Add a replay up."""
    batch, log = replayed.batch, replayed.log
    of_log = log.first(replayed.payments)
    counts = np.bincount(replayed.source, minlength=len(Source))
    return Figures(
        policy=replayed.policy,
        payments=replayed.payments,
        replay=_worth(batch, replayed.payment, replayed.payments),
        log=_worth(of_log, log.payment[: of_log.n], replayed.payments),
        agreement=float(replayed.matched.mean()),
        sources={source.name.lower(): int(counts[source]) for source in Source if counts[source]},
        fallbacks=dict(replayed.fallbacks.most_common()),
        traffic=None if replayed.traffic is None else _traffic(replayed.traffic),
    )


def _worth(batch: LoggedBatch, payment: IntArray, payments: int) -> Worth:
    known = np.isfinite(batch.reward)
    approved = batch.reward == 1
    paid = np.bincount(payment, approved, payments) > 0
    unknown = np.bincount(payment, ~known, payments) > 0
    met = np.bincount(payment, minlength=payments) > 0
    ended = met & (paid | ~unknown)
    return Worth(
        decisions=batch.n,
        attempts=int((~batch.is_stop[batch.chosen_action]).sum()),
        approved=int(approved.sum()),
        per_decision=float(batch.reward[known].mean()) if known.any() else None,
        payments_known=int(ended.sum()),
        per_payment=float(paid[ended].mean()) if ended.any() else None,
    )


def _traffic(traffic: Traffic) -> TrafficFigures:
    late = traffic.late_s
    return TrafficFigures(
        seconds=traffic.seconds,
        requests=traffic.requests,
        requests_per_second=traffic.requests / traffic.seconds if traffic.seconds else 0.0,
        outcomes_told=traffic.outcomes,
        retried=traffic.retried,
        latency_ms=_latency(1e3 * traffic.latency_s),
        late_p50_s=float(np.median(late)) if len(late) else None,
        late_largest_s=float(late.max()) if len(late) else None,
        errors=dict(traffic.errors.most_common()),
        stopped=traffic.stopped,
    )


def _latency(milliseconds: FloatArray) -> Latency | None:
    if not len(milliseconds):
        return None
    p50, p90, p99 = np.quantile(milliseconds, [0.5, 0.9, 0.99])
    return Latency(float(p50), float(p90), float(p99), float(milliseconds.max()))
