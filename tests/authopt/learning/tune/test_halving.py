from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from authopt.learning.tune.halving import halve


def test_the_best_third_goes_on_and_the_last_rung_decides() -> None:
    asked: list[list[int]] = []

    def run(rung: int, going: Sequence[int]) -> list[float]:
        asked.append(list(going))
        # On the last rung the order turns round: it alone decides.
        return [float(-each if rung == 2 else each) for each in going]

    winner, table = halve(range(12), 3, run, float)
    assert asked == [list(range(12)), [11, 10, 9, 8], [11, 10]]
    assert winner == 10
    assert [len(rung) for rung in table] == [12, 4, 2]


def test_a_candidate_that_failed_comes_last_and_ties_keep_their_order() -> None:
    scores = {"failed": math.nan, "a": 0.5, "b": 0.5, "poor": 0.1}
    winner, table = halve(list(scores), 1, lambda _, going: [scores[each] for each in going], float)
    assert winner == "a"
    assert [each for each, _ in table[0]] == ["a", "b", "poor", "failed"]


@given(
    scores=st.lists(st.floats(allow_infinity=False), min_size=1, max_size=40),
    rungs=st.integers(1, 4),
)
def test_every_rung_is_a_subset_of_the_one_before_and_never_empty(
    scores: list[float], rungs: int
) -> None:
    numbers = list(range(len(scores)))
    _, table = halve(numbers, rungs, lambda _, going: [scores[each] for each in going], float)
    for before, after in pairwise(table):
        assert {each for each, _ in after} <= {each for each, _ in before}
        assert len(after) == math.ceil(len(before) / 3)
