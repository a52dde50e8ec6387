from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.learning.route_rates import fit_best_route, route_rates
from tests.factories import logged_batch


def test_rates_are_the_means_of_what_was_taken_slightly_shrunken_and_best_first() -> None:
    batch = logged_batch(20_000, with_stop=True)
    rates = route_rates([batch])
    taken = batch.action_route[batch.chosen_action]
    plain = {
        route: batch.reward[taken == code].mean()
        for code, route in enumerate(batch.routes)
        if route != "stop"
    }
    assert rates == pytest.approx(plain, abs=0.001)
    assert list(rates) == sorted(plain, key=lambda route: -plain[route])


def test_chunks_make_no_difference() -> None:
    batch = logged_batch(500)
    parts = [batch.take(slice(start, start + 60)) for start in range(0, 500, 60)]
    assert fit_best_route(parts) == fit_best_route([batch])


def test_unknown_outcomes_do_not_count() -> None:
    batch = logged_batch(100)
    reward = batch.reward.copy()
    reward[:40] = np.nan
    fitted = fit_best_route([replace(batch, reward=reward)])
    assert sum(record.attempts for record in fitted.records.values()) == 60


def test_an_empty_log_has_no_rates() -> None:
    assert route_rates([]) == {}
