from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.learning.route_rates import fit_best_route
from authopt.policies.best_route import BestRoute, RouteRecord
from tests.authopt.policies.batches import Decision, batch_of
from tests.factories import logged_batch


def policy() -> BestRoute:
    records = [RouteRecord("adyen", 1000, 800.0), RouteRecord("braintree", 1000, 600.0)]
    return BestRoute({record.route: record for record in records})


def probabilities(*actions: tuple[str, int]) -> list[float]:
    row = Decision(1, actions, "visa", 1.0, None, (0.0,) * len(actions))
    return policy().probabilities(batch_of([row])).tolist()


def test_the_best_route_takes_all_at_its_shortest_delay() -> None:
    assert probabilities(("stop", 0), ("braintree", 0), ("adyen", 3600), ("adyen", 86_400)) == [
        0.0,
        0.0,
        1.0,
        0.0,
    ]


def test_a_route_never_seen_counts_as_average() -> None:
    assert probabilities(("never seen", 0), ("adyen", 0)) == [0.0, 1.0]
    assert probabilities(("never seen", 0), ("braintree", 0)) == [1.0, 0.0]


def test_stop_is_taken_only_where_there_is_nothing_else() -> None:
    assert probabilities(("stop", 0)) == [1.0]


def test_routes_of_equal_rate_share() -> None:
    row = Decision(1, (("a", 0), ("b", 0), ("stop", 0)), "visa", 1.0, None, (0.0,) * 3)
    assert BestRoute().probabilities(batch_of([row])).tolist() == [0.5, 0.5, 0.0]


def test_few_attempts_do_not_win_by_luck() -> None:
    lucky = {**policy().records, "lucky": RouteRecord("lucky", 2, 2.0)}
    assert next(iter(BestRoute(lucky).rates())) == "adyen"


def test_saving_and_loading_changes_nothing(tmp_path: Path) -> None:
    fitted = fit_best_route([logged_batch(300)])
    path = tmp_path / "best.json"
    fitted.save(path)
    assert BestRoute.load(path) == fitted
    batch = logged_batch(50, seed=1)
    assert np.array_equal(BestRoute.load(path).probabilities(batch), fitted.probabilities(batch))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"policy": "success-rate"}', '{"policy": "best-route", "routes": 1}',
     '{"policy": "best-route", "routes": [{"route": "a", "attempts": -1, "reward": 0}]}'],
)  # fmt: skip
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"other\.json"):
        BestRoute.load(path)
