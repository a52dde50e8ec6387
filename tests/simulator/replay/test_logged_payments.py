"""A log by payment, whatever the order of its rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.replay.logged_payments import in_payments
from tests.simulator.replay.small_logs import log


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_file_does_not_matter(seed: int) -> None:
    batch = log().batch
    shuffled = batch.take(np.random.default_rng(seed).permutation(batch.n))
    again = in_payments(shuffled)
    assert again.batch.decision_id.equals(batch.decision_id)
    assert np.array_equal(again.start, log().start)


def test_payments_come_by_their_first_decision_and_keep_together() -> None:
    batch, start = log().batch, log().start
    assert (np.diff(batch.decided_at[start[:-1]].astype(np.int64)) >= 0).all()
    payment = batch.payment_id.to_pylist()
    assert len(set(payment)) == log().payments
    for first, last in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
        assert len(set(payment[first:last])) == 1
        assert batch.attempt[first:last].tolist() == list(range(1, last - first + 1))


def test_the_next_row_is_of_the_same_payment_or_there_is_none() -> None:
    rows = np.arange(-1, log().batch.n)
    following = log().next_row(rows)
    assert following[0] == -1
    known = following >= 0
    assert (log().payment[following[known]] == log().payment[rows[known]]).all()
    assert (~known[1:]).sum() == log().payments
