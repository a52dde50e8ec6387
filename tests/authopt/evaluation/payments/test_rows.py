"""Rows come together by payment, in whatever order and pieces they come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import LoggedBatch, concat
from authopt.errors import UserError
from authopt.evaluation.payments.paths import paths_of
from authopt.evaluation.payments.result import PaymentResult
from authopt.evaluation.payments.rows import ORDER_BY, PARTITIONS, ROW, PaymentSums
from authopt.evaluation.payments.summary import payment_result
from authopt.spilled_rows import SpilledRows
from simulator.tiny_episodes import (
    by_state,
)
from tests.authopt.evaluation.payments.tiny_payments import (
    FAST,
    GOES_ON,
    POLICY,
    WRONG,
    added,
    block_of,
    every_payment,
)


def the_same(one: PaymentResult, other: PaymentResult) -> None:
    for left, right in zip(one.measures, other.measures, strict=True):
        for mine, theirs in zip(
            (*left.estimates, *left.gains), (*right.estimates, *right.gains), strict=True
        ):
            assert mine.value == pytest.approx(theirs.value, abs=1e-12)
            for a, b in zip(mine.intervals, theirs.intervals, strict=True):
                assert (a.lower, a.upper) == pytest.approx((b.lower, b.upper), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(40)), st.integers(1, 39), st.integers(1, 200))
def test_neither_order_nor_chunks_nor_spilling_nor_merging_matter(
    order: list[int], cut: int, in_memory: int
) -> None:
    whole = every_payment().take(np.arange(40))
    shuffled = whole.take(np.array(order))
    model = lambda batch: by_state(batch, WRONG)  # noqa: E731

    def part(batches: list[LoggedBatch]) -> PaymentSums:
        sums = PaymentSums(
            SpilledRows(ROW, in_memory, ORDER_BY, PARTITIONS), state_columns=("x_state",)
        )
        return added(batches, lambda batch: by_state(batch, POLICY), model, sums=sums)

    parts = [part([shuffled.take(slice(0, cut))]), part([shuffled.take(slice(cut, 40))])]
    merged = PaymentSums.from_state(parts[1].state()) + parts[0]
    reference = added([whole], lambda batch: by_state(batch, POLICY), model)
    the_same(payment_result(reference, FAST), payment_result(merged, FAST))


@pytest.mark.parametrize("in_memory", [10, 10_000])
@pytest.mark.parametrize("at_a_time", [1, 7])
def test_no_payment_is_taken_apart(in_memory: int, at_a_time: int) -> None:
    log = every_payment()
    rows = SpilledRows(ROW, in_memory, ORDER_BY, 4)
    sums = added([log], lambda batch: by_state(batch, POLICY), sums=PaymentSums(rows))
    paths = list(paths_of(sums.rows, at_a_time))
    assert len(paths) > 100
    assert sum(each.payments for each in paths) == len(set(log.payment_id.to_pylist()))
    assert sum(len(each.rows) for each in paths) == log.n
    assert all((each.rows["attempt"][each.start] == 1).all() for each in paths)


def test_plain_arrays_have_no_payments() -> None:
    log = every_payment()
    block = replace(block_of(log), batch=None, payment=None)
    with pytest.raises(UserError, match="payment_id"):
        PaymentSums().add(block, block.own)


def test_missing_attempts_are_reported() -> None:
    log = every_payment()
    later = log.payment_id.take(np.flatnonzero(log.attempt == 2))
    drop = np.isin(log.payment_id.to_numpy(False), later[:5].to_numpy(False))
    log = log.take(np.flatnonzero(~(drop & (log.attempt == 1))))
    result = payment_result(added([log], lambda batch: by_state(batch, POLICY)), FAST)
    assert result.incomplete == 5
    assert any("numbered" in remark.text for remark in result.remarks)


def test_a_very_long_payment_neither_overflows_nor_needs_columns_without_end() -> None:
    one = every_payment().take(np.zeros(1, np.int64))
    n = 3_000
    log = concat([one.take(np.zeros(n, np.int64)), every_payment()])
    log = replace(log, attempt=np.concatenate([np.arange(1, n + 1), log.attempt[n:]]).astype("i4"))
    log = replace(log, reward=np.where(np.arange(log.n) < n, 0.0, log.reward))
    result = payment_result(added([log], lambda batch: by_state(batch, GOES_ON)), FAST)
    assert result.longest >= n
    assert all(np.isfinite(each.value or 0.0) for each in result.value.estimates)
    assert any("share a step" in remark.text for remark in result.remarks)
