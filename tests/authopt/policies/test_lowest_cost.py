from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch
from authopt.errors import UserError
from authopt.policies.lowest_cost import LowestCost
from authopt.policies.spec import load_policy
from tests.authopt.policies.batches import Decision, batch_of

PRICES = """
currency = "EUR"

[[fees]]
route = "adyen"
each = { fixed = 10 }
approved = { bps = 60 }

[[fees]]
route = "braintree"
approved = { fixed = 30 }

[[fees]]
route = "checkout"
each = { fixed = 10 }
approved = { bps = 60 }
"""


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES, "utf-8")
    return path


def batch(*actions: tuple[str, int], amount: float, previous: str | None = None) -> DecisionBatch:
    attempt = 1 if previous is None else 2
    made = batch_of([Decision(attempt, actions, "visa", amount, previous, (0.0,) * len(actions))])
    return replace(made, context={**made.context, "currency": Categorical.from_values(["EUR"])})


def taken(spec: str, some: DecisionBatch) -> str:
    probability = load_policy(spec).probabilities(some)
    assert sorted(probability) == [0.0] * (some.m - 1) + [1.0]
    return str(some.actions(0)[int(probability.argmax())])


A, B, C, STOP = ("adyen", 0), ("braintree", 0), ("checkout", 0), ("stop", 0)


@pytest.mark.parametrize(("amount", "route"), [(1_000, "adyen"), (5_000, "braintree")])
def test_the_route_of_the_lowest_fee_on_approval_is_taken(
    prices: Path, amount: float, route: str
) -> None:
    # 10 + 60 bps meet 30 at an amount of 3,333.
    assert taken(f"lowest-cost:{prices}", batch(STOP, B, A, amount=amount)) == route


def test_an_assumed_approval_rate_weighs_what_declines_cost(prices: Path) -> None:
    some = batch(A, B, amount=2_000)
    assert taken(f"lowest-cost:{prices}", some) == "adyen"
    # Approved 22 and declined 10 against 30 and nothing: the other way at half approved.
    policy = load_policy(f"lowest-cost:{prices},approval=0.5")
    assert isinstance(policy, LowestCost)
    assert policy.expected_fee_minor(some).tolist() == [16.0, 15.0]
    assert taken(f"lowest-cost:{prices},approval=0.5", some) == "braintree"


def test_of_equally_cheap_routes_the_first_of_the_order_is_taken(prices: Path) -> None:
    some = batch(C, A, amount=1_000)
    assert taken(f"lowest-cost:{prices}", some) == "adyen"
    assert taken(f"lowest-cost:{prices},routes=checkout+adyen", some) == "checkout"


def test_routes_without_a_price_come_last_but_before_giving_up(prices: Path) -> None:
    unknown = ("never seen", 0)
    assert taken(f"lowest-cost:{prices}", batch(STOP, unknown, B, amount=1_000)) == "braintree"
    assert taken(f"lowest-cost:{prices}", batch(STOP, unknown, amount=1_000)) == "never seen"
    assert taken(f"lowest-cost:{prices}", batch(STOP, amount=1_000)) == "stop"


def test_an_amount_that_is_not_known_leaves_only_fixed_fees(prices: Path) -> None:
    assert taken(f"lowest-cost:{prices}", batch(A, B, amount=float("nan"))) == "braintree"


def test_a_retry_tries_the_previous_route_last(prices: Path) -> None:
    some = batch(A, B, STOP, amount=1_000, previous="adyen")
    assert taken(f"lowest-cost:{prices}", some) == "braintree"
    assert taken(f"lowest-cost:{prices},cascade=no", some) == "adyen"
    only = batch(A, STOP, amount=1_000, previous="adyen")
    assert taken(f"lowest-cost:{prices}", only) == "adyen"


def test_the_shortest_delay_of_a_route_is_taken(prices: Path) -> None:
    some = batch(("adyen", 3600), A, amount=1_000)
    assert taken(f"lowest-cost:{prices}", some) == "adyen"


def test_an_empty_batch_has_no_probabilities(prices: Path) -> None:
    empty = batch(A, amount=1.0).take(slice(0, 0))
    assert load_policy(f"lowest-cost:{prices}").probabilities(empty).shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [(",approval=1.2", "expected 0 to 1"), (",routes=stop", "comes last anyway")],
)
def test_bad_specs_are_refused(prices: Path, options: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_policy(f"lowest-cost:{prices}{options}")


def test_a_price_list_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a file"):
        load_policy("lowest-cost")
    with pytest.raises(UserError, match=r"nowhere\.toml"):
        load_policy(f"lowest-cost:{tmp_path / 'nowhere.toml'}")


def test_the_fees_are_those_of_the_price_list(prices: Path) -> None:
    policy = load_policy(f"lowest-cost:{prices}")
    assert isinstance(policy, LowestCost)
    fees = policy.expected_fee_minor(batch(A, B, STOP, ("never seen", 0), amount=1_000))
    assert fees[:3].tolist() == [16.0, 30.0, 0.0]
    assert np.isnan(fees[3])
