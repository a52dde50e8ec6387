"""How the leaderboard's benchmark judges scenarios: by the budget that the policy declares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.leaderboard import behind, budget, explored, story_table, within
from simulator.leaderboard.places import DAYS
from simulator.leaderboard.roster import Kind
from simulator.leaderboard.standings import Board, Interval, Standing

PAYMENTS = 1_000


def standing(label: str, kind: Kind, value: float, difference: float | None) -> Standing:
    def at(mean: float) -> Interval:
        return Interval(mean, mean, mean)

    of_rival = None if difference is None else at(difference)
    return Standing(
        label, label, kind, at(value), of_rival, None, None, None, None, at(value), at(1.0),
        at(0.0), at(2.0), 1.0, {},
    )  # fmt: skip


def board(ahead: float, lost_per_day: float | None) -> Board:
    """The best baseline is ahead; two payments of 1,000 are lost by exploring in truth."""
    own = standing("recommended", Kind.OURS, 0.9, None)
    if lost_per_day is not None:
        own = replace(own, reported={"lost_per_day": lost_per_day})
    rival = standing("ucb", Kind.LEARNER, 0.9 + ahead, ahead)
    return Board(
        "small", PAYMENTS, (1, 2), 0, PAYMENTS, "recommended", None, None, None,
        (rival, own), {"ucb": np.zeros(1)}, PAYMENTS,
    )  # fmt: skip


def test_the_declared_budget_is_over_all_days_of_the_scenario() -> None:
    assert budget(board(0.0, 0.5)) == pytest.approx(0.5 * DAYS / PAYMENTS)
    assert budget(board(0.0, None)) is None


@pytest.mark.parametrize(
    ("ahead", "lost_per_day", "expected"),
    [
        (-0.01, 0.0, True),
        (0.02, 0.5, True),
        (0.04, 0.5, False),
        # Without a budget, what exploring costs in truth: 0.002.
        (0.001, None, True),
        (0.003, None, False),
    ],
)
def test_it_may_be_behind_by_its_budget_and_no_more(
    ahead: float, lost_per_day: float | None, expected: bool
) -> None:
    assert within(board(ahead, lost_per_day)) is expected


def test_what_exploring_costs_in_truth_is_shown_beside_the_budget() -> None:
    one = board(0.02, 0.5)
    assert behind(one) > explored(one) == pytest.approx(0.002)
    cells = [next(iter(column.cells)) for column in story_table([one]).columns]
    assert cells[-4:] == ["300.0", "within", "20.0", "behind"]
