"""The check of the environment finds nothing where all is well, and finds what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from simulator.gym_env.checks import check, masked_random
from simulator.gym_env.named_worlds import named_world
from simulator.world import WorldSettings, make_world


class CrowdWorld:
    """A broken world: an attempt is approved where others are made at the same time."""

    def __init__(self) -> None:
        self.small: Any = named_world("small")
        self.route_names, self.offers = self.small.route_names, self.small.offers
        self.arrivals, self.following = self.small.arrivals, self.small.following

    def approval_probability(self, batch: LoggedBatch) -> Any:
        return self.small.approval_probability(batch)

    def with_outcome(self, batch: LoggedBatch, seed: int) -> LoggedBatch:
        back = self.small.with_outcome(batch, seed)
        approved = np.full(batch.n, float(batch.n > 1))
        outcome = {**back.outcome, "approved": approved}
        return replace(back, outcome=outcome, reward=approved)


class LuckyWorld(CrowdWorld):
    """A broken world: what comes back hangs on how often it was asked."""

    asked = 0

    def with_outcome(self, batch: LoggedBatch, seed: int) -> LoggedBatch:
        self.asked += 1
        back = self.small.with_outcome(batch, seed)
        approved = np.full(batch.n, float(self.asked % 2))
        outcome = {**back.outcome, "approved": approved}
        return replace(back, outcome=outcome, reward=approved)


@pytest.mark.parametrize("world", ["small", "cards"])
def test_our_worlds_have_no_problems(world: str) -> None:
    made = make_world(WorldSettings(issuers=60, cards=20_000, merchants=12))
    assert check("small" if world == "small" else made, steps=15) == []


def test_a_vector_environment_unlike_the_single_ones_is_found() -> None:
    problems = check(CrowdWorld(), steps=5)
    assert not [problem for problem in problems if problem.startswith("single")]
    assert "vector, NextStep: step 1: reward differs from that of the single environments" in (
        problems
    )


def test_what_gymnasiums_checker_says_is_a_problem() -> None:
    problems = check(LuckyWorld(), steps=5)
    assert any("single: AssertionError: Deterministic step" in problem for problem in problems)


def test_masked_random_actions_are_drawn_from_the_mask_alone_and_all_of_it() -> None:
    mask = np.tile(np.array([0, 1, 0, 1, 1], np.int8), (3_000, 1))
    drawn = np.bincount(masked_random(mask, np.random.default_rng(1)), minlength=5)
    assert drawn[[0, 2]].tolist() == [0, 0]
    assert (np.abs(drawn[[1, 3, 4]] - 1_000) < 120).all()
