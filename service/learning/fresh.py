"""The decisions that a candidate is judged on: those done with since, whose outcomes it never saw.

They are read from the store again, in the way of the learner, up to where it stands. Each is there
once, be its outcome quick or slow: as long as the world is steady over the wait time, what becomes
known in some time has the mix of what is decided in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import msgspec
import numpy as np
from sqlalchemy import Engine

from authopt.batch import Categorical, LoggedBatch
from authopt.rewards import Reward
from service.learning.cursor import Candidate, Counts, Cursor
from service.learning.reading import read_on
from service.store.reading_on import Ends


def fresh_batches(
    engine: Engine,
    tenant: str,
    cursor: Cursor,
    candidate: Candidate,
    columns: Collection[str],
    reward: Reward,
    now_us: int,
    limit: int,
    between: Callable[[], None],
) -> Iterator[LoggedBatch]:
    """The fresh decisions of a candidate, each once.

    Parameters
    ----------
    engine, tenant
        of the store, and whose decisions.
    cursor
        how far the learner has read.
    candidate
        of it.
    columns
        of the context that every batch is to have, missing where its requests had none.
    reward, now_us, limit
        as of :func:`service.learning.reading.read_on`.
    between
        is called after every batch.
    """
    since = candidate.since
    ends = Ends(cursor.decisions, cursor.outcomes, cursor.activations)
    place = msgspec.structs.replace(
        cursor,
        decisions=since.decisions,
        outcomes=since.outcomes,
        activations=since.activations,
        waiting=since.waiting,
        counts=Counts(),
        candidate=None,
    )
    while True:
        with engine.connect() as connection:
            ripe = read_on(connection, tenant, place, ends, reward, now_us, limit)
        place = ripe.cursor
        if ripe.batch is not None:
            yield _alike(ripe.batch, columns, candidate.is_whole)
        if Ends(place.decisions, place.outcomes, place.activations) == ends:
            return
        between()


def _alike(batch: LoggedBatch, columns: Collection[str], is_whole: bool) -> LoggedBatch:
    missing = Categorical(np.full(batch.n, -1, np.int32), ())
    lacking = {name: missing for name in columns if name not in batch.context}
    return replace(
        batch,
        context={**batch.context, **lacking},
        probability=batch.probability if is_whole else None,
    )
