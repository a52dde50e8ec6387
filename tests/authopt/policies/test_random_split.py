from __future__ import annotations

import pytest

from authopt.errors import UserError
from authopt.policies.random_split import RandomSplit
from authopt.policies.spec import load_policy
from tests.authopt.policies.batches import Decision, batch_of


def shares(spec: str, *actions: tuple[str, int]) -> list[float]:
    batch = batch_of([Decision(1, actions, "visa", 1.0, None, (0.0,) * len(actions))])
    return list(load_policy(spec).probabilities(batch).tolist())


SPEC = "random-split:weights=adyen:3+braintree:1"
A, B, C, STOP = ("adyen", 0), ("braintree", 0), ("checkout", 0), ("stop", 0)


def test_eligible_routes_share_in_proportion_to_their_weights() -> None:
    assert shares(SPEC, B, A) == [0.25, 0.75]


def test_routes_without_a_weight_get_nothing() -> None:
    assert shares(SPEC, C, A, STOP, B) == [0.0, 0.75, 0.0, 0.25]
    assert shares("random-split:weights=adyen:3+braintree:0", A, B) == [1.0, 0.0]


def test_what_is_not_eligible_is_shared_among_the_others() -> None:
    assert shares(SPEC, C, B, STOP) == [0.0, 1.0, 0.0]


def test_routes_without_a_weight_share_alike_where_there_is_no_other() -> None:
    assert shares(SPEC, C, ("never seen", 0), STOP) == [0.5, 0.5, 0.0]
    assert shares(SPEC, STOP) == [1.0]


def test_the_shortest_delay_of_a_route_is_taken() -> None:
    assert shares(SPEC, ("adyen", 3600), ("adyen", 60), ("braintree", 3600)) == [0.0, 0.75, 0.25]


def test_it_can_be_mixed_with_uniform() -> None:
    assert shares(SPEC + ",epsilon=0.2", A, B) == pytest.approx([0.7, 0.3])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("random-split", "needs weights"),
        ("random-split:weights=adyen", "no route with its weight"),
        ("random-split:weights=adyen:much", "no route with its weight"),
        ("random-split:weights=:3", "no route with its weight"),
        ("random-split:weights=a:1+a:2", "a is given twice"),
        ("random-split:weights=a:-1", "expected 0 or more"),
        ("random-split:weights=a:0", "above 0"),
        ("random-split:weights=stop:1", "last resort"),
    ],
)
def test_bad_specs_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_policy(spec)


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(UserError, match="expected 0 or more"):
        RandomSplit({"adyen": float("inf")})
