"""Standings: paired intervals against a computation by hand, gaps, windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.leaderboard.cell import Cell, Result
from simulator.leaderboard.findings import best_rival, finding, of_the_same_log
from simulator.leaderboard.roster import Kind
from simulator.leaderboard.standings import Board, Run, board_of, interval, share_of_gap
from simulator.leaderboard.tally import COLUMNS, Blocks

T_975_2 = 4.302652729911275
"""97.5% quantile of Student's t with 2 degrees of freedom, from a printed table (4.303)."""

PAYMENTS = 400


def run(
    label: str,
    values: Sequence[float],
    kind: Kind = Kind.LEARNER,
    early: float = 0.5,
    equal: str | None = None,
) -> Run:
    """A policy with these values per payment after the first half, and ``early`` before."""
    results = []
    for seed, value in enumerate(values, start=1):
        columns = {name: np.zeros(200) for name in COLUMNS}
        columns["payments"] += 2.0
        columns["decisions"] += 3.0
        columns["attempts"] += 3.0
        columns["value"] += 2.0 * np.where(np.arange(200) < 100, early, value)
        columns["first_value"] = 0.9 * columns["value"]
        columns["best"] += 2.0
        columns["favourite"] = columns["value"] + 0.02
        cell = Cell("small", label, PAYMENTS, seed)
        results.append(Result(cell, label, 1.5, Blocks(**columns), {"lost_per_day": 2.0 * seed}))
    return Run(label, label, kind, tuple(results), equal)


def board(after: int = 200) -> Board:
    return board_of(
        [
            run("ours", (0.93, 0.95, 0.94), Kind.OURS),
            run("order", (0.90, 0.91, 0.92), Kind.STATIC),
            run("timed", (0.92, 0.93, 0.92), Kind.STATIC),
            run("oracle", (0.95, 0.96, 0.95), Kind.ORACLE),
        ],
        after=after,
        reference="ours",
        cascade="order",
        static="timed",
        oracle="oracle",
    )


def test_the_interval_of_a_difference_is_that_of_the_paired_differences() -> None:
    difference = board().standing("order").difference
    assert difference is not None
    # -0.03, -0.04, -0.02: mean -0.03, standard deviation 0.01.
    half = T_975_2 * 0.01 / np.sqrt(3)
    assert difference.mean == pytest.approx(-0.03)
    assert difference.lower == pytest.approx(-0.03 - half)
    assert difference.upper == pytest.approx(-0.03 + half)


def test_the_share_of_the_gap_is_the_ratio_of_the_mean_ways() -> None:
    own = board().standing("ours")
    assert own.captured_cascade is not None
    assert own.captured_static is not None
    assert own.captured_cascade.mean == pytest.approx((0.94 - 0.91) / (0.95333333 - 0.91))
    way = np.array([0.03, 0.03, 0.03])
    gone = np.array([0.01, 0.02, 0.02])
    share = gone.mean() / way.mean()
    error = np.std(gone - share * way, ddof=1) / np.sqrt(3) / way.mean()
    assert own.captured_static.mean == pytest.approx(share)
    assert own.captured_static.half == pytest.approx(T_975_2 * error)


def test_payments_before_the_window_do_not_count() -> None:
    assert board(after=200).standing("ours").value.mean == pytest.approx(0.94)
    assert board(after=0).standing("ours").value.mean == pytest.approx((0.94 + 0.5) / 2)
    assert board(after=200).counted == 200


def test_a_window_starts_with_a_block() -> None:
    assert board(after=199).after == 200
    assert board(after=200).after == 200


def test_the_best_comes_first_and_the_reference_has_no_difference() -> None:
    found = board()
    assert [each.label for each in found.standings] == ["oracle", "ours", "timed", "order"]
    assert found.standing("ours").difference is None


def test_costs_are_per_thousand_and_reports_are_means_over_seeds() -> None:
    own = board().standing("ours")
    assert own.regret.mean == pytest.approx(1_000 * 2 * (1 - 0.94) / 3)
    assert own.explored.mean == pytest.approx(1_000 * 0.02 / 2)
    assert own.attempts.mean == pytest.approx(1.5)
    assert own.reported == {"lost_per_day": 4.0}


def test_the_finding_says_who_wins_by_how_much_and_how_surely() -> None:
    rival = best_rival(board())
    assert rival is not None
    assert rival.label == "timed"
    # 0.01, 0.02, 0.02: mean 0.016667, standard deviation 0.0057735.
    assert finding(board()) == (
        "'ours' gets 94.00% of the payments paid, 166.7 of 10,000 more than 'timed', the best "
        "baseline (95%: 23.2 to 310.1)"
    )


def test_a_baseline_with_a_log_is_held_against_ours_that_had_the_same_log() -> None:
    found = board_of(
        [
            run("ours", (0.90, 0.90, 0.90), Kind.OURS),
            run("ours, log", (0.93, 0.95, 0.94), Kind.OURS),
            run("rival, log", (0.92, 0.93, 0.92), equal="ours, log"),
        ],
        after=200,
        reference="ours",
    )
    rival = found.standing("rival, log")
    assert rival.difference is not None
    assert rival.difference.mean == pytest.approx(0.07 / 3)
    assert rival.equal_difference is not None
    assert rival.equal_difference.mean == pytest.approx(-0.05 / 3)
    assert of_the_same_log(found) == [
        "'ours, log' gets 166.7 of 10,000 more than 'rival, log', which was given the same log "
        "(95%: 23.2 to 310.1)"
    ]
    assert of_the_same_log(board()) == []


def test_one_seed_gives_no_interval() -> None:
    found = board_of(
        [run("ours", (0.9,), Kind.OURS), run("other", (0.8,))], after=200, reference="ours"
    )
    difference = found.standing("other").difference
    assert difference is not None
    assert (difference.lower, difference.upper) == (None, None)


def test_there_is_no_share_of_a_gap_that_is_not_there() -> None:
    assert share_of_gap(np.array([0.9]), np.array([0.9]), np.array([0.9])) is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_an_interval_holds_its_mean_and_the_ends_of_the_gap_are_0_and_1(
    values: list[float],
) -> None:
    array = np.array(values)
    found = interval(array)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= found.mean <= found.upper
    start, end = (
        share_of_gap(array, array, array + 0.1),
        share_of_gap(array + 0.1, array, array + 0.1),
    )
    assert start is not None
    assert end is not None
    assert (start.mean, end.mean) == (pytest.approx(0.0), pytest.approx(1.0))
    assert end.half == pytest.approx(0.0, abs=1e-9)
