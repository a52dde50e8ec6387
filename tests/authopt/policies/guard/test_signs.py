"""What outcomes say of a route."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.batch import Categorical
from authopt.policies.guard.signs import (
    ABOUT_THE_CARD,
    FAILURES,
    UNREACHABLE,
    Sign,
    answers_of,
)
from authopt.policies.uniform import Uniform
from authopt.rules import DEFAULT_RULES
from authopt.rules.codes import known_codes
from tests.authopt.policies.guard.outcomes import second, well
from tests.factories import logged_batch


def test_every_code_that_is_told_apart_is_one_of_the_tables() -> None:
    facts = known_codes("*", DEFAULT_RULES.networks.newest)
    known = {each.code for each in facts if each.kind == "response_code"}
    assert known >= FAILURES | UNREACHABLE | ABOUT_THE_CARD
    assert not FAILURES & ABOUT_THE_CARD


def test_codes_are_read_as_the_tables_write_them() -> None:
    batch = logged_batch(4)
    codes = Categorical.from_values(["96", " 91", "51", "6"])
    declined = {"approved": np.zeros(4), "response_code": codes}
    sign = answers_of(replace(batch, outcome=declined), 20_000.0).sign.tolist()
    assert sign == [Sign.FAILED, Sign.UNREACHABLE, Sign.ABOUT_THE_CARD, Sign.FAILED]


def test_without_codes_a_decline_may_be_anybodys_doing() -> None:
    batch = replace(logged_batch(3), reward=np.array([1.0, 0.0, np.nan]), outcome={})
    answers = answers_of(batch, 20_000.0)
    assert answers.sign.tolist() == [Sign.APPROVED, Sign.DECLINED]


def test_an_answer_that_took_too_long_is_a_failure() -> None:
    batch = logged_batch(2)
    outcome = {"approved": np.ones(2), "latency_ms": np.array([500.0, 25_000.0])}
    answers = answers_of(replace(batch, outcome=outcome), 20_000.0)
    assert answers.sign.tolist() == [Sign.APPROVED, Sign.FAILED]


def test_answers_come_in_the_order_in_which_they_came() -> None:
    batch = second(Uniform(), 0.0, well, payments=30)
    late = np.asarray(batch.outcome["outcome_at"])[::-1].copy()
    answers = answers_of(replace(batch, outcome={**batch.outcome, "outcome_at": late}), 20_000.0)
    assert (np.diff(answers.at_us) >= 0).all()
    stopped = batch.is_stop[batch.chosen_action]
    assert answers.row.tolist() == np.flatnonzero(~stopped)[::-1].tolist()
