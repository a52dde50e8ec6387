"""Run a policy as it runs live: slot by slot of time, learning from what is known by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from authopt.batch import (
    Column,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
    TimeArray,
    concat,
)
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.rules import DEFAULT_RULES, Rules
from simulator.due import DueQueue
from simulator.protocol import World
from simulator.simulate import CHUNK_PAYMENTS, attempted, in_order
from simulator.traffic import Traffic

SLOT_S = 60


def simulate_live(
    world: World,
    traffic: Traffic,
    policy: Policy,
    *,
    rules: Rules = DEFAULT_RULES,
    slot_s: float = SLOT_S,
    update: bool = True,
    chunk_payments: int = CHUNK_PAYMENTS,
) -> Iterator[LoggedBatch]:
    """The log of a policy that learns while it acts, one batch per slot of time.

    All decision points of a slot are decided together, with the policy as it is at the slot's
    start: by then a ``LearningPolicy`` has learnt from every decision whose outcome was known
    (``outcome_at`` at or before that start), each once. Those that became known since it last
    learnt come in one batch, in the order of ``decided_at``. Refunds and chargebacks that come
    later than that are missing in what it learns from, as they are at the time; it does not learn
    of them again. A payment may have several attempts in one slot.

    Ids and luck are those of ``simulator.simulate.simulate``: a policy that does not learn makes
    the same rows, in the same order.

    Parameters
    ----------
    world
        who takes part.
    traffic
        how many payments, when, and the seed of all that is drawn.
    policy
        decides; it learns where it can.
    rules
        what it may do.
    slot_s
        length of a slot in seconds, counted from ``traffic.start``. Slots in which nothing is due
        cost nothing; a short slot learns sooner and runs slower.
    update
        whether the policy learns.
    chunk_payments
        payments that are drawn at a time.

    Yields
    ------
    LoggedBatch
        The decisions of a slot by time, slots in order, with outcomes as they stand in the end;
        slots without decisions are passed over.
    """
    if slot_s <= 0:
        raise ValueError(f"a slot lasts {slot_s} s; expected more than 0")
    slots = _Slots(traffic.start, slot_s)
    arrivals = _Arrivals(world, traffic, slots, chunk_payments)
    points = DueQueue[DecisionBatch](lambda batch: slots.holding(batch.decided_at))
    outcomes = DueQueue[LoggedBatch](lambda batch: slots.after(_known_at(batch)))
    learner = policy if update and isinstance(policy, LearningPolicy) else None
    while (slot := _earlier(arrivals.next_slot, points.next_slot)) is not None:
        if learner is not None and (known := outcomes.take(slot)):
            learner.update(_as_known(in_order(concat(known)), slots.starting(slot)))
        due = [*arrivals.take(slot), *points.take(slot)]
        waves = []
        while due:
            logged = attempted(world, concat(due), policy, rules, traffic.seed)
            waves.append(logged)
            points.add(world.following(logged, traffic.seed))
            due = points.take(slot)
        decided = in_order(concat(waves))
        if not decided.n:
            continue
        if learner is not None:
            outcomes.add(decided.take(np.flatnonzero(~np.isnat(_known_at(decided)))))
        yield decided


@dataclass(frozen=True, slots=True)
class _Slots:
    """Time in slots, numbered from the start of the traffic."""

    start: np.datetime64
    length_s: float

    def holding(self, time: TimeArray) -> IntArray:
        """int64[n], the slot that an instant lies in."""
        return np.asarray(np.floor(self._place(time)), np.int64)

    def starting(self, slot: int) -> np.datetime64:
        """When a slot starts."""
        since_us = round(slot * self.length_s * 1e6)
        start: np.datetime64 = self.start.astype("M8[us]")
        return start + np.timedelta64(since_us, "us")

    def after(self, time: TimeArray) -> IntArray:
        """int64[n], the first slot that starts at or after an instant."""
        return np.asarray(np.ceil(self._place(time)), np.int64)

    def _place(self, time: TimeArray) -> FloatArray:
        since_us = (time - self.start.astype("M8[us]")).astype("m8[us]").astype(np.int64)
        return np.asarray(since_us / (self.length_s * 1e6))


class _Arrivals:
    """First decision points, drawn a chunk at a time and handed out by slot."""

    def __init__(self, world: World, traffic: Traffic, slots: _Slots, chunk_payments: int) -> None:
        self._chunks = (
            world.arrivals(traffic, first, min(first + chunk_payments, traffic.payments))
            for first in range(0, traffic.payments, chunk_payments)
        )
        self._slots = slots
        self._batch: DecisionBatch | None = None
        self._slot = np.zeros(0, np.int64)
        self._at = 0
        self._draw()

    @property
    def next_slot(self) -> int | None:
        """The slot of the next payment; None where all have arrived."""
        return None if self._batch is None else int(self._slot[self._at])

    def take(self, slot: int) -> list[DecisionBatch]:
        """Payments that arrive in a slot or before it and were not handed out yet."""
        taken = []
        while self._batch is not None and self._slot[self._at] <= slot:
            end = int(np.searchsorted(self._slot, slot, side="right"))
            taken.append(self._batch.take(slice(self._at, end)))
            self._at = end
            if end == self._batch.n:
                self._draw()
        return taken

    def _draw(self) -> None:
        self._batch = next(self._chunks, None)
        self._at = 0
        if self._batch is not None:
            self._slot = self._slots.holding(self._batch.decided_at)


def _as_known(batch: LoggedBatch, at: np.datetime64) -> LoggedBatch:
    """The decisions with corrections of their outcomes missing where they come after ``at``."""
    if "corrected_at" not in batch.outcome:
        return batch
    corrected_at = np.asarray(batch.outcome["corrected_at"], "M8[us]")
    # NaT compares false: what is never corrected may, for all that is known, still be.
    known = corrected_at <= at
    corrections: dict[str, Column] = {
        "corrected_at": np.where(known, corrected_at, np.datetime64("NaT", "us"))
    }
    for name in ("refunded_minor", "charged_back"):
        if name in batch.outcome:
            corrections[name] = np.where(known, np.asarray(batch.outcome[name]), np.nan)
    return replace(batch, outcome={**batch.outcome, **corrections})


def _known_at(batch: LoggedBatch) -> TimeArray:
    return np.asarray(batch.outcome["outcome_at"], "M8[us]")


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((slot for slot in (one, other) if slot is not None), default=None)
