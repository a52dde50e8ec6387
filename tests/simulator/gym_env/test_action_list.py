"""The fixed list of actions: what a number means, and where it stands in a batch."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.actions import STOP, Action
from authopt.errors import UserError
from authopt.policies.uniform import Uniform
from simulator.gym_env.action_list import ActionList
from simulator.gym_env.named_worlds import delays_of, named_world
from simulator.simulate import simulate
from simulator.traffic import Traffic

WORLD = named_world("small")
ACTIONS = ActionList(WORLD.route_names, delays_of(WORLD))


def test_numbers_go_route_by_route_and_stop_is_the_last() -> None:
    actions = ActionList(("a", "b"), (0, 60))
    assert [actions.action(number) for number in range(actions.size)] == [
        Action("a", 0),
        Action("a", 60),
        Action("b", 0),
        Action("b", 60),
        STOP,
    ]


def test_every_action_of_a_log_has_the_number_of_its_route_and_delay() -> None:
    batch = next(simulate(WORLD, Traffic(300), Uniform()))
    number = ACTIONS.numbers(batch)
    for decision in range(0, batch.n, 7):
        own = number[batch.offsets[decision] : batch.offsets[decision + 1]].tolist()
        assert [ACTIONS.action(each) for each in own] == batch.actions(decision)


def test_positions_lead_back_to_the_action() -> None:
    batch = next(simulate(WORLD, Traffic(300), Uniform()))
    position = ACTIONS.positions(batch)
    decision, number = np.nonzero(position >= 0)
    assert len(decision) == batch.m
    found = position[decision, number]
    np.testing.assert_array_equal(batch.decision_of_action[found], decision)
    np.testing.assert_array_equal(ACTIONS.numbers(batch)[found], number)


def test_an_action_that_is_not_listed_is_named_and_not_dropped() -> None:
    batch = next(simulate(WORLD, Traffic(300), Uniform()))
    with pytest.raises(UserError, match=r"offers \w+\+120s, which is not among"):
        ActionList(WORLD.route_names, (0, 3_600, 86_400, 3 * 86_400)).positions(batch)


@pytest.mark.parametrize(
    ("routes", "delays_s"), [((), (0,)), (("a", "stop"), (0,)), (("a",), ()), (("a",), (60, 0))]
)
def test_a_list_without_routes_or_with_unordered_delays_is_refused(
    routes: tuple[str, ...], delays_s: tuple[int, ...]
) -> None:
    with pytest.raises(UserError, match="expected"):
        ActionList(routes, delays_s)
