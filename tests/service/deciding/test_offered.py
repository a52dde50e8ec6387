"""What a decision is offered while routes are down."""

from __future__ import annotations

from authopt.policies.uniform import Uniform
from service.deciding.decide import decide_together, decide_without_policy
from service.deciding.offered import TAKEN_DOWN
from tests.service.deciding.asked import question, serving
from tests.service.in_process import ROUTES


def test_a_route_that_is_down_is_removed_with_that_as_the_reason() -> None:
    state = serving(Uniform(), down=frozenset({"adyen"}))
    (answer,) = decide_together([question(state)])
    assert {action.route for action in answer.actions} == {"braintree", "checkout"}
    assert [(each.route, each.reason) for each in answer.removed] == [("adyen", TAKEN_DOWN)] * 2


def test_the_static_priority_passes_over_a_route_that_is_down() -> None:
    state = serving(Uniform(), down=frozenset({"adyen"}))
    (answer,) = decide_without_policy([question(state)], "for a test")
    assert (answer.action.route, answer.propensity) == ("braintree", 1.0)


def test_actions_that_a_caller_names_are_removed_too_and_keep_their_features() -> None:
    state = serving(Uniform(), down=frozenset({"adyen"}))
    actions = [{"route": "adyen"}, {"route": "checkout", "features": {"rate": 0.4}}]
    asked = question(state, actions=actions)
    assert asked.offered.features == ({"rate": 0.4},)
    assert [each.route for each in decide_together([asked])[0].actions] == ["checkout"]


def test_where_all_routes_are_down_the_payment_stops() -> None:
    state = serving(Uniform(), down=frozenset(ROUTES))
    for attempt in (1, 2):
        asked = question(state, attempt=attempt)
        for answer in (
            decide_together([asked])[0],
            decide_without_policy([asked], "for a test")[0],
        ):
            assert [action.route for action in answer.actions] == ["stop"]
            assert (answer.action.route, answer.propensity) == ("stop", 1.0)
            assert {each.route for each in answer.removed} == set(ROUTES)
