"""The learner: exactly once whatever happens to it, and one at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from authopt.errors import UserError
from authopt.policies.online import OnlineVw
from authopt.rewards import DEFAULT_REWARD
from service.learning.cursor import Task
from service.learning.learned_policy import new_policy
from service.learning.learner import take_learner
from service.learning.lease import Lease
from service.store.engine import open_engine
from service.store.lease import LeaseLost
from service.store.store import Store
from service.store.tables import learners
from tests.service.learning.learners import (
    LENGTH_US,
    NOW_US,
    TASK,
    Killed,
    finish,
    killed,
    saved,
    taken,
)
from tests.service.learning.recorded import traffic


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
                patch.setattr(Lease, "save", killed)
            with suppress(Killed):
                learner.step(now_us)
    last_us = NOW_US + 2 * len(kills) * LENGTH_US
    finish(taken(engine, "last", last_us), last_us)
    assert saved(engine) == wanted


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
