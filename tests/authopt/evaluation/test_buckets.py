from __future__ import annotations

import itertools
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.evaluation.buckets import (
    BUCKETS,
    BucketTable,
    bucket_of,
    cluster_hashes,
    integer_hashes,
)
from authopt.evaluation.summary import Judged, Settings, summarise
from authopt.evaluation.sums import LogSums, PolicySums
from authopt.evaluation.terms import LoggedArrays, logging_terms, terms_of
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


def _sums(rows: slice, arrays: dict[str, np.ndarray]) -> tuple[LogSums, PolicySums, PolicySums]:
    k = arrays["logging"].shape[1]
    part = {name: array[rows] for name, array in arrays.items()}
    n = len(part["chosen"])
    log = LoggedArrays(
        offsets=np.arange(n + 1) * k,
        chosen=part["chosen"],
        reward=part["reward"],
        propensity=part["logging"][np.arange(n), part["chosen"]],
        probability=part["logging"].ravel(),
        q=part["q"].ravel(),
    )
    hashes = integer_hashes(part["cluster"])
    facts, own, new = LogSums(), PolicySums.empty(True), PolicySums.empty(True)
    facts.add(hashes, log)
    facts.add_times(part["time"], log.reward)
    own.add(bucket_of(hashes), logging_terms(log))
    new.add(bucket_of(hashes), terms_of(log, part["evaluation"].ravel()))
    return facts, own, new


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_parts_of_a_log_merged_in_any_order_give_the_same_evaluation(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    logging = rng.dirichlet(np.ones(3), n)
    logging[:, 0] += 0.05
    logging /= logging.sum(1, keepdims=True)
    arrays = {
        "logging": logging,
        "evaluation": rng.dirichlet(np.ones(3), n),
        "q": rng.random((n, 3)),
        "chosen": rng.integers(0, 3, n),
        "reward": rng.integers(0, 2, n).astype(np.float64),
        "cluster": rng.integers(0, n, n),
        "time": np.datetime64("2026-01-01", "us") + rng.integers(0, 10**12, n).astype("m8[us]"),
    }
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=5)))
    edges = [0, *cuts, n]
    parts = [_sums(slice(a, b), arrays) for a, b in itertools.pairwise(edges)]
    order = data.draw(st.permutations(range(len(parts))))
    merged = [reduce(add, [parts[place][kind] for place in order]) for kind in range(3)]
    whole = _sums(slice(0, n), arrays)

    def answer(sums: tuple[LogSums, PolicySums, PolicySums]) -> dict[str, object]:
        log, own, new = sums
        judged = [Judged("logged", "logged", own, is_logging_policy=True), Judged("p", "p", new)]
        return summarise(log, judged, Settings(bootstrap=50)).as_json()

    _assert_same(answer(tuple(merged)), answer(whole))  # type: ignore[arg-type]


def _assert_same(one: object, other: object) -> None:
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key, value in one.items():
            _assert_same(value, other[key])
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        for left, right in zip(one, other, strict=True):
            _assert_same(left, right)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9)
    else:
        assert one == other
