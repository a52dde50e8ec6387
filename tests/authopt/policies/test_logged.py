from __future__ import annotations

from dataclasses import replace

import pytest

from authopt.errors import UserError
from authopt.policies.logged import LoggedPolicy
from tests.factories import logged_batch


def test_it_gives_the_probabilities_that_the_log_holds() -> None:
    log = logged_batch(30)
    assert LoggedPolicy().probabilities(log) == pytest.approx(log.probability, abs=1e-15)


def test_it_cannot_decide_what_is_no_log() -> None:
    with pytest.raises(UserError, match="authopt evaluate"):
        LoggedPolicy().probabilities(logged_batch(5).decisions())


def test_it_needs_the_probabilities_of_all_eligible_actions() -> None:
    with pytest.raises(UserError, match="eligible_probability"):
        LoggedPolicy().probabilities(replace(logged_batch(5), probability=None))
