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
        start = arrivals(world, offers, traffic, first, first + 1).decided_at[0]
        done, waiting = _before(waiting, start)
        yield from done
        waiting += _payments(world, offers, traffic, policy, rules, first, last)
    done, _ = _before(waiting, None)
    yield from done


def _payments(
    world: World,
    offers: Offers,
    traffic: Traffic,
    policy: Policy,
    rules: Rules,
    first: int,
    last: int,
) -> list[LoggedBatch]:
    """All attempts of some payments, one wave after the other."""
    waves = []
    batch = arrivals(world, offers, traffic, first, last)
    attempt = 1
    while batch.n:
        logged = decide(batch, policy, rules=rules, salt=f"simulate:{traffic.seed}").logged()
        nothing = nothing_to_decide(logged)
        if nothing.any():
            logged = logged.take(np.flatnonzero(~nothing))
        if not logged.n:
            break
        ending = endings(world, logged, traffic.seed)
        logged = with_outcome(world, logged, ending, traffic.seed)
        waves.append(logged)
        batch = following(offers, logged, ending, attempt, traffic.seed)
        attempt += 1
    return waves


def _before(
    waiting: list[LoggedBatch], time: np.datetime64 | None
) -> tuple[list[LoggedBatch], list[LoggedBatch]]:
    """The rows before a time, in order, and the rest."""
    if not waiting:
        return [], []
    whole = concat(waiting)
    order = np.lexsort((hash_strings(whole.decision_id), whole.decided_at))
    cut = len(order) if time is None else np.searchsorted(whole.decided_at[order], time)
    done, rest = whole.take(order[:cut]), whole.take(order[cut:])
    return ([done] if done.n else []), ([rest] if rest.n else [])
