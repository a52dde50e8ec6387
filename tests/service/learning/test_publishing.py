"""Models of what was learned: when they are made, and which of them stay."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.policies.vw_manifest import Probe, ProbeAction
from service.learning.publishing import Promote, Publishing, is_due, publish
from service.models.live_policy import read_live_policy, set_pinned
from service.models.registry import list_models, load_model
from service.store.changes import changing
from service.store.lease import LeaseLost
from service.store.store import Store
from tests.service.learning.learners import LENGTH_US, NOW_US, finish, taken
from tests.service.learning.recorded import HOUR_US, ROUTES, traffic

AT_ONCE = Publishing(0, 1, Promote.ALWAYS)


def test_a_model_is_published_and_becomes_live(store: Store) -> None:
    store.keep(list(traffic(120)))
    learner = taken(store.engine, rows=1000)
    finish(learner)
    assert is_due(learner, AT_ONCE, NOW_US)
    assert publish(learner, AT_ONCE, NOW_US) == "promoted"
    assert not is_due(learner, AT_ONCE, NOW_US)
    with store.engine.connect() as connection:
        model = list_models(connection, "default")[0]
        live = read_live_policy(connection, "default").live
        active = load_model(connection, "default", model.sha256)
    assert live is not None
    assert live.sha256 == model.sha256
    assert model.lineage["training"]["counts"]["learned"] == 120
    assert active.policy is not None
    asked = Probe(1, {}, tuple(ProbeAction(route, 0) for route in ROUTES), ()).batch()
    assert np.array_equal(active.policy.probabilities(asked), learner.policy.probabilities(asked))


def test_old_models_of_a_learner_make_room_but_never_the_live_ones(store: Store) -> None:
    learner = taken(store.engine, rows=1000)
    rows = list(traffic(60))
    made: list[str] = []
    for number in range(6):
        store.keep(rows[number * 10 : number * 10 + 10])
        finish(learner)
        # The last models are made while another one is pinned.
        if number == 3:
            with changing(store.engine) as connection:
                set_pinned(connection, "default", "ann", True, "")
        publish(learner, Publishing(0, 1, Promote.ALWAYS, keep=2), NOW_US + number)
        assert learner.cursor.published is not None
        made.append(learner.cursor.published.sha256)
    with store.engine.connect() as connection:
        left = {each.sha256 for each in list_models(connection, "default")}
        live = read_live_policy(connection, "default").promoted
    assert len(set(made)) == 6
    assert [each.sha256 for each in live] == made[:3]
    assert left == {*made[1:3], *made[4:]}


def test_a_pinned_policy_stays_but_the_model_is_kept(store: Store) -> None:
    store.keep(list(traffic(30)))
    with changing(store.engine) as connection:
        set_pinned(connection, "default", "ann", True, "peak season")
    learner = taken(store.engine, rows=1000)
    finish(learner)
    assert "peak season" in publish(learner, AT_ONCE, NOW_US)
    with store.engine.connect() as connection:
        assert read_live_policy(connection, "default").live is None
        assert len(list_models(connection, "default")) == 1


def test_without_the_gate_no_model_waits_for_its_word(store: Store) -> None:
    store.keep(list(traffic(60)))
    learner = taken(store.engine, rows=1000)
    finish(learner)
    publish(learner, Publishing(0, 1), NOW_US)
    assert learner.cursor.candidate is not None
    assert not is_due(learner, Publishing(0, 0), NOW_US)
    store.keep(list(traffic(90))[60:])
    finish(learner)
    never = Publishing(0, 1, Promote.NEVER)
    assert is_due(learner, never, NOW_US)
    publish(learner, never, NOW_US)
    assert learner.cursor.candidate is None
    with store.engine.connect() as connection:
        assert read_live_policy(connection, "default").live is None
        assert len(list_models(connection, "default")) == 2


def test_a_stale_holder_publishes_nothing(store: Store) -> None:
    store.keep(list(traffic(30)))
    stale = taken(store.engine, "stale", rows=1000)
    finish(stale)
    taken(store.engine, "new", NOW_US + 2 * LENGTH_US)
    with pytest.raises(LeaseLost):
        publish(stale, AT_ONCE, NOW_US + 2 * LENGTH_US)
    with store.engine.connect() as connection:
        assert list_models(connection, "default") == []


def test_models_are_made_at_the_pace_that_was_asked_for(store: Store) -> None:
    store.keep(list(traffic(30)))
    learner = taken(store.engine, rows=1000)
    finish(learner)
    assert not is_due(learner, Publishing(0, 31), NOW_US)
    publish(learner, AT_ONCE, NOW_US)
    store.keep(list(traffic(60))[60:])
    finish(learner)
    assert learner.counts.learned > 30
    assert not is_due(learner, Publishing(HOUR_US, 1), NOW_US + HOUR_US - 1)
    assert is_due(learner, Publishing(HOUR_US, 1), NOW_US + HOUR_US)
