"""What is on disk, held against what clients were answered."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Engine, func, select

from benchmarks._service_load import Noted
from benchmarks._service_stack import Stack
from service.api.forms import OutcomeRequest
from service.learning.cursor import Cursor
from service.store.records import DecisionRecord, OutcomeRecord, Record, outcome_record
from service.store.tables import decisions, learners, outcomes

DRAINED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found.

    Attributes
    ----------
    lost
        decisions or outcomes that were answered as recorded and are nowhere, or not as answered.
    twice
        what is there, or was learned, more than once.
    """

    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()


def check_round(engine: Engine, stack: Stack, name: str, noted: Noted) -> Found:
    """Whether store and spool hold what the clients of a round were answered, each once.

    Parameters
    ----------
    engine
        of the store.
    stack
        the service; nobody asks it anything meanwhile.
    name
        what the ids of the round begin with.
    noted
        what its clients saw.
    """
    # The spool first: what leaves it meanwhile is in the store by then.
    spooled = [each for each in _spooled(stack) if each.decision_id.startswith(f"{name}-")]
    with engine.connect() as connection:
        made = connection.execute(
            select(decisions.c.decision_id, decisions.c.answer).where(
                decisions.c.decision_id.startswith(f"{name}-", autoescape=True)
            )
        ).all()
        came = connection.execute(
            select(outcomes.c.decision_id, outcomes.c.sha256).where(
                outcomes.c.decision_id.startswith(f"{name}-", autoescape=True)
            )
        ).all()
    answers: dict[str, set[bytes]] = defaultdict(set)
    for decision_id, answer in made:
        answers[decision_id].add(answer.encode())
    kept = {(decision_id, sha256) for decision_id, sha256 in came}
    for record in spooled:
        if isinstance(record, DecisionRecord):
            answers[record.decision_id].add(record.answer.encode())
        elif isinstance(record, OutcomeRecord):
            kept.add((record.decision_id, record.sha256))
    lost = [each for each, text in noted.answered.items() if text not in answers[each]]
    told = {
        (decision_id, _sha256(text)): text
        for decision_id, texts in noted.told.items()
        for text in texts
    }
    lost += [f"outcome of {decision_id}" for decision_id, sha in told.keys() - kept]
    twice = [each for each, texts in answers.items() if len(texts) > 1]
    twice += _repeated([decision_id for decision_id, _ in made])
    twice += _repeated([f"outcome of {decision_id} {sha}" for decision_id, sha in came])
    return Found(tuple(lost), tuple(twice))


def check_learned(engine: Engine) -> Found:
    """Whether each decision with an outcome was learned once, after the learner has caught up."""
    with engine.connect() as connection:
        cursor = connection.scalar(select(learners.c.cursor))
        assert cursor is not None
        counts = msgspec.json.decode(cursor, type=Cursor).counts
        told = select(outcomes.c.decision_id).where(outcomes.c.outcome.contains('"approved"'))
        expected = connection.scalar(
            select(func.count())
            .select_from(decisions)
            .where(decisions.c.decision_id.in_(told), decisions.c.route.is_not(None))
        )
    assert expected is not None
    missing, more = expected - counts.learned, counts.learned - expected
    return Found(
        (f"{missing} decisions were not learned",) * (missing > 0),
        (f"{more} decisions were learned again",) * (more > 0),
    )


def is_drained(stack: Stack) -> bool:
    """Whether nothing waits in the spool; looked at until it is so, or for a minute."""
    until = time.monotonic() + DRAINED_WITHIN_S
    while time.monotonic() < until:
        if not stack.spool.exists() and not _leaving(stack).exists():
            return True
        time.sleep(0.1)
    return False


def _leaving(stack: Stack) -> Path:
    """Where the spool is while it is moved into the store."""
    return stack.spool.with_name(stack.spool.name + ".loading")


def _spooled(stack: Stack) -> list[Record]:
    decoder = msgspec.json.Decoder(Record)
    found: list[Record] = []
    for path in (_leaving(stack), stack.spool):
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            continue
        for line in lines:
            try:
                if line:
                    found.append(decoder.decode(line))
            except msgspec.DecodeError:
                # Torn by a kill, and so never answered.
                continue
    return found


def _sha256(text: str) -> str:
    return outcome_record(msgspec.convert(json.loads(text), OutcomeRequest)).sha256


def _repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
