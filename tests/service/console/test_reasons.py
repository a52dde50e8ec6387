"""Every form of a change says why."""

from __future__ import annotations

import pytest
from flask import Flask

from service.api.problems import Problem
from service.console.reasons import given_reason
from service.store.changes import MAX_REASON


def reason_of(text: str | None) -> str:
    data = {} if text is None else {"reason": text}
    with Flask("forms").test_request_context("/", method="POST", data=data):
        return given_reason()


def test_a_reason_is_taken_without_the_spaces_around_it() -> None:
    assert reason_of("  the bank is down ") == "the bank is down"


@pytest.mark.parametrize(
    "text", [None, "", "   ", "x" * (MAX_REASON + 1), "a\x07b", "card 4111111111111111"]
)
def test_no_reason_and_one_that_may_not_be_kept_are_refused(text: str | None) -> None:
    with pytest.raises(Problem) as refused:
        reason_of(text)
    assert refused.value.status == 422
    assert "4111111111111111" not in refused.value.detail
