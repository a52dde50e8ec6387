"""The ids under which a replay asks for decisions: the log's, with the name of the run before."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import DecisionBatch

Batch = TypeVar("Batch", bound=DecisionBatch)


def asked_as(run: str, batch: Batch) -> Batch:
    """The same decisions under the ids of a run.

    A decision is drawn by its id. So the same run gets the same answers again, in process and from
    a service alike, and another run gets other, independent ones.
    """
    return replace(
        batch,
        decision_id=_all_named(run, batch.decision_id),
        payment_id=_all_named(run, batch.payment_id),
    )


def named(run: str, log_id: str) -> str:
    """One id of the log, as a run asks for it."""
    return f"{run}-{log_id}"


def _all_named(run: str, ids: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise(pa.scalar(named(run, "")), ids, "")
