"""The bandit bake-off: its protocol, its data sets and the floor of what Vowpal Wabbit decides."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rich.console import Console

from authopt.policies.experience_replay import REPLAYS
from authopt.policies.vw_options import SHORT_STREAM, VwOptions
from benchmarks import bakeoff
from benchmarks._bakeoff_data import Problem, bundled, halves, table_of
from benchmarks._bakeoff_learners import DEFAULT, OURS
from benchmarks._bakeoff_others import Coba
from benchmarks._bakeoff_protocol import Played, better, drawn, play
from benchmarks._bakeoff_vw import of_defaults, of_options


class Fixed:
    """Picks one class for ever, and keeps what it was told."""

    def __init__(self, action: int) -> None:
        self.action = action
        self.told: list[tuple[int, float]] = []

    def pick(self, features: NDArray[np.float64], draw: float) -> tuple[int, float, float]:
        return self.action, 1.0, 0.0

    def learn(
        self, features: NDArray[np.float64], action: int, loss: float, probability: float
    ) -> None:
        self.told.append((action, loss))


def separable(rows: int = 400) -> Problem:
    """The class is the column that is 1."""
    labels = np.random.default_rng(3).integers(3, size=rows)
    return Problem("separable", np.eye(3)[labels], labels, 3)


def test_whoever_always_picks_one_class_loses_the_share_of_the_others() -> None:
    problem = Problem("p", np.zeros((10, 1)), np.array([0] * 7 + [1] * 3), 2)
    assert play(problem, Fixed(0), seed=1, rounds=100).loss == pytest.approx(0.3)
    assert play(problem, Fixed(1), seed=1, rounds=100).loss == pytest.approx(0.7)


def test_a_learner_is_told_the_loss_of_what_it_picked_and_nothing_else() -> None:
    learner = Fixed(2)
    played = play(separable(30), learner, seed=0, rounds=20)
    assert played.rounds == len(learner.told) == 20
    assert {action for action, _ in learner.told} == {2}
    assert played.loss == pytest.approx(np.mean([loss for _, loss in learner.told]))


def test_a_seed_shuffles_a_problem_alike_for_all_learners() -> None:
    first, again, other = Fixed(0), Fixed(0), Fixed(0)
    for learner, seed in ((first, 4), (again, 4), (other, 5)):
        play(separable(60), learner, seed=seed, rounds=60)
    assert first.told == again.told != other.told


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=6), st.floats(0.0, 0.999))
def test_a_draw_falls_on_the_class_whose_share_of_the_line_it_is_in(
    weights: list[float], draw: float
) -> None:
    shares = (np.array(weights) / sum(weights)).tolist()
    action = drawn(shares, draw)
    below = sum(shares[:action])
    assert below - 1e-9 <= draw <= below + shares[action] + 1e-9


def test_a_loss_is_better_only_when_the_rounds_can_tell() -> None:
    assert better(0.30, 0.40, 1_000)
    assert not better(0.30, 0.40, 20)
    assert not better(0.40, 0.30, 1_000)
    assert not better(0.0, 0.0, 10)


@pytest.mark.parametrize("regression", [True, False])
def test_the_options_learn_a_separable_problem_and_keep_their_floor(regression: bool) -> None:
    options = VwOptions(
        epsilon=0.06, learning_rate=0.5, weighting="regression" if regression else "ips"
    )
    played = play(separable(), of_options(options, 3), seed=0, rounds=400)
    assert played.loss < 0.15
    assert played.least == pytest.approx(0.02, rel=1e-4)


def test_the_options_for_short_streams_never_give_a_class_less_than_their_floor() -> None:
    learner = of_options(SHORT_STREAM, 3, replays=REPLAYS)
    played = play(separable(200), learner, seed=0, rounds=200)
    assert played.least >= SHORT_STREAM.epsilon / 3 * (1.0 - 1e-6)


def test_replays_lose_less_and_repeat_from_the_same_seed() -> None:
    slow = replace(SHORT_STREAM, learning_rate=0.05)
    without, first, again = (
        play(separable(80), of_options(slow, 3, replays=replays, seed=7), seed=0, rounds=80)
        for replays in (0, REPLAYS, REPLAYS)
    )
    assert first.loss == again.loss < without.loss


def test_the_defaults_learn_too() -> None:
    assert play(separable(), of_defaults(3), seed=0, rounds=400).loss < 0.3


def test_a_learner_that_shares_among_equals_is_told_back_what_it_asked_for() -> None:
    class Learner:
        def __init__(self) -> None:
            self.learned: list[tuple[object, ...]] = []

        def _pmf(
            self, context: object, actions: list[object]
        ) -> tuple[list[float], dict[str, int]]:
            return [2.0, 2.0], {"note": 5}

        def learn(self, *told: object, note: int) -> None:
            self.learned.append((*told, note))

    inner = Learner()
    learner = Coba(inner, 2)
    row = np.array([0.5])
    assert learner.pick(row, 0.7) == (1, 0.5, 0.5)
    learner.learn(row, 1, 0.0, 0.5)
    assert inner.learned == [((0.5,), (0.0, 1.0), 1.0, 0.5, 5)]


def test_the_bundled_sets_are_whole_and_standardised() -> None:
    shapes = {each.name: (*each.features.shape, each.classes) for each in bundled()}
    assert shapes == {
        "breast-cancer": (569, 30, 2),
        "digits": (1797, 61, 10),
        "iris": (150, 4, 3),
        "wine": (178, 13, 3),
    }
    for problem in bundled():
        assert np.allclose(problem.features.mean(axis=0), 0.0, atol=1e-9)
        assert np.allclose(problem.features.std(axis=0), 1.0)
        assert set(problem.labels.tolist()) == set(range(problem.classes))


def test_nominal_columns_of_a_file_become_one_column_a_value(tmp_path: Path) -> None:
    path = tmp_path / "set.dat"
    path.write_text("@relation set\n1.5, red, yes\n2, blue, no\n\n3, red, no\n", encoding="utf-8")
    features, classes = table_of(path)
    assert features.tolist() == [[1.5, 0.0, 1.0], [2.0, 1.0, 0.0], [3.0, 0.0, 1.0]]
    assert classes.tolist() == ["yes", "no", "no"]


@pytest.mark.parametrize(
    ("ours", "least", "status"), [(0.2, 0.001, 0), (0.1, 0.001, 0), (0.3, 0.001, 1), (0.1, 0.0, 1)]
)
def test_the_bar_is_the_best_of_the_others_with_a_probability_above_0(
    ours: float, least: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = Problem("p", np.zeros((10, 1)), np.zeros(10, np.int64), 2)
    played = {
        (name, "p"): [Played(loss, floor, 10, 0.0)]
        for name, loss, floor in (
            (OURS, ours, least),
            (f"{OURS} otherwise", 0.0, 0.1),
            (DEFAULT, 0.4, 0.1),
            ("linucb", 0.2, np.nan),
        )
    }
    names = [name for name, _ in played]
    results = bakeoff.Results([problem], frozenset(), names, played)
    assert bakeoff.verdict(Console(), results) == status
    assert capsys.readouterr().out.endswith("(bar 0.2000, linucb)\n")


def test_no_set_both_chooses_options_and_checks_them() -> None:
    found = bundled()
    choosing, checking = ({each.name for each in half} for half in halves(found))
    assert choosing.isdisjoint(checking)
    assert choosing | checking == {each.name for each in found}


@pytest.mark.skipif(importlib.util.find_spec("coba") is not None, reason="the packages are there")
def test_without_the_packages_it_says_how_to_get_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert bakeoff.main(["--quick"]) == 2
    assert "make bakeoff" in capsys.readouterr().err
