"""The price list of a place says what its world charges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.policies.uniform import Uniform
from authopt.prices import load_prices
from simulator.leaderboard.makers import make_policy
from simulator.leaderboard.places import place_named
from simulator.leaderboard.price_lists import lowest_cost_spec, price_list
from simulator.simulate import simulate
from simulator.tiny import TinyWorld


@pytest.mark.parametrize(
    "name", ["small", "new-route", pytest.param("cards", marks=pytest.mark.slow)]
)
def test_its_fees_are_those_of_the_outcomes(name: str, tmp_path: Path) -> None:
    setting = place_named(name).setting(300, 3)
    path = tmp_path / "prices.toml"
    path.write_text(price_list(setting.world), "utf-8")
    prices = load_prices(path)
    for log in simulate(setting.world, setting.traffic, Uniform()):
        charged = np.asarray(log.outcome["fee_minor"])
        for approved in (True, False):
            listed = prices.fees_minor(log, approved, log.chosen_action)
            rows = log.reward == float(approved)
            assert rows.any()
            # Worlds and lists round halves of a minor unit in ways of their own.
            assert np.abs(listed[rows] - charged[rows]).max() <= 1.0
            assert np.mean(listed[rows] == charged[rows]) > 0.95


def test_at_every_world_lowest_cost_can_be_played(tmp_path: Path) -> None:
    place = place_named("small")
    setting = place.setting(60, 1)
    policy = make_policy(lowest_cost_spec(place, tmp_path), setting)
    uniform, cheap = (
        np.concatenate(
            [log.outcome["fee_minor"] for log in simulate(setting.world, setting.traffic, each)]
        ).mean()
        for each in (Uniform(), policy)
    )
    assert cheap < 0.8 * uniform


def test_a_world_without_known_fees_has_no_list() -> None:
    with pytest.raises(TypeError, match="TinyWorld"):
        price_list(TinyWorld())
