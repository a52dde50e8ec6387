"""A model of the learner becomes live by the word of the gate, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sqlalchemy import select

from authopt.learning.gate.settings import Gate
from authopt.learning.gate.verdict import GateVerdict
from authopt.rollout.promotion import Word
from service.learning.cursor import Judged, Task
from service.learning.fresh import fresh_batches
from service.learning.judging import judge_candidate
from service.learning.learner import Learner
from service.learning.lease import Lease
from service.learning.publishing import Promote, Publishing, is_due, publish
from service.models.gate_word import gate_word, verdict_on
from service.models.live_policy import (
    Promoted,
    promote_spec,
    read_live_policy,
    retire,
    set_pinned,
)
from service.models.registry import find_model
from service.store.changes import changing, history
from service.store.engine import open_engine
from service.store.records import DecisionRecord, OutcomeRecord, moment
from service.store.store import Store
from service.store.tables import learners
from tests.service.learning.learners import NOW_US, Killed, finish, killed, taken
from tests.service.learning.recorded import ROUTES, decision, outcome

TASK = Task("online:bits=10", "approved", 24 * 3600, "declined")
CONDITIONS = Gate(
    largest_route_share=1.0, least_effective=20, least_segment_effective=5, exploration_budget=0.1
)
BY_GATE = Publishing(0, 120, gate=CONDITIONS)
ADYEN, BRAINTREE = (0.95, 0.3), (0.1, 0.95)
"""Chances of the two routes, where one of them is the better one."""
PIECE = 120


@pytest.fixture
def file_store(tmp_path: Path, migrated_file: Path) -> Iterator[Store]:
    path = tmp_path / "authopt.db"
    path.write_bytes(migrated_file.read_bytes())
    store = Store(open_engine(f"sqlite:///{path}"))
    yield store
    store.close()


def known(
    first: int, number: int = PIECE, chances: tuple[float, float] = ADYEN, seed: int = 0
) -> Iterator[DecisionRecord | OutcomeRecord]:
    """Decisions by chance, each with its outcome at once."""
    rng = np.random.default_rng([seed, first])
    for each in range(first, first + number):
        route = int(rng.random() < 0.5)
        # A column may come late: batches before that have none of it.
        country = {} if each < 190 else {"issuer_country": "DE"}
        yield decision(each, route=ROUTES[route], **country)
        yield outcome(each, approved=bool(rng.random() < chances[route]))


def learner_of(store: Store) -> Learner:
    return taken(store.engine, rows=50, task=TASK)


def with_candidate(store: Store, publishing: Publishing = BY_GATE) -> Learner:
    """A learner with a model that was just made of a first piece."""
    store.keep(list(known(0)))
    learner = learner_of(store)
    finish(learner)
    publish(learner, publishing, NOW_US)
    return learner


def judged(learner: Learner, publishing: Publishing = BY_GATE) -> Judged:
    told = judge_candidate(learner, publishing, NOW_US)
    assert learner.cursor.judged is not None, told
    return learner.cursor.judged


def verdict(store: Store, sha256: str) -> GateVerdict:
    with store.engine.connect() as connection:
        found = verdict_on(find_model(connection, "default", sha256))
    assert found is not None
    return found


def live(store: Store) -> Promoted | None:
    with store.engine.connect() as connection:
        return read_live_policy(connection, "default").live


def test_a_model_is_live_only_once_the_gate_has_passed_it_on_what_came_later(store: Store) -> None:
    learner = with_candidate(store)
    assert judge_candidate(learner, BY_GATE, NOW_US) is None
    assert live(store) is None
    store.keep(list(known(PIECE)))
    finish(learner)
    found = judged(learner)
    assert (found.became, found.decisions) == ("promoted", PIECE)
    told = verdict(store, found.sha256)
    assert (told.word, told.live.spec, told.log.decisions) == ("PASS", "logged", PIECE)
    made = live(store)
    assert made is not None
    assert made.sha256 == found.sha256
    with store.engine.connect() as connection:
        rows = history(connection, "default", "model", found.sha256)
        promoted = history(connection, "default", "policy", "live")[-1]
    assert [(each.actor, each.value["state"]) for each in rows] == [
        ("authopt learn default", "added"),
        ("authopt learn default", "passed"),
    ]
    assert promoted.actor == "authopt learn default"
    assert "better than logged" in promoted.reason
    assert promoted.reason == rows[-1].reason


def test_it_is_judged_on_every_decision_that_it_did_not_learn_from_and_on_no_other(
    file_store: Store,
) -> None:
    rows = list(known(0))
    slow = {f"d{number}" for number in range(0, PIECE, 2)}
    late = [row for row in rows if isinstance(row, OutcomeRecord) and row.decision_id in slow]
    file_store.keep([row for row in rows if row not in late])
    learner = taken(
        file_store.engine,
        now_us=NOW_US // 10,
        rows=50,
        task=msgspec.structs.replace(TASK, wait_s=10**9),
    )
    finish(learner)
    publish(learner, BY_GATE, NOW_US)
    file_store.keep([*late, *known(PIECE)])
    finish(learner)
    candidate = learner.cursor.candidate
    assert candidate is not None
    batches = fresh_batches(
        file_store.engine,
        "default",
        learner.cursor,
        candidate,
        ["issuer_country"],
        learner.reward,
        NOW_US,
        50,
        lambda: None,
    )
    ids = [name for batch in batches for name in batch.decision_id.to_pylist()]
    assert len(ids) == candidate.fresh
    assert set(ids) == slow | {f"d{number}" for number in range(PIECE, 2 * PIECE)}


def test_an_earlier_model_of_the_learner_gives_way_unless_the_new_one_is_shown_to_be_worse(
    file_store: Store,
) -> None:
    learner = with_candidate(file_store, Publishing(0, 120, Promote.ALWAYS))
    before = live(file_store)
    file_store.keep(list(known(PIECE)))
    finish(learner)
    publish(learner, BY_GATE, NOW_US)
    file_store.keep(list(known(2 * PIECE)))
    finish(learner)
    found = judged(learner)
    told = verdict(file_store, found.sha256)
    assert told.settings.gain_rule == "not-shown-worse"
    assert told.settings.margin == -0.01
    assert told.lower <= 0.0
    assert found.became == "promoted"
    assert before is not None
    assert told.live.spec == f"model {(before.sha256 or '')[:12]}"


def test_a_model_that_is_shown_to_be_worse_is_refused_with_the_reasons_on_record(
    file_store: Store,
) -> None:
    promote_spec(file_store.engine, "default", "ann", "priority:routes=braintree,epsilon=0.2", "")
    learner = with_candidate(file_store)
    file_store.keep(list(known(PIECE, chances=BRAINTREE)))
    finish(learner)
    assert not is_due(learner, BY_GATE, NOW_US)
    told = judge_candidate(learner, BY_GATE, NOW_US)
    found = learner.cursor.judged
    assert found is not None
    assert found.became == "refused"
    assert any(each.startswith("gain over the live policy") for each in found.reasons)
    assert told is not None
    assert all(each in told for each in found.reasons)
    assert verdict(file_store, found.sha256).word == "FAIL"
    with file_store.engine.connect() as connection:
        row = history(connection, "default", "model", found.sha256)[-1]
        present = read_live_policy(connection, "default").live
    assert (row.actor, row.value["state"]) == ("authopt learn default", "refused")
    assert row.value["reasons"] == found.reasons
    assert "gain over the live policy" in row.reason
    assert present == Promoted("priority:routes=braintree,epsilon=0.2", None)
    assert is_due(learner, BY_GATE, NOW_US)


def test_where_decisions_are_too_few_to_tell_it_is_judged_on_up_to_as_many_as_it_has_learned(
    file_store: Store,
) -> None:
    strict = Publishing(
        0, 60, gate=msgspec.structs.replace(CONDITIONS, margin=0.15, least_effective=10**6)
    )
    learner = with_candidate(file_store, strict)
    looks = []
    for first in range(PIECE, 2 * PIECE, 20):
        file_store.keep(list(known(first, 20)))
        finish(learner)
        if judge_candidate(learner, strict, NOW_US) is not None:
            looks.append(first + 20 - PIECE)
    found = learner.cursor.judged
    assert looks == [60, PIECE]
    assert found is not None
    assert (found.became, found.decisions) == ("refused", PIECE)
    assert len(verdict(file_store, found.sha256).looks) == 2


def test_the_judgement_begins_again_where_what_is_live_has_changed(file_store: Store) -> None:
    learner = with_candidate(file_store)
    file_store.keep(list(known(PIECE)))
    finish(learner)
    promote_spec(file_store.engine, "default", "ann", "uniform", "")
    told = judge_candidate(learner, BY_GATE, NOW_US)
    assert told is not None
    assert "begins again" in told
    assert judge_candidate(learner, BY_GATE, NOW_US) is None
    file_store.keep(list(known(2 * PIECE)))
    finish(learner)
    found = judged(learner)
    told_of = verdict(file_store, found.sha256)
    assert (told_of.live.spec, told_of.log.decisions) == ("uniform", PIECE)


def test_a_pinned_policy_stays_but_the_word_of_the_gate_stands(file_store: Store) -> None:
    with changing(file_store.engine) as connection:
        set_pinned(connection, "default", "ann", True, "peak season")
    learner = with_candidate(file_store)
    file_store.keep(list(known(PIECE)))
    finish(learner)
    found = judged(learner)
    assert found.became == "passed"
    assert "peak season" in found.why
    assert live(file_store) is None
    with file_store.engine.connect() as connection:
        model = find_model(connection, "default", found.sha256)
        word = gate_word(connection, "default", model, "uniform", moment(NOW_US))
    assert word.word is Word.ADMITTED


def test_a_model_that_people_retired_is_judged_no_more(file_store: Store) -> None:
    learner = with_candidate(file_store)
    assert learner.cursor.candidate is not None
    with changing(file_store.engine) as connection:
        retire(connection, "default", "ann", learner.cursor.candidate.sha256, "")
    found = judged(learner)
    assert (found.became, found.why) == ("dropped", "it was retired")
    assert learner.cursor.candidate is None


def test_what_cannot_be_judged_is_refused_with_the_reason(file_store: Store) -> None:
    wrong = Publishing(0, 120, gate=Gate(segments=("x_shop",)))
    learner = with_candidate(file_store, wrong)
    file_store.keep(list(known(PIECE)))
    finish(learner)
    found = judged(learner, wrong)
    assert found.became == "refused"
    assert "x_shop" in found.reasons[0]


def test_killed_before_its_verdict_it_comes_to_the_same_one(
    file_store: Store, tmp_path: Path, migrated_file: Path
) -> None:
    store = file_store
    calm_file = tmp_path / "calm.db"
    calm_file.write_bytes(migrated_file.read_bytes())
    calm = Store(open_engine(f"sqlite:///{calm_file}"))
    rows = list(known(PIECE))
    undisturbed = with_candidate(calm)
    calm.keep(rows)
    finish(undisturbed)
    wanted = judged(undisturbed)

    learner = with_candidate(store)
    store.keep(rows)
    with pytest.MonkeyPatch.context() as patch:
        learner.step(NOW_US)
        patch.setattr(Lease, "save", killed)
        with pytest.raises(Killed):
            learner.step(NOW_US)
    learner = learner_of(store)
    finish(learner)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lease, "save", killed)
        with pytest.raises(Killed):
            judge_candidate(learner, BY_GATE, NOW_US)
    with store.engine.connect() as connection:
        assert verdict_on(find_model(connection, "default", wanted.sha256)) is None
    assert live(store) is None
    learner = learner_of(store)
    assert judged(learner) == wanted
    assert verdict(store, wanted.sha256) == verdict(calm, wanted.sha256)
    with store.engine.connect() as connection:
        states = [
            each.value["state"] for each in history(connection, "default", "model", wanted.sha256)
        ]
        cursors = connection.scalar(select(learners.c.cursor))
    assert states == ["added", "passed"]
    with calm.engine.connect() as connection:
        assert connection.scalar(select(learners.c.cursor)) == cursors
    assert judge_candidate(learner_of(store), BY_GATE, NOW_US) is None
    calm.close()
