"""Logs of any length on disk, written row group by row group: seeded, nothing learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from authopt.batch import LoggedBatch
from authopt.logs.files import write_log
from authopt.logs.parquet_files import ROW_GROUP_ROWS

ROUTES = tuple(f"psp{number}" for number in range(6))
SPECS = ("uniform", f"priority:routes={','.join(ROUTES)}")
"""Two policies that look at nothing but the eligible actions."""

# No digits: an id with thirteen of them could pass for a card number.
_LETTERS = np.frombuffer(b"abcdefghijkmnpqr", np.uint8)
_SECOND = np.timedelta64(1, "s")


def write_long_log(path: Path, n: int) -> None:
    """Write n decisions with 3 to 5 eligible actions and exact propensities.

    It has the required columns, the propensities and the outcome. Every row group has the same
    random choices, with ids of its own: 20 letters, as random as those of a real log. Every third
    decision is a retry of the one before.
    """
    write_log(path, _groups(n))


def _groups(n: int) -> Iterator[LoggedBatch]:
    first = _group(np.random.default_rng(0))
    for number, start in enumerate(range(0, n, first.n)):
        rng = np.random.default_rng(1 + number)
        payment = rng.integers(0, 2**63, first.n, dtype=np.uint64)
        payment[first.attempt == 2] = payment[:-1][first.attempt[1:] == 2]
        group = replace(
            first,
            decision_id=_ids("dec_", rng.integers(0, 2**63, first.n, dtype=np.uint64)),
            payment_id=_ids("pay_", payment),
            decided_at=first.decided_at + start * _SECOND,
        )
        yield group.take(slice(0, n - start))


def _group(rng: np.random.Generator) -> LoggedBatch:
    n = ROW_GROUP_ROWS
    counts = rng.integers(3, 6, n)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    m = int(offsets[-1])
    of_action = np.repeat(np.arange(n), counts)
    # Neighbours on a ring of routes, from a random one on.
    route = np.arange(m) - offsets[of_action] + rng.integers(0, len(ROUTES), n)[of_action]
    route %= len(ROUTES)
    score = rng.gamma(2.0, size=m)
    probability = 0.1 / counts[of_action]
    probability += 0.9 * score / np.bincount(of_action, score)[of_action]
    below = np.cumsum(probability) - of_action < rng.random(n)[of_action]
    chosen = np.minimum(np.bincount(of_action, below).astype(np.int64), counts - 1)
    taken = offsets[:-1] + chosen
    approved = (rng.random(n) < 0.7 + 0.04 * route[taken]).astype(np.float64)
    return LoggedBatch(
        decision_id=pa.nulls(n, pa.string()),
        payment_id=pa.nulls(n, pa.string()),
        attempt=np.where(np.arange(n) % 3 == 1, 2, 1).astype(np.int32),
        decided_at=np.datetime64("2026-01-01T00:00:00", "us") + np.arange(n) * _SECOND,
        routes=ROUTES,
        action_route=route.astype(np.int32),
        action_delay_s=np.zeros(m, np.int64),
        offsets=offsets,
        chosen=chosen,
        propensity=probability[taken],
        probability=probability,
        reward=approved,
        outcome={"approved": approved},
    )


def _ids(prefix: str, numbers: np.ndarray) -> pa.StringArray:
    nibbles = (numbers[:, None] >> np.arange(0, 64, 4, dtype=np.uint64)) & np.uint64(15)
    start = np.frombuffer(prefix.encode(), np.uint8)
    text = np.hstack([np.tile(start, (len(numbers), 1)), _LETTERS[nibbles.astype(np.intp)]])
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(text.shape[1])
    buffers = pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text))
    return pa.StringArray.from_buffers(len(numbers), *buffers)
