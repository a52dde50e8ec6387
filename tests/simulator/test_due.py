"""Rows wait for their slot, and come out of the queue once, in it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import DecisionBatch, IntArray
from simulator.due import SLOTS_PER_PAGE, DueQueue


def rows(slots: list[int], first: int = 0) -> DecisionBatch:
    n = len(slots)
    return DecisionBatch(
        decision_id=pa.array([f"d{first + row}" for row in range(n)], pa.string()),
        payment_id=pa.array([f"p{first + row}" for row in range(n)], pa.string()),
        attempt=np.array(slots, np.int32) + 1,
        decided_at=np.zeros(n, "M8[us]"),
        routes=("a",),
        action_route=np.zeros(n, np.int32),
        action_delay_s=np.zeros(n, np.int64),
        offsets=np.arange(n + 1, dtype=np.int64),
    )


def slots_of(batch: DecisionBatch) -> IntArray:
    return batch.attempt.astype(np.int64) - 1


SLOT = st.integers(0, 5 * SLOTS_PER_PAGE)


@given(
    batches=st.lists(st.lists(SLOT, min_size=1, max_size=8), min_size=1, max_size=6),
    clock=st.lists(SLOT, max_size=12),
)
def test_every_row_comes_out_once_when_its_slot_is_taken(
    batches: list[list[int]], clock: list[int]
) -> None:
    queue = DueQueue[DecisionBatch](slots_of)
    waiting: Counter[int] = Counter()
    added = 0
    for now in [*sorted(clock), 6 * SLOTS_PER_PAGE]:
        if batches:
            slots = batches.pop()
            queue.add(rows(slots, added))
            added += len(slots)
            waiting.update(slots)
        assert queue.next_slot == min(waiting, default=None)
        taken = [int(slot) for batch in queue.take(now) for slot in slots_of(batch)]
        assert taken == sorted(taken)
        assert Counter(taken) == Counter({s: n for s, n in waiting.items() if s <= now})
        waiting = Counter({s: n for s, n in waiting.items() if s > now})


def test_rows_of_a_slot_come_out_in_the_order_in_which_they_came() -> None:
    queue = DueQueue[DecisionBatch](slots_of)
    queue.add(rows([700, 3, 700]))
    queue.add(rows([700], first=3))
    assert queue.next_slot == 3
    queue.take(3)
    names = [name for batch in queue.take(700) for name in batch.payment_id.to_pylist()]
    assert names == ["p0", "p2", "p3"]


def test_a_row_that_is_late_comes_out_with_the_next() -> None:
    queue = DueQueue[DecisionBatch](slots_of)
    queue.add(rows([5]))
    queue.take(9)
    queue.add(rows([4, 20], first=1))
    assert queue.next_slot == 4
    assert [batch.payment_id.to_pylist() for batch in queue.take(10)] == [["p1"]]


def test_an_empty_batch_does_not_wait() -> None:
    queue = DueQueue[DecisionBatch](slots_of)
    queue.add(rows([]))
    assert queue.next_slot is None
    assert queue.take(100) == []
