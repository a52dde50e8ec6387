"""Which decisions are learned, when, and as what."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from authopt.rewards import DEFAULT_REWARD
from service.learning.cursor import Counts, Cursor, Task, Waiting
from service.learning.reading import Ripe, read_on
from service.store.reading_on import Ends
from service.store.settled import settled
from service.store.store import Store
from service.store.tables import activations, decisions, outcomes
from tests.service.learning.recorded import HOUR_US, START_US, activation, decision, outcome

WAIT_S = 24 * 3600
LATER = timedelta(hours=30)
SOON_US, LATE_US = START_US + HOUR_US, START_US + 48 * HOUR_US


def fresh(missing: str = "declined") -> Cursor:
    return Cursor(Task("online", "approved", WAIT_S, missing), "online:{}/learner.json")


def read(store: Store, cursor: Cursor, now_us: int = SOON_US, ends: Ends | None = None) -> Ripe:
    ends = ends or Ends(
        *(settled(store.engine, table) for table in (decisions, outcomes, activations))
    )
    with store.engine.connect() as connection:
        return read_on(connection, "default", cursor, ends, DEFAULT_REWARD, now_us, 1000)


def rewards(ripe: Ripe) -> dict[str, float]:
    if ripe.batch is None:
        return {}
    ids = ripe.batch.decision_id.to_pylist()
    return dict(zip(ids, ripe.batch.reward.tolist(), strict=True))


def test_a_decision_is_ripe_as_soon_as_its_reward_is_known(store: Store) -> None:
    store.keep([decision(1), decision(2), outcome(1, approved=True)])
    ripe = read(store, fresh())
    assert rewards(ripe) == {"d1": 1.0}
    assert [each.number for each in ripe.cursor.waiting] == [2]
    store.keep([outcome(2, approved=False)])
    again = read(store, ripe.cursor)
    assert rewards(again) == {"d2": 0.0}
    assert again.cursor.waiting == []
    assert read(store, again.cursor).batch is None


def test_an_outcome_may_be_read_before_its_decision(store: Store) -> None:
    store.keep([outcome(1, approved=True)])
    ripe = read(store, fresh())
    assert ripe.batch is None
    store.keep([decision(1)])
    assert rewards(read(store, ripe.cursor)) == {"d1": 1.0}


def test_what_tells_no_reward_is_waited_on(store: Store) -> None:
    store.keep([decision(1), outcome(1, latency_ms=300.0)])
    ripe = read(store, fresh())
    assert ripe.batch is None
    store.keep([outcome(1, approved=True)])
    ripe = read(store, ripe.cursor)
    assert rewards(ripe) == {"d1": 1.0}
    assert ripe.batch is not None
    assert ripe.batch.outcome["latency_ms"].tolist() == [300.0]


@pytest.mark.parametrize(
    ("missing", "learned", "counts"),
    [
        ("declined", {"d1": 0.0}, Counts(learned=1, assumed_declined=1)),
        ("left-out", {}, Counts(left_out=1)),
    ],
)
def test_after_the_wait_time_no_outcome_means_what_was_said(
    store: Store, missing: str, learned: dict[str, float], counts: Counts
) -> None:
    store.keep([decision(1)])
    ripe = read(store, fresh(missing))
    assert ripe.cursor.waiting == [Waiting(1, START_US + 60_000_000)]
    ripe = read(store, ripe.cursor, LATE_US)
    assert (rewards(ripe), ripe.cursor.counts, ripe.cursor.waiting) == (learned, counts, [])


def test_an_outcome_after_the_wait_time_is_not_learned_however_late_the_learner_is(
    store: Store,
) -> None:
    store.keep([decision(1), outcome(1, at=LATER, approved=True)])
    ripe = read(store, fresh(), LATE_US)
    assert rewards(ripe) == {"d1": 0.0}
    assert ripe.cursor.counts == Counts(learned=1, assumed_declined=1, corrections=1)


def test_a_correction_is_counted_and_not_learned(store: Store) -> None:
    store.keep([decision(1), outcome(1, approved=True)])
    ripe = read(store, fresh())
    store.keep([outcome(1, approved=False), outcome(1, charged_back=True)])
    again = read(store, ripe.cursor)
    assert again.batch is None
    assert again.cursor.counts == Counts(learned=1, corrections=2)


def test_a_deferred_decision_counts_once_it_is_activated(store: Store) -> None:
    store.keep([decision(1, deferred=True), outcome(1, approved=True)])
    ripe = read(store, fresh())
    assert ripe.batch is None
    store.keep([activation(1)])
    assert rewards(read(store, ripe.cursor)) == {"d1": 1.0}


def test_what_the_caller_did_instead_is_what_is_learned(store: Store) -> None:
    store.keep(
        [
            decision(1, deferred=True),
            activation(1, "braintree", 0.25),
            outcome(1, approved=True),
            decision(2, deferred=True),
            activation(2, "braintree"),
            decision(3, deferred=True),
        ]
    )
    ripe = read(store, fresh(), LATE_US)
    batch = ripe.batch
    assert batch is not None
    assert batch.decision_id.to_pylist() == ["d1"]
    assert batch.routes[batch.action_route[batch.chosen_action][0]] == "braintree"
    assert batch.propensity.tolist() == [0.25]
    assert ripe.cursor.counts == Counts(learned=1, chosen_otherwise=1, not_activated=1)


def test_a_batch_is_in_the_order_of_deciding(store: Store) -> None:
    store.keep([decision(3), decision(1), decision(2)])
    store.keep([outcome(number, approved=True) for number in (1, 2, 3)])
    batch = read(store, fresh()).batch
    assert batch is not None
    assert batch.decision_id.to_pylist() == ["d1", "d2", "d3"]
    assert (np.diff(batch.decided_at.astype(np.int64)) > 0).all()


def test_nothing_is_read_beyond_where_the_tables_are_complete(store: Store) -> None:
    store.keep([decision(1), decision(2), outcome(1, approved=True), outcome(2, approved=True)])
    ripe = read(store, fresh(), ends=Ends(1, 1, 0))
    assert rewards(ripe) == {"d1": 1.0}
    assert rewards(read(store, ripe.cursor)) == {"d2": 1.0}


def test_another_merchants_rows_are_passed_over(store: Store) -> None:
    store.keep([decision(1, tenant="other"), outcome(1, tenant="other", approved=True)])
    store.keep([decision(1), outcome(1, approved=False)])
    assert rewards(read(store, fresh())) == {"d1": 0.0}
