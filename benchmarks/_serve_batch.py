"""What a decision in a batch costs a processor, in process: the limit of decisions per second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import msgspec

from benchmarks._serve_sides import ROUTES
from service.api.forms import DecisionRequest
from service.app import LIVE, RECORDER, TIMELY, create_app
from service.deciding.columns import batch_of
from service.deciding.question import question_of
from service.security.protect import KEYRING
from service.server import leave_alone
from service.settings import Settings
from service.store.group_commit import GroupCommit

ROUNDS = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of a processor for each decision of a batch.

    Attributes
    ----------
    whole
        from the body to the answer.
    policy
        of these, asking Vowpal Wabbit.
    store
        of these, writing to SQLite.
    """

    whole: float
    policy: float
    store: float

    def per_second(self, processors: int) -> float:
        """Decisions per second that so many processors could answer, if they did nothing else."""
        return processors * 1e6 / self.whole


def batch_cost(folder: Path, model: Path, decision: dict[str, Any], size: int) -> Cost:
    """Answer batches in this process, one after the other.

    Parameters
    ----------
    folder
        for a SQLite store.
    model
        of Vowpal Wabbit.
    decision
        what each decision is asked for.
    size
        decisions of a batch.
    """
    app = create_app(
        Settings(
            policy=f"vw:{model}",
            routes=ROUTES,
            delays=(0, 3600),
            database=f"sqlite:///{folder / 'batch.db'}",
            spool=folder / "batch.spool",
            # A machine that is busy with something else is not what is measured here.
            batch_deadline_ms=60_000,
            store_within_s=10.0,
        )
    )
    leave_alone()
    recorder: GroupCommit = app.extensions[RECORDER]
    try:
        client, ids = app.test_client(), count()

        def body() -> bytes:
            asked = [{"decision_id": f"b{next(ids)}"} | decision for _ in range(size)]
            return json.dumps({"decisions": asked}).encode()

        def answered(text: bytes) -> Any:
            answer = client.post("/v1/decisions/batch", data=text, content_type="application/json")
            assert answer.status_code == 200
            return answer

        items = answered(body()).get_json()["items"]
        kept = recorder.store.decision(items[0]["decision"]["decision_id"])
        assert kept is not None
        whole = _took([body() for _ in range(ROUNDS)], answered)
        serving = app.extensions[LIVE].serving("default")
        policy = serving.active.policy
        request = msgspec.json.decode(kept.request, type=DecisionRequest)
        questions = [question_of(serving, request, f"q{at}") for at in range(size)]
        asked = _took([batch_of(questions)] * ROUNDS, policy.probabilities)
        fresh = [
            [msgspec.structs.replace(kept, decision_id=f"s{next(ids)}") for _ in range(size)]
            for _ in range(ROUNDS)
        ]
        stored = _took(fresh, recorder.store.keep)
    finally:
        for key in (LIVE, TIMELY, KEYRING, RECORDER):
            app.extensions[key].close()
    return Cost(whole / size, asked / size, stored / size)


def _took(given: Sequence[T], does: Callable[[T], object]) -> float:
    """Microseconds of a processor that one takes, all threads together; the median."""
    took = []
    for each in given:
        start = time.process_time()
        does(each)
        took.append(time.process_time() - start)
    return 1e6 * median(took)
