from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.evaluation.buckets import (
    BUCKETS,
    BucketTable,
    bucket_of,
    cluster_hashes,
)
from tests.factories import logged_batch


def test_sums_are_those_of_the_rows_of_each_bucket() -> None:
    table = BucketTable.of(np.array([3, 0, 3]), {"x": np.array([1.0, 2.0, 4.0]), "none": None})
    assert table["x"][[0, 1, 3]].tolist() == [2.0, 0.0, 5.0]
    assert table.total("none") == 0.0


def test_tables_of_different_columns_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        BucketTable.empty(["x"]) + BucketTable.empty(["y"])


def test_a_saved_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    table = BucketTable.of(np.array([3, 0, 3]), {"x": np.array([1.0, 2.0, 4.0]), "w*x": None})
    table.save(tmp_path / "sums.npz")
    loaded = BucketTable.load(tmp_path / "sums.npz")
    assert loaded.columns == table.columns
    assert np.array_equal(loaded.sums, table.sums)


def test_a_file_that_is_no_table_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "sums.npz").write_bytes(b"not a table")
    with pytest.raises(UserError, match=r"sums\.npz"):
        BucketTable.load(tmp_path / "sums.npz")


def test_rows_of_a_payment_share_a_bucket_and_buckets_are_even() -> None:
    batch = logged_batch(40_000, attempts_per_payment=2)
    bucket = bucket_of(cluster_hashes(batch, "payment_id"))
    assert np.array_equal(bucket[::2], bucket[1::2])
    counts = np.bincount(bucket[::2], minlength=BUCKETS)
    # 20,000 payments in 1,024 buckets: a Poisson count of mean 19.5 in each.
    assert counts.var() == pytest.approx(counts.mean(), rel=0.15)


def test_clusters_can_be_formed_by_another_column() -> None:
    batch = logged_batch(100)
    by_network = cluster_hashes(batch, "network")
    assert len(np.unique(by_network)) == 2


def test_a_decision_without_a_value_is_a_cluster_of_its_own() -> None:
    batch = logged_batch(10)
    context = dict(batch.context)
    context["network"] = Categorical(np.full(10, -1, np.int32), ("visa",))
    context["card_ref"] = pa.array(["a", None] * 5)
    batch = type(batch)(**{**_fields(batch), "context": context})
    assert len(np.unique(cluster_hashes(batch, "network"))) == 10
    assert len(np.unique(cluster_hashes(batch, "card_ref"))) == 6


@pytest.mark.parametrize("column", ["no_such_column", "amount_minor"])
def test_a_column_that_holds_no_names_cannot_form_clusters(column: str) -> None:
    with pytest.raises(UserError, match=column):
        cluster_hashes(logged_batch(10), column)


def _fields(batch: object) -> dict[str, object]:
    return {name: getattr(batch, name) for name in type(batch).__dataclass_fields__}  # type: ignore[attr-defined]
