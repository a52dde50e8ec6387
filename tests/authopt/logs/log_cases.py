"""A log that has every kind of column, and ways to compare what was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, LoggedBatch
from authopt.logs.arrow import to_arrow
from authopt.logs.files import open_log
from authopt.logs.rejects import Rejects
from tests.factories import logged_batch

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".dsjson", ".dsjson.gz", ".json")


def full_batch(n: int = 60) -> LoggedBatch:
    """Every kind of column, with missing values, awkward text and a ragged number of actions."""
    batch = logged_batch(n, with_stop=True)
    third = np.arange(n) % 3 == 0
    texts = ['comma, "quote"', "ünï", None, "", "line\nbreak", "[x]"]
    return replace(
        batch,
        context={
            **batch.context,
            "card_ref": pa.array([None if gone else f"c{i}" for i, gone in enumerate(third)]),
            "token": np.where(third, np.nan, np.arange(n) % 2),
            "x_score": np.where(third, np.nan, np.arange(n) / 7),
            "x_note": Categorical.from_values([texts[i % len(texts)] for i in range(n)]),
        },
        action_features={
            "rate": np.where(np.arange(batch.m) % 5 == 0, np.nan, np.arange(batch.m) / 3),
            "kind": Categorical.from_values(["a,b", None] * (batch.m // 2)),
        },
        outcome={
            **batch.outcome,
            "outcome_at": np.where(third, np.datetime64("NaT"), batch.decided_at),
            "fee_minor": np.where(third, np.nan, np.arange(n)),
        },
    )


def values(records: Iterable[pa.RecordBatch]) -> dict[str, list[object]]:
    """Everything that records say, independent of how they are cut into batches."""
    return pa.Table.from_batches(list(records)).to_pydict()


def with_column(records: pa.RecordBatch, name: str, array: pa.Array) -> pa.RecordBatch:
    """The same records with another array under a name, in its place or at the end."""
    index = records.schema.get_field_index(name)
    if index < 0:
        return records.append_column(name, array)
    return records.set_column(index, name, array)


def read_leniently(path: Path) -> tuple[list[str], Rejects]:
    """Ids of the sound rows, and the rejections."""
    rejects = Rejects()
    records = open_log(path).records(rejects=rejects)
    return [text for batch in records for text in batch["decision_id"].to_pylist()], rejects


RECORDS = to_arrow(full_batch())
