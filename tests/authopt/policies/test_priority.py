from __future__ import annotations

import numpy as np
import pytest

from authopt.batch import DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.policies.priority import Priority, by_priority
from tests.authopt.policies.batches import Decision, batch_of


def decision(*actions: tuple[str, int], previous: str | None = None) -> Decision:
    attempt = 1 if previous is None else 2
    return Decision(attempt, actions, "visa", 1.0, previous, (0.0,) * len(actions))


def batch(*rows: Decision) -> DecisionBatch:
    return batch_of(list(rows))


def taken(batch: DecisionBatch, probability: FloatArray) -> list[str]:
    assert probability[probability > 0].tolist() == [1.0] * batch.n
    at = np.flatnonzero(probability) - batch.offsets[:-1]
    return [str(batch.actions(row)[place]) for row, place in enumerate(at.tolist())]


A, B, C, STOP = ("adyen", 0), ("braintree", 0), ("checkout", 0), ("stop", 0)


def test_the_first_eligible_route_at_its_shortest_delay_is_taken() -> None:
    some = batch(decision(C, ("braintree", 3600), B, A), decision(C, STOP), decision(STOP, C))
    assert taken(some, by_priority(some, ["braintree", "adyen"])) == [
        "braintree",
        "checkout",
        "checkout",
    ]


def test_stop_is_taken_only_where_there_is_nothing_else() -> None:
    some = batch(decision(STOP), decision(STOP, ("never seen", 86_400)))
    assert taken(some, by_priority(some, ["adyen"])) == ["stop", "never seen+86400s"]


@pytest.mark.parametrize(
    ("previous", "next_route"),
    [("adyen", "braintree"), ("braintree", "checkout"), ("checkout", "adyen"), (None, "adyen")],
)
def test_a_retry_goes_on_to_the_next_route_and_round(previous: str | None, next_route: str) -> None:
    some = batch(decision(C, B, A, STOP, previous=previous))
    policy = Priority(("adyen", "braintree", "checkout"))
    assert taken(some, policy.probabilities(some)) == [next_route]


def test_a_retry_skips_routes_that_are_not_eligible_and_comes_back_to_its_own_last() -> None:
    policy = Priority(("adyen", "braintree", "checkout"))
    some = batch(
        decision(A, C, previous="adyen"),
        decision(A, ("never seen", 0), previous="adyen"),
        decision(A, previous="adyen"),
    )
    assert taken(some, policy.probabilities(some)) == ["checkout", "adyen", "adyen"]


def test_without_cascade_or_after_an_unknown_route_a_retry_starts_at_the_top() -> None:
    some = batch(decision(A, B, previous="adyen"))
    assert taken(some, Priority(("adyen", "braintree"), cascade=False).probabilities(some)) == [
        "adyen"
    ]
    other = batch(decision(A, B, previous="never seen"))
    assert taken(other, Priority(("adyen", "braintree")).probabilities(other)) == ["adyen"]


@pytest.mark.parametrize("routes", [(), ("a", ""), ("a", "b", "a"), ("a", "stop")])
def test_an_impossible_order_is_refused(routes: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="priority"):
        Priority(routes)
