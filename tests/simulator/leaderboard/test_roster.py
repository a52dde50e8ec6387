"""Rosters: static candidates, how the best is chosen, and specs of the leaderboard's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.policies.guard import Guarded
from authopt.policies.online import OnlineVw
from authopt.policies.spec import load_policy
from simulator.leaderboard.candidates import AT_ONCE, candidates_of, neighbours, ordered
from simulator.leaderboard.makers import make_policy
from simulator.leaderboard.places import place_named
from simulator.leaderboard.play import played
from simulator.leaderboard.roster import RECOMMENDED_EXPLORED, roster_of, tuned
from simulator.leaderboard.trained import recommended_spec
from simulator.simulate import simulate


def test_neighbours_swap_two_routes_that_follow_each_other() -> None:
    found = neighbours(ordered("x", ("a", "b", "c"), AT_ONCE))
    assert [each.order for each in found] == [("b", "a", "c"), ("a", "c", "b")]
    assert found[0].spec == "priority:routes=b,a,c"


def test_in_a_scenario_the_merchants_own_order_alone_is_tried(tmp_path: Path) -> None:
    found = candidates_of(place_named("new-route"), 200, tmp_path)
    assert {each.router for each in found} == {"own order"}
    # The route that is still to come is in no order.
    assert all("ipanema" not in each.spec for each in found)


@pytest.mark.parametrize("world", ["small", pytest.param("cards", marks=pytest.mark.slow)])
def test_every_candidate_can_be_played(world: str, tmp_path: Path) -> None:
    place = place_named(world)
    setting = place.setting(30, 1)
    for candidate in candidates_of(place, 600, tmp_path):
        policy = make_policy(candidate.spec, setting)
        (batch,) = simulate(setting.world, setting.traffic, policy)
        assert batch.n >= 30


def test_the_table_by_currency_goes_on_with_the_next_route_after_a_decline(tmp_path: Path) -> None:
    place = place_named("small")
    found = candidates_of(place, 600, tmp_path)
    spec = next(each.spec for each in found if each.label == "order by currency, at once")
    setting = place.setting(300, 1)
    for batch in simulate(setting.world, setting.traffic, load_policy(spec)):
        again = batch.attempt == 2
        previous = batch.context["previous_route"].values()  # type: ignore[union-attr]
        taken = [batch.routes[at] for at in batch.action_route[batch.chosen_action]]
        several = np.array(
            [len({batch.routes[r] for r in batch.action_route[a:b]} - {"stop"}) > 1
             for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)]
        )  # fmt: skip
        for row in np.flatnonzero(again & several):
            assert taken[row] != previous[row]


def test_the_best_static_policy_is_the_best_on_the_tuning_traffic(tmp_path: Path) -> None:
    found = tuned(place_named("new-route"), 60, tmp_path)
    assert list(found.values) == sorted(found.values, reverse=True)
    assert found.cascade.timetable == AT_ONCE
    assert found.cascade.order


def test_ours_with_a_log_has_learned_from_it_and_its_guard_has_seen_nothing(tmp_path: Path) -> None:
    place = place_named("small")
    spec = recommended_spec(place, 300, "uniform", tmp_path)
    policy = make_policy(spec, place.setting(1, 1))
    assert isinstance(policy, Guarded)
    assert isinstance(policy.policy, OnlineVw)
    assert policy.policy.rows >= 300
    assert policy.alarms == 0
    # The second time it is there.
    written = [path.stat().st_mtime_ns for path in (tmp_path / "made").iterdir()]
    assert recommended_spec(place, 300, "uniform", tmp_path) == spec
    assert [path.stat().st_mtime_ns for path in (tmp_path / "made").iterdir()] == written


@pytest.mark.slow
def test_whoever_had_a_log_is_held_against_ours_with_the_same_log(tmp_path: Path) -> None:
    roster = roster_of(place_named("small"), 600, ("recommended",), tmp_path)
    assert {each.label for each in roster.entries if each.equal == RECOMMENDED_EXPLORED} == {
        "best time, explored log",
        "best time, explored, timetable",
    }
    others = roster_of(place_named("small"), 600, ("uniform",), tmp_path)
    assert all(each.equal is None for each in others.entries)


def test_a_timed_policy_retries_on_its_timetable() -> None:
    setting = place_named("small").setting(300, 1)
    policy = make_policy("timed(days=3,then=repeat)+uniform", setting)
    for batch in played(setting, policy):
        retry = batch.attempt > 1
        delay = batch.action_delay_s[batch.chosen_action]
        longest = np.maximum.reduceat(batch.action_delay_s, batch.offsets[:-1])
        assert (delay[retry & (longest >= 3 * 86_400)] == 3 * 86_400).all()


@pytest.mark.parametrize(
    "spec", ["nonsense", "logged", "timed(days=x)+uniform", "timed(days=1)+no"]
)
def test_a_spec_that_cannot_be_played_is_refused(spec: str) -> None:
    setting = place_named("small").setting(1, 1)
    with pytest.raises(UserError):
        make_policy(spec, setting)
