"""Run a policy in the world: an attempt log with exact propensities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from authopt.batch import LoggedBatch, concat
from authopt.decision import decide
from authopt.hashing import hash_strings
from authopt.policies.protocol import Policy
from authopt.rules import DEFAULT_RULES, Rules
from simulator.arrivals import Traffic, arrivals
from simulator.attempts import endings, following, nothing_to_decide, with_outcome
from simulator.eligible import Offers, offers_of
from simulator.world import World

CHUNK_PAYMENTS = 20_000


def simulate(
    world: World,
    traffic: Traffic,
    policy: Policy,
    *,
    rules: Rules = DEFAULT_RULES,
    chunk_payments: int = CHUNK_PAYMENTS,
) -> Iterator[LoggedBatch]:
    """The log of a policy's decisions and what came of them, by time of decision.

    A decision point where the rules leave nothing but ``stop`` is not logged: there was nothing to
    decide. What is drawn is keyed by payment, attempt and purpose, so two policies meet the same
    payments and the same luck, and the rows do not depend on ``chunk_payments``.

    Parameters
    ----------
    world
        who takes part.
    traffic
        how many payments, when, and the seed of all that is drawn.
    policy
        the logging policy; it does not learn from this log while it is made.
    rules
        what it may do.
    chunk_payments
        payments that are drawn at a time. Memory holds them and the retries that are still to come.
    """
    offers = offers_of(world)
    waiting: list[LoggedBatch] = []
    for first in range(0, traffic.payments, chunk_payments):
        last = min(first + chunk_payments, traffic.payments)
        end = None
        if last < traffic.payments:
            end = arrivals(world, offers, traffic, last, last + 1).decided_at[0]
        made = _payments(world, offers, traffic, policy, rules, first, last)
        due, waiting = _due([made, *waiting], end)
        if due:
            yield _in_order(concat(due))


def _payments(
    world: World,
    offers: Offers,
    traffic: Traffic,
    policy: Policy,
    rules: Rules,
    first: int,
    last: int,
) -> LoggedBatch:
    """All decisions on some payments, made one wave of attempts after the other, by time."""
    waves = []
    batch = arrivals(world, offers, traffic, first, last)
    attempt = 1
    while batch.n:
        logged = decide(batch, policy, rules=rules, salt=f"simulate:{traffic.seed}").logged()
        nothing = nothing_to_decide(logged)
        if nothing.any():
            logged = logged.take(np.flatnonzero(~nothing))
        ending = endings(world, logged, traffic.seed)
        logged = with_outcome(world, logged, ending, traffic.seed)
        waves.append(logged)
        batch = following(offers, logged, ending, attempt, traffic.seed)
        attempt += 1
    return _in_order(concat(waves))


def _due(
    batches: list[LoggedBatch], end: np.datetime64 | None
) -> tuple[list[LoggedBatch], list[LoggedBatch]]:
    """Of batches that are in order of time: the rows before ``end`` (None: all), and the rest."""
    due, later = [], []
    for batch in batches:
        cut = batch.n if end is None else int(np.searchsorted(batch.decided_at, end))
        if cut:
            due.append(batch.take(slice(0, cut)))
        if cut < batch.n:
            # Copied where it is cut: a slice would keep the rows that are due in memory.
            later.append(batch.take(np.arange(cut, batch.n)) if cut else batch)
    return due, later


def _in_order(batch: LoggedBatch) -> LoggedBatch:
    """By time; rows of the same second in an order that only their ids fix."""
    order = np.lexsort((hash_strings(batch.decision_id), batch.decided_at))
    return batch.take(order)
