"""Support by route: counts are exact, quantiles within one percent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.logs.audit.support import SupportSums
from tests.factories import logged_batch


def support(*batches: LoggedBatch) -> SupportSums:
    sums = SupportSums()
    for batch in batches:
        sums.add(batch)
    return sums


def test_quantiles_are_within_one_percent_and_extremes_exact() -> None:
    batch = logged_batch(5_000)
    assert batch.probability is not None
    for route in support(batch).routes():
        values = batch.probability[batch.action_route == batch.routes.index(route.route)]
        assert route.smallest == values.min()
        assert route.first_percentile == pytest.approx(
            np.quantile(values, 0.01, method="inverted_cdf"), rel=0.011
        )
        assert route.median == pytest.approx(
            np.quantile(values, 0.5, method="inverted_cdf"), rel=0.011
        )


def test_equal_probabilities_come_back_as_they_are() -> None:
    route = support(logged_batch(50, uniform_logging=True)).routes()[0]
    assert route.median == route.first_percentile == route.smallest == pytest.approx(1 / 3)


def test_effective_actions_are_the_exponential_of_the_entropy() -> None:
    overlap = support(logged_batch(50, uniform_logging=True)).overlap()
    assert overlap.effective_actions == pytest.approx(3.0)
    batch = logged_batch(400)
    assert batch.probability is not None
    p = batch.probability.reshape(400, 3)
    expected = np.exp(-(p * np.log(p)).sum(axis=1)).mean()
    assert support(batch).overlap().effective_actions == pytest.approx(expected)


def test_zeros_and_small_probabilities_are_told_apart() -> None:
    batch = logged_batch(100, uniform_logging=True)
    p = np.full((100, 3), 1 / 3)
    p[:10] = [0.0, 0.5, 0.5]
    p[10:30] = [0.005, 0.5, 0.495]
    batch = replace(
        batch, probability=p.ravel(), chosen=np.ones(100, np.int64), propensity=p[:, 1].copy()
    )
    sums = support(batch)
    overlap = sums.overlap()
    assert overlap.zero == 0.1
    assert overlap.below_1_percent == pytest.approx(0.3)
    assert overlap.largest_possible == pytest.approx(200)
    adyen = next(route for route in sums.routes() if route.route == "adyen")
    assert (adyen.smallest, adyen.first_percentile, adyen.never) == (0.0, 0.0, 0.1)
    assert adyen.taken == 0


def test_parts_add_up_to_the_whole_with_other_vocabularies() -> None:
    one = logged_batch(300, seed=1)
    two = logged_batch(200, routes=("checkout", "nuvei"), seed=2)
    whole = support(one, two)
    merged = support(two) + support(one)
    assert merged.routes() == whole.routes()
    by_name = {route.route: route for route in whole.routes()}
    assert by_name["checkout"].eligible == 500
    assert by_name["nuvei"].eligible_share == pytest.approx(0.4)
