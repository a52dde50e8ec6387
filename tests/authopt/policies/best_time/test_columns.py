from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Column, LoggedBatch
from authopt.policies.best_time.columns import attempt_columns, decision_columns
from tests.authopt.learning.timed_log import timed_log


@pytest.fixture(scope="module")
def batch() -> LoggedBatch:
    return timed_log(50, seed=4)


def with_context(batch: LoggedBatch, **columns: Column) -> LoggedBatch:
    return replace(batch, context={**batch.context, **columns})


def test_references_are_no_features(batch: LoggedBatch) -> None:
    columns = decision_columns(with_context(batch, card_ref=pa.array(["c"] * batch.n)))
    assert set(columns) == {*batch.context, "attempt"}


def test_an_attempt_has_its_route_its_delay_and_its_time(batch: LoggedBatch) -> None:
    columns = attempt_columns(batch)
    assert {"route", "delay_s", "same_route_as_previous", "attempt_hour"} <= set(columns)
    assert all(len(column) == batch.m for column in columns.values())


def test_chosen_actions_have_the_values_that_they_have_among_all(batch: LoggedBatch) -> None:
    every = attempt_columns(batch)
    some = attempt_columns(batch, batch.chosen_action)
    for name in ("delay_s", "attempt_hour", "attempt_since_first_s"):
        expected = np.asarray(every[name])[batch.chosen_action]
        assert np.array_equal(np.asarray(some[name]), expected, equal_nan=True)


def test_the_hour_is_the_cardholders(batch: LoggedBatch) -> None:
    hour = batch.decided_at.astype("M8[h]").astype(np.int64) % 24
    utc = np.asarray(attempt_columns(batch)["attempt_hour"])
    assert np.array_equal(utc[:: batch.counts[0]], hour)
    local = with_context(batch, local_hour=((hour + 2) % 24).astype(np.float64))
    there = np.asarray(attempt_columns(local)["attempt_hour"])
    assert np.array_equal(there[~batch.is_stop], (utc[~batch.is_stop] + 2) % 24)


def test_without_a_clock_there_it_is_that_of_utc(batch: LoggedBatch) -> None:
    monday = replace(batch, decided_at=np.full(batch.n, np.datetime64("2026-02-02T23:30", "us")))
    columns = attempt_columns(monday)
    of_first = [
        np.asarray(columns[name])[:2].tolist()
        for name in ("attempt_hour", "attempt_day", "attempt_date")
    ]
    assert of_first == [[23, 5], [1, 2], [2, 3]]
