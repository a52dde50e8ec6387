from __future__ import annotations

from pathlib import Path

import pytest

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.explaining.found_decision import Found, Wanted, find_decision
from tests.authopt.explaining.logs import sample_log

LOG = Path("log.parquet")


def chunks(size: int = 100) -> list[LoggedBatch]:
    whole = sample_log()
    return [whole.take(slice(start, start + size)) for start in range(0, whole.n, size)]


def find(decision: str | None, payment: str | None = None, attempt: int | None = None) -> Found:
    return find_decision(chunks(), Wanted(decision, payment, attempt), LOG)


def said(decision: str | None, payment: str | None = None, attempt: int | None = None) -> str:
    with pytest.raises(UserError) as refused:
        find(decision, payment, attempt)
    return str(refused.value)


def test_a_decision_is_found_by_its_id_in_whatever_chunk_it_is() -> None:
    found = find("p1-00000500-1").one
    assert found.n == 1
    assert found.decision_id[0].as_py() == "p1-00000500-1"


def test_a_decision_is_found_by_its_payment_and_attempt() -> None:
    assert find(None, "p1-00000010", 2).one.decision_id[0].as_py() == "p1-00000010-2"


def test_a_payment_with_one_attempt_needs_no_number() -> None:
    assert find(None, "p1-00000005").one.decision_id[0].as_py() == "p1-00000005-1"


def test_a_payment_with_several_attempts_asks_which() -> None:
    assert "has the attempts 1, 2" in said(None, "p1-00000010")
    assert "--attempt" in said(None, "p1-00000010")


def test_an_attempt_that_a_payment_does_not_have_is_told_with_those_that_it_has() -> None:
    assert "has no attempt 9; it has 1, 2" in said(None, "p1-00000010", 9)


def test_an_unknown_id_suggests_ids_that_contain_it() -> None:
    text = said("00000010")
    assert "log.parquet: has no decision '00000010'" in text
    assert "p1-00000010-1" in text


def test_a_payments_id_in_place_of_a_decisions_suggests_the_payments_decisions() -> None:
    assert "p1-00000010-1, p1-00000010-2" in said("p1-00000010")


def test_an_id_like_no_other_shows_how_ids_look() -> None:
    assert "such as p1-00000000-1" in said("d17")


def test_an_empty_log_says_so() -> None:
    with pytest.raises(UserError, match="the log has no decisions"):
        find_decision([], Wanted("d1"), LOG)


def test_a_first_attempt_is_beside_the_routes_and_delays_of_first_attempts_alone() -> None:
    late = chunks()[-1].decision_id
    first = next(each for each in reversed(late.to_pylist()) if each.endswith("-1"))
    again = next(each for each in reversed(late.to_pylist()) if not each.endswith("-1"))
    assert find(first).delays_s == (0,)
    assert len(find(again).delays_s) > 3
    assert "atlas" in find(first).routes
    assert "stop" not in find(again).routes
