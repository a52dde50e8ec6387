"""A model on its way to being live: where its judgement begins, and what it counts on the way."""

from __future__ import annotations

import msgspec

from authopt.batch import LoggedBatch
from service.learning.cursor import Against, Candidate, Cursor, Since
from service.models.live_policy import Promoted


def begun(
    cursor: Cursor, made: Promoted, learned: int, live: Promoted | None, look_at: int
) -> Candidate:
    """A model whose judgement begins where the learner stands.

    Parameters
    ----------
    cursor
        how far the learner has read.
    made, learned
        the model, and how many decisions it has learned from.
    live
        what is live; None: what the service was started with.
    look_at
        number of fresh decisions at which it is looked at first.
    """
    assert made.sha256 is not None
    since = Since(cursor.decisions, cursor.outcomes, cursor.activations, cursor.waiting)
    return Candidate(made.sha256, made.spec, learned, against(live), since, max(look_at, 1))


def against(live: Promoted | None) -> Against | None:
    """What is live, as a candidate's judgement remembers it."""
    return None if live is None else Against(live.spec, live.sha256)


def made_of(candidate: Candidate) -> Promoted:
    """The model itself."""
    return Promoted(candidate.spec, candidate.sha256)


def with_fresh(candidate: Candidate, batch: LoggedBatch) -> Candidate:
    """The candidate with further decisions that were done with."""
    return msgspec.structs.replace(
        candidate,
        fresh=candidate.fresh + batch.n,
        columns=sorted({*candidate.columns, *batch.context}),
        is_whole=candidate.is_whole and batch.probability is not None,
    )
