"""Folds and samples are made of whole payments, by hash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import LoggedBatch
from authopt.features.folds import fold_of, sample_payments
from tests.factories import logged_batch

LOG = logged_batch(n=600, attempts_per_payment=3)


def chunks(batch: LoggedBatch, size: int) -> list[LoggedBatch]:
    return [batch.take(slice(start, start + size)) for start in range(0, batch.n, size)]


def test_all_attempts_of_a_payment_share_a_fold() -> None:
    fold = fold_of(LOG.payment_id, 5).reshape(-1, 3)
    assert (fold == fold[:, :1]).all()
    assert set(fold[:, 0].tolist()) == set(range(5))


def test_another_seed_deals_the_payments_anew() -> None:
    same = fold_of(LOG.payment_id, 5, seed=1) == fold_of(LOG.payment_id, 5, seed=2)
    assert 0.1 < same.mean() < 0.3


@given(size=st.integers(1, 700), max_rows=st.integers(1, 700), shuffle=st.integers(0, 9))
@settings(deadline=None)  # chunks of one row take their time on a busy machine
def test_a_sample_does_not_depend_on_chunks_or_order(
    size: int, max_rows: int, shuffle: int
) -> None:
    whole = sample_payments([LOG], max_rows)
    mixed = LOG.take(np.random.default_rng(shuffle).permutation(LOG.n))
    pieces = sample_payments(chunks(mixed, size), max_rows)
    assert whole is not None
    assert pieces is not None
    assert whole.batch.decision_id.equals(pieces.batch.decision_id)
    assert pieces.decisions == LOG.n


@given(max_rows=st.integers(3, 700))
@settings(deadline=None)
def test_a_sample_has_whole_payments_and_is_as_large_as_allowed(max_rows: int) -> None:
    sample = sample_payments(chunks(LOG, 50), max_rows)
    assert sample is not None
    _, attempts = np.unique(sample.batch.payment_id.to_numpy(False), return_counts=True)
    assert (attempts == 3).all()
    assert max_rows - 3 < sample.batch.n <= max_rows or sample.is_whole


def test_a_payment_larger_than_the_limit_is_taken_whole() -> None:
    sample = sample_payments([LOG], 1)
    assert sample is not None
    assert sample.batch.n == 3


@pytest.mark.parametrize("batches", [[], [LOG.take(slice(0, 0))]])
def test_an_empty_log_has_no_sample(batches: list[LoggedBatch]) -> None:
    assert sample_payments(batches, 10) is None
