"""A route without a past is scored by what is known of it, and by nothing where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, LoggedBatch
from authopt.features.route_properties import RouteTable
from authopt.learning.train_vw import train_vw
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from tests.factories import logged_batch

EPSILON = 0.05
OLD = ("north", "south", "east", "west")
TABLE: RouteTable = {
    "north": {"acquirer": "Good", "countries": ("DE",), "cost": 0.2},
    "south": {"acquirer": "Good", "countries": ("FR",), "cost": 0.4},
    "east": {"acquirer": "Bad", "countries": ("DE",), "cost": 0.2},
    "west": {"acquirer": "Bad", "countries": ("FR",), "cost": 0.4},
    "good and new": {"acquirer": "Good", "countries": ("PL",), "cost": 0.2},
    "good and new abroad": {"acquirer": "Good", "countries": ("DE",), "cost": 0.2},
    "bad and new": {"acquirer": "Bad", "countries": ("DE",), "cost": 0.4},
}


def success(acquirer: str, at_home: bool) -> float:
    return {"Good": 0.7, "Bad": 0.4}[acquirer] + 0.2 * at_home


def log(n: int = 6000) -> LoggedBatch:
    """Approvals depend on the acquirer and on being at home, and on no route's name."""
    batch = logged_batch(n, routes=OLD, attempts_per_payment=1, uniform_logging=True)
    batch = replace(batch, context=context(n))
    country = batch.context["issuer_country"]
    assert isinstance(country, Categorical)
    chance = np.array(
        [
            success(str(TABLE[route]["acquirer"]), place in TABLE[route]["countries"])  # type: ignore[operator]
            for route, place in zip(
                [OLD[code] for code in batch.action_route[batch.chosen_action]],
                country.values(),
                strict=True,
            )
        ]
    )
    return replace(batch, reward=(np.random.default_rng(3).random(n) < chance).astype(np.float64))


def context(n: int) -> dict[str, Categorical]:
    country = np.random.default_rng(2).integers(0, 3, n).astype(np.int32)
    return {"issuer_country": Categorical(country, ("DE", "FR", "PL"))}


def offered(routes: tuple[str, ...], country: str, n: int = 1) -> DecisionBatch:
    batch = logged_batch(n, routes=routes).decisions()
    return replace(batch, context={"issuer_country": Categorical.from_values([country] * n)})


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, VwPolicy]:
    found, kept = {}, log()
    for name, table in (("with", TABLE), ("without", None)):
        out = tmp_path_factory.mktemp("cold") / "model.vw"
        options = VwOptions(epsilon=EPSILON, start=-float(kept.reward.mean()))
        train_vw(lambda _: [kept], out, options, routes=table)
        found[name] = VwPolicy.load(out)
    return found


def share(policy: VwPolicy, route: str, others: tuple[str, ...], country: str) -> float:
    return float(policy.probabilities(offered((*others, route), country))[-1])


def test_a_new_route_like_a_good_one_gets_the_traffic_at_once(
    policies: dict[str, VwPolicy],
) -> None:
    most = 1.0 - EPSILON
    assert share(policies["with"], "good and new", ("east", "west"), "FR") > most
    assert share(policies["with"], "bad and new", ("north", "south"), "DE") < 2 * EPSILON
    for route in ("good and new", "bad and new"):
        told_nothing = share(policies["without"], route, ("east", "west"), "FR")
        assert told_nothing == pytest.approx(EPSILON / 3, abs=1e-15)


def test_being_at_home_counts_in_a_country_where_no_route_ever_was(
    policies: dict[str, VwPolicy],
) -> None:
    abroad = ("good and new abroad",)
    assert share(policies["with"], "good and new", abroad, "PL") > 1.0 - EPSILON
    assert share(policies["with"], "good and new", abroad, "DE") < EPSILON


def test_a_route_added_after_training_is_described_by_columns_of_the_decision(
    policies: dict[str, VwPolicy],
) -> None:
    batch = offered(("east", "west", "later"), "FR")
    described = replace(
        batch,
        action_features={"acquirer": Categorical.from_values([None, None, "Good"])},
    )
    assert policies["with"].probabilities(described)[-1] > 1.0 - EPSILON
    assert policies["with"].probabilities(batch)[-1] == pytest.approx(EPSILON / 3, abs=1e-15)


def test_two_new_routes_are_told_apart_where_no_route_has_a_past(
    policies: dict[str, VwPolicy],
) -> None:
    batch = offered(("bad and new", "good and new"), "FR", n=3)
    assert (policies["with"].probabilities(batch)[1::2] > 1.0 - EPSILON).all()
    assert policies["without"].probabilities(batch).tolist() == [0.5] * 6
