"""Rows come back together by key, sorted, whether or not they went to disk."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.hashing import salted
from authopt.spilled_rows import PARTITIONS, SpilledRows

DTYPE = np.dtype([("key", "u8"), ("number", "i4")])


def rows(keys: list[int], numbers: list[int]) -> np.ndarray:
    found = np.empty(len(keys), DTYPE)
    found["key"] = salted(np.array(keys, np.uint64), "spill")
    found["number"] = numbers
    return found


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(-3, 3)), max_size=8), max_size=8),
    st.integers(1, 50),
)
def test_every_row_comes_back_next_to_those_of_its_key(
    chunks: list[list[tuple[int, int]]], in_memory: int
) -> None:
    store, other = SpilledRows(DTYPE, in_memory), SpilledRows(DTYPE, 3)
    everything = []
    for at, chunk in enumerate(chunks):
        part = rows([key for key, _ in chunk], [number for _, number in chunk])
        (other if at % 3 == 2 else store).add(part)
        everything.append(part)
    store.extend(other)
    expected = np.sort(np.concatenate([*everything, np.empty(0, DTYPE)]), order=["key", "number"])
    assert len(store) == len(expected)
    back = np.concatenate(list(store.parts()))
    assert np.array_equal(np.sort(back, order=["key", "number"]), expected)
    seen: set[int] = set()
    for part in store.parts():
        assert np.array_equal(part, np.sort(part, order=["key", "number"]))
        keys = set(part["key"].tolist())
        assert not keys & seen
        seen |= keys


def test_memory_is_bounded_by_what_may_stay_and_one_partition() -> None:
    store = SpilledRows(DTYPE, in_memory=50_000)
    count, size = 2_000_000, 20_000
    tracemalloc.start()
    for start in range(0, count, size):
        part = np.zeros(size, DTYPE)
        part["key"] = salted(np.arange(start, start + size).astype(np.uint64), "spill")
        store.add(part)
    read = sum(len(part) for part in store.parts())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert store.spilled
    assert read == count
    # All rows are 24 MB.
    assert peak < 6_000_000


def test_the_temporary_file_goes_with_the_store(recwarn: pytest.WarningsRecorder) -> None:
    store = SpilledRows(DTYPE, in_memory=1)
    store.add(rows([1, 2], [3, 4]))
    file = store._file
    assert file is not None
    assert not file.closed
    del store
    gc.collect()
    assert file.closed
    assert not recwarn.list


def test_partitions_share_the_rows_evenly() -> None:
    store = SpilledRows(DTYPE, in_memory=10_000)
    store.add(rows(list(range(64_000)), [0] * 64_000))
    sizes = [len(part) for part in store.parts()]
    assert len(sizes) == PARTITIONS
    assert max(sizes) < 1.2 * 1_000


@pytest.mark.parametrize("in_memory", [1, 10_000])
def test_everything_is_there_in_one_array(in_memory: int) -> None:
    store = SpilledRows(DTYPE, in_memory)
    parts = [rows([1, 2, 3], [7, 8, 9]), rows([1], [6])]
    for part in parts:
        store.add(part)
    everything = store.everything()
    assert isinstance(everything, np.memmap) == store.spilled
    assert np.array_equal(np.sort(everything), np.sort(np.concatenate(parts)))


def test_rows_can_be_sorted_by_their_first_fields_alone() -> None:
    store = SpilledRows(DTYPE, order_by=1)
    store.add(rows([1, 1, 1], [3, 1, 2]))
    (part,) = store.parts()
    assert part["number"].tolist() == [3, 1, 2]


@pytest.mark.parametrize("partitions", [2, 256])
def test_the_number_of_partitions_can_be_chosen(partitions: int) -> None:
    store = SpilledRows(DTYPE, 1, partitions=partitions)
    store.add(rows(list(range(4_000)), [0] * 4_000))
    sizes = [len(part) for part in store.parts()]
    assert len(sizes) == partitions
    assert sum(sizes) == 4_000
    assert min(sizes) > 0
