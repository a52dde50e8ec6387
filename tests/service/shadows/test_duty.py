"""Shadow policies are asked about every decision once, and judged once its outcome is known."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine, select, update

from authopt.batch import DecisionBatch, FloatArray
from authopt.policies.uniform import uniform
from service.shadows import duty
from service.shadows.duty import follow_shadows
from service.shadows.finding import KIND, ShadowFinding
from service.store.changes import record_change, writing
from service.store.store import Store
from service.store.tables import changes, shadowed
from service.watch.findings import finding
from tests.service.learning.recorded import (
    APPROVED,
    HOUR_US,
    START_US,
    activation,
    decision,
    outcome,
    traffic,
)

PRIORITY = "priority:routes=adyen,braintree,epsilon=0.2"
NOW_US = START_US + 24 * HOUR_US
WAIT_US = duty.WAIT_S * 1_000_000


def turn(
    engine: Engine, state: str, spec: str = PRIORITY, name: str = "waterfall", at_us: int = 0
) -> None:
    value = {"state": state, "spec": spec, "sha256": None}
    with writing(engine) as connection:
        number = record_change(connection, "default", "ann", KIND, name, value, "")
        connection.execute(
            update(changes).where(changes.c.number == number).values(changed_at_us=at_us)
        )


def follow(store: Store, now_us: int = NOW_US) -> None:
    for _ in range(100):
        if not follow_shadows(store.engine, "default", now_us):
            return
    raise AssertionError("it never comes to an end")


def found(store: Store, name: str = "waterfall") -> ShadowFinding:
    with store.engine.connect() as connection:
        kept = finding(connection, "default", KIND, name)
    assert kept is not None
    return msgspec.convert(kept.content, ShadowFinding)


def rows(store: Store, name: str = "waterfall") -> list[Any]:
    wanted = select(shadowed).where(shadowed.c.shadow == name).order_by(shadowed.c.decision)
    with store.engine.connect() as connection:
        return list(connection.execute(wanted))


def test_it_says_of_every_decision_what_it_would_have_done(store: Store) -> None:
    store.keep([decision(1), decision(2, route="braintree")])
    turn(store.engine, "on")
    follow(store)
    assert [(row.probability, row.route, row.delay_s) for row in rows(store)] == [
        (pytest.approx(0.9), "adyen", 0),
        (pytest.approx(0.1), "adyen", 0),
    ]
    told = found(store)
    assert (told.decisions, told.agreed, told.probability) == (2, 0.5, pytest.approx(0.5))
    assert told.waiting == 2


def test_a_shadow_that_is_off_is_not_asked(store: Store) -> None:
    store.keep([decision(1)])
    turn(store.engine, "on")
    turn(store.engine, "off")
    assert not follow_shadows(store.engine, "default", NOW_US)
    assert rows(store) == []


def test_it_is_asked_from_when_it_was_turned_on(store: Store) -> None:
    store.keep([decision(number) for number in range(1, 6)])
    turn(store.engine, "on", at_us=START_US + 4 * 60_000_000)
    follow(store)
    assert [row.decision for row in rows(store)] == [4, 5]


def test_its_value_is_that_of_what_was_done_weighted_by_its_own_probabilities(
    store: Store,
) -> None:
    store.keep(list(traffic(600)))
    turn(store.engine, "on")
    follow(store)
    told = found(store).whole
    # Weights are 0.9 / 0.5 and 0.1 / 0.5.
    truth = 0.9 * APPROVED["adyen"] + 0.1 * APPROVED["braintree"]
    live = (APPROVED["adyen"] + APPROVED["braintree"]) / 2
    assert told.value == pytest.approx(truth, abs=0.04)
    assert told.live == pytest.approx(live, abs=0.05)
    assert told.value is not None
    assert told.live is not None
    assert told.difference == pytest.approx(told.value - told.live)
    assert told.lower is not None
    assert told.upper is not None
    assert told.lower < truth - live < told.upper
    assert 300 < told.effective_sample < told.judged
    assert found(store).waiting + told.judged == found(store).decisions == 600


def test_propensities_that_do_not_fit_what_was_done_are_found_out(store: Store) -> None:
    # Every decision says 0.5 for either route, and all were sent to the one the shadow prefers.
    for number in range(200):
        store.keep([decision(number), outcome(number, approved=True)])
    turn(store.engine, "on")
    follow(store)
    told = found(store).whole
    assert told.mean_weight == pytest.approx(0.9 / 0.5)
    assert not told.propensities_fit


def test_propensities_that_were_drawn_with_fit(store: Store) -> None:
    store.keep(list(traffic(600)))
    turn(store.engine, "on")
    follow(store)
    told = found(store).whole
    assert told.mean_weight == pytest.approx(1.0, abs=0.1)
    assert told.propensities_fit


def test_segments_add_up_to_the_whole(store: Store) -> None:
    store.keep(list(traffic(200)))
    turn(store.engine, "on")
    follow(store)
    told = found(store)
    names = {(each.column, each.name) for each in told.segments}
    assert {("issuer_country", "DE"), ("issuer_country", "FR"), ("attempt", "first")} <= names
    for column in ("issuer_country", "network", "attempt"):
        inside = [each.value.judged for each in told.segments if each.column == column]
        assert sum(inside) == told.whole.judged


def test_small_steps_find_what_a_large_one_finds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = list(traffic(90))
    turn(store.engine, "on")
    monkeypatch.setattr(duty, "ROWS_AT_ONCE", 7)
    for start in range(0, len(records), 10):
        store.keep(records[start : start + 10])
        follow(store)
    turn(store.engine, "on", name="later")
    monkeypatch.setattr(duty, "ROWS_AT_ONCE", 1000)
    follow(store)
    one, other = found(store), found(store, "later")
    told = len(records) - 90
    assert (one.decisions, one.whole.judged) == (90, told)
    assert (other.decisions, other.whole.judged) == (90, told)
    assert one.whole.value == pytest.approx(other.whole.value, rel=1e-12)
    assert one.agreed == other.agreed
    said = [(row.decision, row.probability, row.route) for row in rows(store)]
    assert said == [(row.decision, row.probability, row.route) for row in rows(store, "later")]


def test_what_was_done_is_not_done_again(store: Store) -> None:
    store.keep(list(traffic(50)))
    turn(store.engine, "on")
    follow(store)
    before = found(store)
    assert not follow_shadows(store.engine, "default", NOW_US)
    assert found(store) == before
    assert len(rows(store)) == 50


def test_a_step_that_was_cut_off_is_taken_whole_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keep(list(traffic(50)))
    turn(store.engine, "on")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(duty, "keep_finding", killed)
        with pytest.raises(KeyboardInterrupt):
            follow_shadows(store.engine, "default", NOW_US)
    assert rows(store) == []
    follow(store)
    assert (found(store).decisions, len(rows(store))) == (50, 50)


def test_of_two_watchers_one_takes_the_step(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.keep(list(traffic(20)))
    turn(store.engine, "on")
    see = duty.see

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(duty, "see", see)
        follow_shadows(store.engine, "default", NOW_US)
        return see(*arguments)

    monkeypatch.setattr(duty, "see", overtaken)
    follow_shadows(store.engine, "default", NOW_US)
    assert (found(store).decisions, len(rows(store))) == (20, 20)


def test_a_decision_without_an_outcome_in_time_is_left_out_and_counted(store: Store) -> None:
    store.keep([decision(1), decision(2), outcome(1, approved=True)])
    turn(store.engine, "on")
    follow(store)
    assert (found(store).waiting, found(store).whole.judged) == (1, 1)
    follow(store, NOW_US + WAIT_US)
    told = found(store)
    assert (told.waiting, told.without_outcome, told.whole.judged) == (0, 1, 1)


def test_a_deferred_decision_is_judged_as_it_was_carried_out(store: Store) -> None:
    store.keep(
        [
            decision(1, deferred=True),
            activation(1, "braintree", 0.25),
            outcome(1, approved=True),
        ]
    )
    turn(store.engine, "on")
    follow(store)
    told = found(store).whole
    assert told.judged == 1
    # The log does not say what the other action's probability was, so nothing bounds the weights.
    assert (told.lower, told.upper) == (None, None)


def test_another_policy_under_the_same_name_begins_anew(store: Store) -> None:
    store.keep(list(traffic(30)))
    turn(store.engine, "on")
    follow(store)
    turn(store.engine, "on", "priority:routes=braintree,adyen,epsilon=0.2")
    follow(store)
    told = found(store)
    assert told.decisions == 30
    assert {row.route for row in rows(store)} == {"braintree"}


def test_a_policy_that_cannot_be_loaded_says_so_and_holds_up_no_other(store: Store) -> None:
    store.keep(list(traffic(10)))
    turn(store.engine, "on", "priority:nothing=here", name="broken")
    turn(store.engine, "on")
    follow(store)
    assert "nothing" in (found(store, "broken").fault or "")
    assert found(store).decisions == 10


class Fragile:
    """Fails on one payment."""

    name = "fragile"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        if "p3" in batch.payment_id.to_pylist():
            raise ValueError("no")
        return uniform(batch)


def test_a_decision_that_it_fails_on_is_counted_and_skipped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keep([decision(number) for number in range(1, 6)])
    store.keep([outcome(number, approved=True) for number in range(1, 6)])
    turn(store.engine, "on")
    monkeypatch.setattr(duty, "_policy", lambda *_: Fragile())
    follow(store)
    told = found(store)
    assert (told.failed, told.decisions, told.whole.judged) == (1, 4, 4)
    assert [row.decision for row in rows(store)] == [1, 2, 4, 5]


def test_of_another_merchant_it_sees_nothing(store: Store) -> None:
    store.keep([decision(1), decision(2, tenant="shop")])
    turn(store.engine, "on")
    follow(store)
    assert [row.decision for row in rows(store)] == [1]


def test_it_is_the_logging_policy_itself_that_gains_nothing(store: Store) -> None:
    store.keep(list(traffic(300)))
    turn(store.engine, "on", "uniform")
    follow(store)
    told = found(store).whole
    assert told.difference == pytest.approx(0.0, abs=1e-12)
    assert told.effective_sample == pytest.approx(told.judged)
    assert np.isclose(found(store).probability or 0.0, 0.5)
