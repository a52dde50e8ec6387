"""Run a policy in the world: an attempt log with exact propensities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, IntArray, LoggedBatch, TimeArray, concat
from authopt.decision import decide
from authopt.hashing import hash_strings
from authopt.policies.protocol import Policy
from authopt.rules import DEFAULT_RULES, Rules
from simulator.protocol import World
from simulator.traffic import Traffic

CHUNK_PAYMENTS = 40_000


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
        the logging policy; it does not learn from this log while it is made (for that, see
        ``simulator.live``).
    rules
        what it may do.
    chunk_payments
        payments that are drawn at a time. Memory holds them and the retries that are still to come.
    """
    waiting: list[LoggedBatch] = []
    for first in range(0, traffic.payments, chunk_payments):
        last = min(first + chunk_payments, traffic.payments)
        made = _waves(world, world.arrivals(traffic, first, last), policy, rules, traffic.seed)
        if last == traffic.payments:
            made += waiting
            if made:
                yield in_order(concat(made))
            return
        end = world.arrivals(traffic, last, last + 1).decided_at[0]
        due, waiting = _until(end, waiting)
        together = concat([*made, *due])
        is_due = together.decided_at < end
        later = in_order(together, np.flatnonzero(~is_due))
        if later.n:
            waiting.append(later)
        if is_due.any():
            yield in_order(together, np.flatnonzero(is_due))


def attempted(
    world: World, batch: DecisionBatch, policy: Policy, rules: Rules, seed: int
) -> LoggedBatch:
    """The decisions of a policy at some decision points, with what came back.

    Decision points where the rules leave nothing but ``stop`` are left out.
    """
    logged = decide(batch, policy, rules=rules, salt=f"simulate:{seed}").logged()
    nothing = nothing_to_decide(logged)
    if nothing.any():
        logged = logged.take(np.flatnonzero(~nothing))
    return world.with_outcome(logged, seed)


def _waves(
    world: World, batch: DecisionBatch, policy: Policy, rules: Rules, seed: int
) -> list[LoggedBatch]:
    """All decisions on some payments, one wave of attempts after the other."""
    waves = []
    while batch.n:
        logged = attempted(world, batch, policy, rules, seed)
        waves.append(logged)
        batch = world.following(logged, seed)
    return waves


def _until(
    end: np.datetime64, batches: list[LoggedBatch]
) -> tuple[list[LoggedBatch], list[LoggedBatch]]:
    """Of batches that are in order of time: the rows before ``end``, and the rest."""
    due, later = [], []
    for batch in batches:
        cut = int(np.searchsorted(batch.decided_at, end))
        if cut:
            due.append(batch.take(slice(0, cut)))
        if cut < batch.n:
            # Copied where it is cut: a slice would keep the rows that are due in memory.
            later.append(batch.take(np.arange(cut, batch.n)) if cut else batch)
    return due, later


def in_order(batch: LoggedBatch, rows: IntArray | None = None) -> LoggedBatch:
    """Rows (all by default) by time; those of the same instant in an order that only ids fix."""
    time: TimeArray = batch.decided_at if rows is None else batch.decided_at[rows]
    order = np.argsort(time, kind="stable")
    ordered = time[order]
    same = ordered[1:] == ordered[:-1]
    chosen = order if rows is None else rows[order]
    if same.any():
        # Only the rows of an instant that has several need their ids looked at.
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        ids = hash_strings(batch.decision_id.take(chosen[tied]))
        chosen[tied] = chosen[tied][np.lexsort((ids, ordered[tied]))]
    return batch.take(chosen)


def nothing_to_decide(batch: DecisionBatch) -> BoolArray:
    """bool[n], where giving up is the only action: no router would be asked."""
    return np.asarray((batch.counts == 1) & batch.is_stop[batch.offsets[:-1]])
