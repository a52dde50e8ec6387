"""The learner: exactly once whatever happens to it, one at a time, and published."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from authopt.errors import UserError
from authopt.policies.online import OnlineVw
from authopt.policies.vw_manifest import Probe, ProbeAction
from authopt.rewards import DEFAULT_REWARD
from service.learning.cursor import Task
from service.learning.learned_policy import new_policy
from service.learning.learner import Learner, Publishing, Step, take_learner
from service.learning.lease import Lease
from service.models.live_policy import read_live_policy, set_pinned
from service.models.registry import list_models, load_model
from service.store.changes import changing
from service.store.engine import open_engine
from service.store.lease import LeaseLost
from service.store.store import Store
from service.store.tables import learners
from tests.service.learning.recorded import HOUR_US, ROUTES, START_US, traffic

NOW_US = START_US + 10 * 24 * HOUR_US
LENGTH_US = 60_000_000
TASK = Task("guarded+online:bits=10", "approved", 24 * 3600, "declined")
AT_ONCE = Publishing(0, 1)


def taken(engine: Engine, holder: str = "one", now_us: int = NOW_US, rows: int = 40) -> Learner:
    learner = take_learner(
        engine, Lease("default", "default", holder, LENGTH_US), TASK, DEFAULT_REWARD, now_us
    )
    assert learner is not None
    learner.rows_at_once = rows
    return learner


def finish(learner: Learner, now_us: int = NOW_US) -> None:
    while learner.step(now_us) is not Step.IDLE:
        pass


def saved(engine: Engine) -> tuple[str, str]:
    """The cursor, and the digest of all that was learned."""
    with engine.connect() as connection:
        cursor, state = connection.execute(select(learners.c.cursor, learners.c.state)).one()
    return hashlib.sha256(cursor.encode()).hexdigest(), hashlib.sha256(state).hexdigest()


class Killed(BaseException):
    """Stands for the end of a process: nothing of it runs any more."""


def test_everything_is_learned_once(store: Store) -> None:
    store.keep(list(traffic(150)))
    learner = taken(store.engine)
    finish(learner)
    assert learner.counts.learned == 150
    assert 0 < learner.counts.assumed_declined < 20
    policy = learner.policy.policy
    assert isinstance(policy, OnlineVw)
    assert policy.rows == 150
    assert learner.cursor.waiting == []


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path):
    """A database with traffic, and what a learner that nothing befell has saved of it."""
    path = tmp_path_factory.mktemp("learned") / "authopt.db"
    path.write_bytes(migrated_file.read_bytes())
    store = Store(open_engine(f"sqlite:///{path}"))
    store.keep(list(traffic(150)))
    finish(taken(store.engine))
    found = saved(store.engine)
    yield store.engine, found
    store.close()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=4))
def test_killed_at_any_moment_it_comes_to_the_same_bits(
    uninterrupted: tuple[Engine, tuple[str, str]], kills: list[tuple[int, bool]]
) -> None:
    engine, wanted = uninterrupted
    with engine.begin() as connection:
        connection.execute(learners.delete())
    for number, (steps, is_after_commit) in enumerate(kills):
        # The lease of the one that was killed has run out by then.
        now_us = NOW_US + 2 * number * LENGTH_US
        learner = taken(engine, f"holder-{number}", now_us)
        for _ in range(steps):
            learner.step(now_us)
        with pytest.MonkeyPatch.context() as patch:
            if not is_after_commit:
                patch.setattr(Lease, "save", _killed)
            with suppress(Killed):
                learner.step(now_us)
    last_us = NOW_US + 2 * len(kills) * LENGTH_US
    finish(taken(engine, "last", last_us), last_us)
    assert saved(engine) == wanted


def _killed(*_: object) -> None:
    raise Killed


def test_one_learner_holds_the_lease_and_another_takes_over_when_it_lapses(store: Store) -> None:
    store.keep(list(traffic(60)))
    engine = store.engine
    one = taken(engine, "one")
    other = Lease("default", "default", "other", LENGTH_US)
    assert take_learner(engine, other, TASK, DEFAULT_REWARD, NOW_US + LENGTH_US - 1) is None
    one.renew(NOW_US + LENGTH_US - 1)
    assert take_learner(engine, other, TASK, DEFAULT_REWARD, NOW_US + LENGTH_US + 1) is None
    assert take_learner(engine, other, TASK, DEFAULT_REWARD, NOW_US + 2 * LENGTH_US) is not None


def test_what_a_stale_holder_saves_is_refused(store: Store) -> None:
    store.keep(list(traffic(60)))
    engine = store.engine
    stale = taken(engine, "stale")
    later_us = NOW_US + 2 * LENGTH_US
    finish(taken(engine, "new", later_us), later_us)
    wanted = saved(engine)
    with pytest.raises(LeaseLost):
        stale.step(later_us)
    with pytest.raises(LeaseLost):
        stale.renew(later_us)
    assert saved(engine) == wanted


def test_a_lease_that_is_released_is_taken_at_once(store: Store) -> None:
    one = taken(store.engine, "one")
    one.lease.release(store.engine)
    taken(store.engine, "other", NOW_US + 1)


def test_a_model_is_published_and_becomes_live(store: Store) -> None:
    store.keep(list(traffic(120)))
    learner = taken(store.engine, rows=1000)
    finish(learner)
    assert learner.is_due(AT_ONCE, NOW_US)
    assert learner.publish(AT_ONCE, NOW_US) == "promoted"
    assert not learner.is_due(AT_ONCE, NOW_US)
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
        learner.publish(Publishing(0, 1, keep=2), NOW_US + number)
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
    assert "peak season" in learner.publish(AT_ONCE, NOW_US)
    with store.engine.connect() as connection:
        assert read_live_policy(connection, "default").live is None
        assert len(list_models(connection, "default")) == 1


def test_a_stale_holder_publishes_nothing(store: Store) -> None:
    store.keep(list(traffic(30)))
    stale = taken(store.engine, "stale", rows=1000)
    finish(stale)
    taken(store.engine, "new", NOW_US + 2 * LENGTH_US)
    with pytest.raises(LeaseLost):
        stale.publish(AT_ONCE, NOW_US + 2 * LENGTH_US)
    with store.engine.connect() as connection:
        assert list_models(connection, "default") == []


def test_models_are_made_at_the_pace_that_was_asked_for(store: Store) -> None:
    store.keep(list(traffic(30)))
    learner = taken(store.engine, rows=1000)
    finish(learner)
    assert not learner.is_due(Publishing(0, 31), NOW_US)
    learner.publish(AT_ONCE, NOW_US)
    store.keep(list(traffic(60))[60:])
    finish(learner)
    assert learner.counts.learned > 30
    assert not learner.is_due(Publishing(HOUR_US, 1), NOW_US + HOUR_US - 1)
    assert learner.is_due(Publishing(HOUR_US, 1), NOW_US + HOUR_US)


def test_what_has_learned_is_not_given_another_task(store: Store) -> None:
    taken(store.engine)
    learner = taken(store.engine)
    store.keep(list(traffic(10)))
    finish(learner)
    other = Task("online", "approved", 24 * 3600, "declined")
    with pytest.raises(UserError, match=r"guarded\+online"):
        take_learner(store.engine, learner.lease, other, DEFAULT_REWARD, NOW_US)


@pytest.mark.parametrize("spec", ["uniform", "priority:routes=a,b", "no-such-policy"])
def test_a_policy_that_does_not_learn_is_refused(spec: str) -> None:
    with pytest.raises(UserError):
        new_policy(spec)


def test_of_many_that_start_at_once_one_gets_the_lease(store: Store) -> None:
    def take(number: int) -> bool:
        lease = Lease("default", "default", f"holder-{number}", LENGTH_US)
        return lease.take(store.engine, NOW_US) is not None

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 1
