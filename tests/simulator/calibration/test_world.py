"""The world of cards looks like what is published about real declines and recoveries."""

from __future__ import annotations

from functools import cache

import pytest

from simulator.calibration.commands import calibrated
from simulator.calibration.published import PUBLISHED
from simulator.worlds import NamedWorld, named_world


@cache
def cards() -> NamedWorld:
    return named_world("cards")


@pytest.mark.parametrize("seed", [1, 2])
def test_every_published_figure_lies_in_its_range(seed: int) -> None:
    rows = calibrated(cards(), 40_000, seed)
    assert [row.published for row in rows] == list(PUBLISHED)
    assert {row.published.key: row.simulated for row in rows if not row.inside} == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 11))
def test_every_published_figure_lies_in_its_range_in_long_logs(seed: int) -> None:
    rows = calibrated(cards(), 200_000, seed)
    assert {row.published.key: row.simulated for row in rows if not row.inside} == {}
