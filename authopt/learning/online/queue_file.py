"""The file of a queue of outcomes: the waiting decisions as Arrow rows, the rest beside them.

The rows are those of an attempt log, in Arrow's stream format; what is no row is JSON in its
metadata. One file, so that one part cannot be newer than the other.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.logs.arrow import from_arrow, to_arrow
from authopt.whole_file import write_whole

_STATE = b"authopt.outcome-queue"
_REWARD = "waiting_reward"


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """An outcome whose decision has not come, or not left; ``came_us`` since 1970."""

    reward: float
    came_us: int


class Left(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A decision that has left: when its attempt was due, and whether its outcome was known."""

    due_us: int
    known: bool


class QueueState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is no row; as in :class:`authopt.learning.online.OutcomeQueue`."""

    wait_s: float
    missing: Literal["declined", "left-out"]
    remember_s: float
    refused: dict[str, int]
    outcomes: dict[str, Outcome]
    left: dict[str, Left]
    rows: int = 0
    version: Literal[1] = 1


def write_queue(path: Path, state: QueueState, waiting: LoggedBatch | None) -> None:
    """Write the file whole or not at all.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    rows = pa.RecordBatch.from_pydict({_REWARD: pa.array([], pa.float64())})
    if waiting is not None:
        state = msgspec.structs.replace(state, rows=waiting.n)
        rows = to_arrow(waiting)
        rows = rows.append_column(_REWARD, pa.array(waiting.reward))
    schema = rows.schema.with_metadata({_STATE: msgspec.json.encode(state)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(rows.replace_schema_metadata(schema.metadata))
    try:
        write_whole(path, sink.getvalue().to_pybytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def read_queue(path: Path) -> tuple[QueueState, LoggedBatch | None]:
    """Read what :func:`write_queue` wrote.

    Raises
    ------
    UserError
        If the file is missing or holds something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        with pa.ipc.open_stream(data) as reader:
            metadata = reader.schema.metadata or {}
            rows = reader.read_next_batch()
        state = msgspec.json.decode(metadata[_STATE], type=QueueState)
    except (pa.ArrowInvalid, KeyError, StopIteration, msgspec.DecodeError) as error:
        raise UserError(
            f"{path}: not a queue of outcomes, or a damaged one: {error}. Start with an empty one "
            "and give it the decisions again"
        ) from None
    if not state.rows:
        return state, None
    reward = np.array(rows.column(_REWARD), np.float64)
    columns = [name for name in rows.schema.names if name != _REWARD]
    return state, replace(from_arrow(rows.select(columns)), reward=reward)
