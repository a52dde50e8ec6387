"""The checks of the fault campaign see what is lost, changed or there twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from benchmarks._fault_checks import Found, check_learned, check_round
from benchmarks._service_load import Noted
from benchmarks._service_stack import Stack
from service.api.forms import OutcomeRequest
from service.learning.cursor import Counts, Cursor, Task
from service.learning.lease import Lease
from service.store.changes import writing
from service.store.engine import open_engine
from service.store.migrate import migrate
from service.store.records import DecisionRecord, outcome_record
from service.store.spool import Spool
from service.store.store import Store
from tests.service.store.records import decision

OUTCOME = '{"approved": true, "decision_id": "r1-0-0"}'


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "authopt.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def store(tmp_path: Path, empty: Path) -> Iterator[Store]:
    shutil.copy(empty, tmp_path / "authopt.db")
    store = Store(open_engine(f"sqlite:///{tmp_path / 'authopt.db'}"))
    yield store
    store.close()


def answered(*records: DecisionRecord) -> Noted:
    return Noted(answered={each.decision_id: each.answer.encode() for each in records})


def checked(store: Store, folder: Path, noted: Noted) -> Found:
    stack = Stack("SQLite", folder, str(store.engine.url), folder)
    return check_round(store.engine, stack, "r1", noted)


def test_what_is_in_the_store_or_in_the_spool_is_not_lost(store: Store, tmp_path: Path) -> None:
    one, two = decision("r1-0-0"), decision("r1-0-1")
    store.keep([one])
    Spool(tmp_path / "authopt.spool").keep([two])
    assert checked(store, tmp_path, answered(one, two)) == Found()


def test_what_is_nowhere_or_was_answered_otherwise_is_lost(store: Store, tmp_path: Path) -> None:
    one, two, gone = (decision(f"r1-0-{at}") for at in range(3))
    store.keep([one, msgspec.structs.replace(two, answer="{}")])
    found = checked(store, tmp_path, answered(one, two, gone))
    assert found.lost == ("r1-0-1", "r1-0-2")


def test_two_answers_on_record_are_one_too_many(store: Store, tmp_path: Path) -> None:
    one = decision("r1-0-0")
    store.keep([one])
    Spool(tmp_path / "authopt.spool").keep([msgspec.structs.replace(one, answer="{}")])
    assert checked(store, tmp_path, answered(one)).twice == ("r1-0-0",)


def test_an_outcome_that_was_answered_is_looked_for(store: Store, tmp_path: Path) -> None:
    noted = Noted(told={"r1-0-0": {OUTCOME}})
    assert checked(store, tmp_path, noted).lost == ("outcome of r1-0-0",)
    store.keep([outcome_record(OutcomeRequest("r1-0-0", approved=True))])
    assert checked(store, tmp_path, noted) == Found()


@pytest.mark.parametrize(("learned", "lost", "twice"), [(0, 1, 0), (1, 0, 0), (2, 0, 1)])
def test_a_decision_is_to_be_learned_once(
    store: Store, learned: int, lost: int, twice: int
) -> None:
    store.keep([decision("r1-0-0"), decision("r1-0-1")])
    store.keep([outcome_record(OutcomeRequest("r1-0-0", approved=True))])
    _save(store.engine, Counts(learned=learned))
    found = check_learned(store.engine)
    assert (len(found.lost), len(found.twice)) == (lost, twice)


def _save(engine: Engine, counts: Counts) -> None:
    lease = Lease("default", "default", "somebody", 1)
    lease.take(engine, 0)
    task = Task("online", "approved", 0, "declined")
    with writing(engine) as connection:
        lease.save(connection, Cursor(task, "online:{}/x.json", counts=counts), None, 0)
