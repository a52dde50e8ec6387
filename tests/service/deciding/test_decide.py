"""Some questions at once: each is answered as it would be alone, and fails alone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch, FloatArray
from authopt.decision import NO_DISTRIBUTION, POLICY_FAILED
from service.deciding.answers import Answer
from service.deciding.decide import FEW, decide_together, decide_without_policy
from tests.service.deciding.asked import question, serving
from tests.service.deciding.policies import Acting, FromContext, of_payments

MANY = FEW + 3

CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "network": st.sampled_from(["visa", "mastercard", "amex", None]),
        "amount_minor": st.integers(0, 10_000),
        "previous_response_code": st.sampled_from(["05", "41", "51", "not known"]),
        "previous_advice_code": st.sampled_from(["01", "02", "03"]),
        "card_ref": st.sampled_from(["card-a", "card-b"]),
        "token": st.booleans(),
        "x_mark": st.integers(0, 9) | st.booleans() | st.sampled_from(["red", "green"]),
    },
)
ACTIONS = st.none() | st.lists(
    st.sampled_from(
        [
            {"route": "adyen"},
            {"route": "checkout", "features": {"rate": 0.7}},
            {"route": "braintree", "delay_s": 60, "features": {"rate": 0.9}},
            {"route": "stop"},
        ]
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda action: str(action),
)
BODIES = st.fixed_dictionaries(
    {"attempt": st.integers(1, 20), "context": CONTEXTS}, optional={"actions": ACTIONS}
)


def fallbacks(answers: list[Answer]) -> list[str | None]:
    return [answer.fallback for answer in answers]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(BODIES, min_size=FEW, max_size=2 * FEW),
    st.frozensets(st.sampled_from(["adyen", "checkout"])),
)
def test_an_answer_is_the_same_whatever_others_are_asked_with_it(
    bodies: list[dict[str, Any]], down: frozenset[str]
) -> None:
    state = serving(FromContext(), down=down)
    questions = [question(state, number, **body) for number, body in enumerate(bodies)]
    together = decide_together(questions)
    alone = [decide_together([each])[0] for each in questions]
    assert [msgspec.json.encode(each) for each in together] == [
        msgspec.json.encode(each) for each in alone
    ]
    together = decide_without_policy(questions, "for a test")
    alone = [decide_without_policy([each], "for a test")[0] for each in questions]
    assert together == alone


def test_a_decision_that_the_policy_cannot_bear_takes_no_other_with_it() -> None:
    def act(batch: DecisionBatch, given: FloatArray) -> FloatArray:
        if of_payments(batch, "p3").any():
            raise RuntimeError("p3")
        return given

    state = serving(Acting(act))
    told = fallbacks(decide_together([question(state, number) for number in range(MANY)]))
    assert told[3] == f"{POLICY_FAILED}: RuntimeError"
    assert told[:3] + told[4:] == [None] * (MANY - 1)


def test_a_decision_without_a_distribution_falls_back_alone() -> None:
    def act(batch: DecisionBatch, given: FloatArray) -> FloatArray:
        given[of_payments(batch, "p1") > 0] = np.nan
        given[of_payments(batch, "p2") > 0] *= 0.5
        return given

    state = serving(Acting(act))
    for count in (3, 10):
        questions = [question(state, number) for number in range(count)]
        told = decide_together(questions)
        assert fallbacks(told) == [None, NO_DISTRIBUTION, NO_DISTRIBUTION, *[None] * (count - 3)]
        assert told[1].action.route == "adyen"
        assert told[1].propensity == 1.0


def test_numbers_of_the_wrong_length_are_no_distribution() -> None:
    state = serving(Acting(lambda batch, given: given[:-1]))
    for count in (1, MANY):
        told = decide_together([question(state, number) for number in range(count)])
        assert fallbacks(told) == [NO_DISTRIBUTION] * count


def test_a_column_that_is_text_here_and_a_number_there_is_what_it_is_in_each() -> None:
    seen: list[type] = []

    def act(batch: DecisionBatch, given: FloatArray) -> FloatArray:
        seen.append(type(batch.context["x_kind"]))
        return given

    state = serving(Acting(act))
    values = ["gold", 7] * FEW
    questions = [question(state, at, context={"x_kind": each}) for at, each in enumerate(values)]
    assert fallbacks(decide_together(questions)) == [None] * len(values)
    assert len(set(seen)) == 2
