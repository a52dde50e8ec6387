from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import LoggedBatch
from authopt.learning.reward_to_go import Retries
from tests.factories import logged_batch

NAN = float("nan")
Row = tuple[str, int, float, bool]
"""Payment, attempt, reward, stopped."""


def log_of(rows: list[Row]) -> LoggedBatch:
    payments, attempts, rewards, stopped = zip(*rows, strict=True)
    return replace(
        logged_batch(len(rows), with_stop=True),
        payment_id=pa.array(payments),
        attempt=np.array(attempts, np.int32),
        reward=np.array(rewards, np.float64),
        chosen=np.where(stopped, 3, 0).astype(np.int64),
    )


def to_go(rows: list[Row], largest: float = 1.0, size: int = 100) -> list[float]:
    log = log_of(rows)
    chunks = [log.take(slice(start, start + size)) for start in range(0, log.n, size)]
    retries = Retries()
    for chunk in chunks:
        retries.add(chunk)
    return np.concatenate([retries.to_go(chunk, largest) for chunk in chunks]).tolist()


def test_an_approval_counts_for_every_earlier_decision_of_its_payment() -> None:
    rows = [("p", 1, 0.0, False), ("q", 1, 0.0, False), ("p", 2, 0.0, False), ("p", 3, 1.0, False)]
    assert to_go(rows) == [1.0, 0.0, 1.0, 1.0]


def test_giving_up_ends_the_payment_and_is_worth_nothing_known_or_not() -> None:
    rows = [("p", 1, 0.0, False), ("p", 2, NAN, True), ("q", 1, 0.5, True), ("q", 2, 1.0, False)]
    assert to_go(rows) == [0.0, 0.0, 0.0, 1.0]


def test_an_outcome_that_is_not_known_makes_the_decisions_before_it_unknown() -> None:
    rows = [("p", 1, 0.0, False), ("p", 2, NAN, False), ("p", 3, 0.0, False)]
    assert to_go(rows) == pytest.approx([NAN, NAN, 0.0], nan_ok=True)


def test_costs_add_up_and_what_is_earned_is_at_most_the_largest_reward() -> None:
    rows = [("p", 1, -3.0, False), ("p", 2, -3.0, False), ("p", 3, 20.0, False)]
    assert to_go(rows, 100.0) == [14.0, 17.0, 20.0]
    assert to_go(rows[:2], 100.0) == [-6.0, -3.0]
    assert to_go([("p", 1, 20.0, False), ("p", 2, 20.0, False)], 25.0) == [25.0, 20.0]


def test_rows_of_the_same_attempt_do_not_count_for_each_other() -> None:
    rows = [("p", 2, 1.0, False), ("p", 2, 0.0, False), ("p", 1, 0.0, False)]
    assert to_go(rows, 9.0) == [1.0, 0.0, 1.0]


rows_ = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, 5),
        st.sampled_from([0.0, 1.0, -0.25, NAN]),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=rows_, size=st.integers(1, 30))
@settings(deadline=None)
def test_it_is_the_sum_over_the_payments_later_attempts_whatever_order_and_chunks(
    rows: list[Row], size: int
) -> None:
    own = [0.0 if stopped else reward for _, _, reward, stopped in rows]
    expected = [
        0.0
        if stopped
        else own[at]
        + sum(
            own[other] for other, row in enumerate(rows) if row[0] == payment and row[1] > attempt
        )
        for at, (payment, attempt, _, stopped) in enumerate(rows)
    ]
    assert to_go(rows, 99.0, size) == pytest.approx(expected, nan_ok=True)
