"""The queue that joins decisions with their outcomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import LoggedBatch, concat
from authopt.errors import UserError
from authopt.learning.online import OutcomeQueue, Refused
from tests.factories import START, logged_batch

LOG = logged_batch(12, seed=4)


def undecided(rows: list[int]) -> LoggedBatch:
    some = LOG.take(np.array(rows, np.int64))
    return replace(some, reward=np.full(len(rows), np.nan), outcome={})


def tell(queue: OutcomeQueue, rows: list[int], now: np.datetime64) -> None:
    some = LOG.take(np.array(rows, np.int64))
    queue.outcomes(some.decision_id, some.reward, now)


def names(batch: LoggedBatch | None) -> list[str]:
    return [] if batch is None else batch.decision_id.to_pylist()


def after(hours: float) -> np.datetime64:
    return START + np.timedelta64(round(hours * 3600), "s")


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["decision", "outcome", "release", "restart"]),
        st.lists(st.integers(0, LOG.n - 1), min_size=1, max_size=5),
    ),
    max_size=30,
)


@given(events=EVENTS, missing=st.sampled_from(["declined", "left-out"]))
@settings(max_examples=25, deadline=None)
def test_each_decision_leaves_at_most_once_whatever_comes_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, list[int]]], missing: str
) -> None:
    queue = OutcomeQueue(3 * 3600.0, missing)  # type: ignore[arg-type]
    out: list[str] = []
    told: set[int] = set()
    decided: set[int] = set()
    for hour, (kind, rows) in enumerate(events):
        now = after(hour / 4)
        if kind == "decision":
            queue.decided(undecided(rows), now)
            decided.update(rows)
        elif kind == "outcome":
            tell(queue, rows, now)
            told.update(rows)
        elif kind == "release":
            out += names(queue.release(now))
        else:
            path = tmp_path_factory.mktemp("queue") / "queue.arrow"
            queue.save(path)
            queue = OutcomeQueue.load(path)
    assert len(out) == len(set(out))
    out += names(queue.release(after(1000)))
    assert len(out) == len(set(out))
    expected = {LOG.decision_id[row].as_py() for row in decided}
    if missing == "declined":
        assert set(out) == expected
    else:
        assert len(out) + queue.refused[Refused.LEFT_OUT] == len(expected)
    assert queue.waiting == 0


def test_what_leaves_has_the_outcome_that_came_and_the_propensity_that_was_logged() -> None:
    queue = OutcomeQueue()
    queue.decided(undecided([5, 2, 8]), after(1))
    tell(queue, [2, 5], after(2))
    left = queue.release(after(2))
    assert left is not None
    expected = LOG.take(np.array([2, 5]))
    assert names(left) == names(expected)
    assert left.reward.tolist() == expected.reward.tolist()
    assert left.propensity.tolist() == expected.propensity.tolist()
    assert queue.waiting == 1


def test_a_decision_without_an_outcome_counts_as_declined_after_the_wait() -> None:
    queue = OutcomeQueue(wait_s=3600.0)
    queue.decided(undecided([0]), after(0))
    assert queue.release(after(0.99)) is None
    left = queue.release(after(1))
    assert left is not None
    assert left.reward.tolist() == [0.0]


def test_the_wait_starts_when_a_delayed_attempt_is_due() -> None:
    one = undecided([0])
    delayed = replace(one, action_delay_s=np.full(one.m, 7200, np.int64))
    queue = OutcomeQueue(wait_s=3600.0)
    queue.decided(delayed, after(0))
    assert queue.release(after(2.9)) is None
    assert names(queue.release(after(3))) == names(one)


def test_by_rule_a_decision_without_an_outcome_is_left_out_and_counted() -> None:
    queue = OutcomeQueue(3600.0, "left-out")
    queue.decided(undecided([0, 1]), after(0))
    tell(queue, [1], after(0.5))
    assert names(queue.release(after(3))) == names(undecided([1]))
    assert queue.refused == {Refused.LEFT_OUT: 1}


def test_an_outcome_after_its_decision_left_without_one_is_counted_and_changes_nothing() -> None:
    queue = OutcomeQueue(wait_s=3600.0)
    queue.decided(undecided([0]), after(0))
    queue.release(after(2))
    tell(queue, [0], after(3))
    queue.decided(undecided([0]), after(3))
    assert queue.release(after(9)) is None
    assert queue.refused == {Refused.OUTCOME_TOO_LATE: 1, Refused.DECISION_AGAIN: 1}


def test_the_first_of_several_outcomes_counts() -> None:
    queue = OutcomeQueue()
    one = undecided([0])
    queue.outcomes(one.decision_id, np.array([0.25]), after(0))
    queue.outcomes(one.decision_id, np.array([0.75]), after(0))
    queue.decided(one, after(1))
    left = queue.release(after(1))
    assert left is not None
    assert left.reward.tolist() == [0.25]
    queue.outcomes(one.decision_id, np.array([0.75]), after(2))
    assert queue.refused == {Refused.OUTCOME_AGAIN: 2}


def test_what_is_older_than_is_remembered_is_refused_and_forgotten() -> None:
    queue = OutcomeQueue(wait_s=0.0, remember_s=86_400.0)
    queue.decided(undecided([0]), after(0))
    queue.release(after(1))
    tell(queue, [3], after(1))
    queue.release(after(60))
    queue.decided(undecided([0]), after(60))
    assert queue.release(after(60)) is None
    assert queue.refused == {Refused.OUTCOME_TOO_OLD: 1, Refused.DECISION_TOO_OLD: 1}


def test_a_saved_queue_goes_on_as_the_one_that_was_not(tmp_path: Path) -> None:
    queue = OutcomeQueue(wait_s=3600.0)
    queue.decided(LOG.take(slice(0, 6)), after(0))
    queue.decided(undecided([6, 7, 8]), after(0))
    tell(queue, [7, 11], after(0))
    queue.save(tmp_path / "queue.arrow")
    again = OutcomeQueue.load(tmp_path / "queue.arrow")
    for each in (queue, again):
        each.decided(undecided([11]), after(0.5))
    one, other = queue.release(after(0.5)), again.release(after(0.5))
    assert one is not None
    assert other is not None
    assert names(one) == names(other)
    assert one.reward.tolist() == other.reward.tolist()
    assert one.propensity.tolist() == other.propensity.tolist()
    assert one.probability is not None
    assert other.probability is not None
    assert one.probability.tolist() == other.probability.tolist()
    assert names(queue.release(after(9))) == names(again.release(after(9)))


def test_an_empty_queue_can_be_saved(tmp_path: Path) -> None:
    OutcomeQueue().save(tmp_path / "queue.arrow")
    assert OutcomeQueue.load(tmp_path / "queue.arrow").waiting == 0


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "queue.arrow"
    OutcomeQueue().save(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="not a queue of outcomes"):
        OutcomeQueue.load(path)


def test_an_outcome_has_a_finite_reward() -> None:
    with pytest.raises(ValueError, match="finite"):
        OutcomeQueue().outcomes(pa.array(["d"]), np.array([np.nan]), after(0))


def test_decisions_of_several_batches_leave_by_time() -> None:
    queue = OutcomeQueue()
    for rows in ([7, 1], [4], [0]):
        queue.decided(undecided(rows), after(1))
    tell(queue, [0, 1, 4, 7], after(1))
    left = queue.release(after(1))
    assert names(left) == names(concat([LOG.take(np.array([0, 1, 4, 7]))]))


@pytest.mark.parametrize("options", [(-1.0, "declined"), (1.0, "approved"), (1e9, "declined")])
def test_options_out_of_range_are_refused(options: tuple[float, str]) -> None:
    with pytest.raises(UserError, match="expected"):
        OutcomeQueue(*options)  # type: ignore[arg-type]
