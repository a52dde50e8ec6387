"""What is sent to the service, and what is read of its answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.actions import STOP_ROUTE
from authopt.batch import DecisionBatch
from authopt.decision import decide
from authopt.policies.uniform import Uniform
from authopt.rules import MerchantRules, load_rules
from service.active_policy import load_active
from service.api.forms import DecisionRequest, OutcomeRequest
from service.deciding.decide import decide_together
from service.deciding.question import question_of
from service.live.serving import Serving
from service.tenants import DEFAULT_TENANT
from simulator.replay.answers import Answer, with_answers
from simulator.replay.bodies import decision_body, outcome_body
from simulator.replay.ids import asked_as, named
from tests.factories import logged_batch
from tests.simulator.replay.small_logs import log

RUN = "run"
ONE_ATTEMPT = load_rules(merchant=MerchantRules(max_attempts=1))
"""By which retries are left with nothing but to give up."""


def test_a_decision_is_asked_for_in_the_services_own_words() -> None:
    batch = log().batch
    retry = int(np.flatnonzero(batch.attempt == 2)[0])
    asked = msgspec.json.decode(decision_body(batch, retry, RUN), type=DecisionRequest)
    assert asked.decision_id == f"{RUN}-{batch.decision_id[retry].as_py()}"
    assert asked.payment_id == f"{RUN}-{batch.payment_id[retry].as_py()}"
    assert asked.attempt == 2
    assert asked.decided_at == batch.decided_at[retry].item().replace(tzinfo=UTC)
    assert [(each.route, each.delay_s) for each in asked.actions or ()] == [
        (each.route, each.delay_s) for each in batch.actions(retry)
    ]
    context = asked.context
    assert context["amount_minor"] == int(np.asarray(batch.context["amount_minor"])[retry])
    assert isinstance(context["token"], bool)
    assert isinstance(context["previous_response_code"], str)
    assert None not in context.values()


def test_a_first_attempt_says_nothing_of_a_past() -> None:
    first = msgspec.json.decode(decision_body(log().batch, 0, RUN))["context"]
    assert not [name for name in first if name.startswith(("previous", "seconds_since"))]


def test_features_of_actions_are_sent_with_them() -> None:
    batch = logged_batch(2)
    rate = np.array([0.5, np.nan, 0.25, 0.1, 0.2, 0.3])
    asked = msgspec.json.decode(
        decision_body(replace(batch, action_features={"rate": rate}), 0, RUN)
    )
    assert [each.get("features") for each in asked["actions"]] == [
        {"rate": 0.5},
        None,
        {"rate": 0.25},
    ]


def test_an_outcome_is_told_in_the_services_own_words() -> None:
    batch = log().batch
    declined = int(np.flatnonzero(log().declined)[0])
    told = msgspec.json.decode(outcome_body(batch, declined, RUN), type=OutcomeRequest)
    assert told.decision_id == f"{RUN}-{batch.decision_id[declined].as_py()}"
    assert told.approved is False
    assert isinstance(told.response_code, str)
    assert isinstance(told.outcome_at, datetime)
    assert told.fee_minor == int(np.asarray(batch.outcome["fee_minor"])[declined])


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_an_answer_read_back_is_the_decision_that_it_tells_of(seed: int) -> None:
    points = logged_batch(6, seed=seed, with_stop=bool(seed % 2)).decisions()
    rate = np.arange(points.m, dtype=np.float64)
    points = replace(points, action_features={"rate": rate})
    decided = decide(asked_as(RUN, points), Uniform(), rules=ONE_ATTEMPT).logged()
    answers = [told(points, row) for row in range(points.n)]
    read = with_answers(points, answers)
    assert [read.actions(row) for row in range(6)] == [decided.actions(row) for row in range(6)]
    assert np.array_equal(read.chosen, decided.chosen)
    assert np.array_equal(read.propensity, decided.propensity)
    assert np.array_equal(
        np.asarray(read.action_features["rate"]),
        np.asarray(decided.action_features["rate"]),
        equal_nan=True,
    )


def told(points: DecisionBatch, row: int) -> Answer:
    """The answer of the service, by way of its JSON."""
    asked = msgspec.json.decode(decision_body(points, row, RUN), type=DecisionRequest)
    routes = tuple(route for route in points.routes if route != STOP_ROUTE)
    serving = Serving(DEFAULT_TENANT, load_active("uniform"), routes, (0,), ONE_ATTEMPT)
    question = question_of(serving, asked, named(RUN, points.decision_id[row].as_py()))
    (answer,) = decide_together([question])
    return msgspec.json.decode(msgspec.json.encode(answer), type=Answer)


def test_the_ids_of_a_run_begin_with_its_name() -> None:
    asked = asked_as(RUN, log().batch)
    assert asked.decision_id[0].as_py() == f"{RUN}-" + log().batch.decision_id[0].as_py()
    assert asked.payment_id[0].as_py() == f"{RUN}-" + log().batch.payment_id[0].as_py()
