"""Answers that stay away, by what the logged probabilities lead one to expect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.policies.guard.silence import silence_ratios
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from tests.authopt.policies.guard.outcomes import ROUTES, second, well

SILENT = 0.9


def mean_ratio(lost: float) -> float:
    policy = mixed(Priority(("adyen", "braintree")), 0.3)
    batch = second(policy, 0.0, well, payments=4_000, lost={"adyen": lost})
    rows = np.flatnonzero(~batch.is_stop[batch.chosen_action])
    return float(silence_ratios(batch, rows, SILENT)[:, ROUTES.index("adyen")].mean())


def test_where_all_answer_the_ratio_speaks_for_the_route() -> None:
    assert mean_ratio(0.0) < -0.3


def test_where_answers_stay_away_the_ratio_speaks_against_it() -> None:
    assert mean_ratio(SILENT) > 0.3
    assert mean_ratio(1.0) > 0.5


def test_over_the_answers_that_come_the_expected_likelihood_ratio_is_one() -> None:
    policy = mixed(Priority(("adyen", "braintree")), 0.3)
    batch = second(policy, 0.0, well, payments=40)
    rows = np.flatnonzero(~batch.is_stop[batch.chosen_action])
    ratio = np.exp(silence_ratios(batch, rows, SILENT)[:, ROUTES.index("adyen")])
    heard = batch.action_route[batch.chosen_action[rows]] == ROUTES.index("adyen")
    share = policy.probabilities(batch.decisions())[:3]
    taken = float(share[0] / share.sum())
    assert taken * ratio[heard][0] + (1.0 - taken) * ratio[~heard][0] == pytest.approx(1.0)


def test_a_route_taken_with_certainty_cannot_be_judged() -> None:
    batch = second(Priority(("adyen", "braintree")), 0.0, well, payments=50)
    ratios = silence_ratios(batch, np.arange(batch.n), SILENT)
    assert not ratios.any()


def test_without_probabilities_nothing_is_judged() -> None:
    batch = replace(second(Priority(("adyen",)), 0.0, well), probability=None)
    assert not silence_ratios(batch, np.arange(batch.n), SILENT).any()
