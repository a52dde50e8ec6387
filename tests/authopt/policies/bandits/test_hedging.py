from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.policies.bandits.hedging import hedge_others
from authopt.policies.best_route import best_of_each
from tests.authopt.policies.batches import Decision, batch_of

ROUTES = ("a", "b", "c", "d")


def hedged(rates: list[float], out: list[bool], hedging: float) -> list[float]:
    actions = tuple((route, 0) for route in ROUTES[: len(rates)])
    batch = batch_of([Decision(1, actions, "visa", 1.0, None, (0.0,) * len(actions))])
    rate, eliminated = np.array(rates), np.array(out)
    head = best_of_each(batch, rate)
    best = best_of_each(batch, np.where(eliminated, rate / 5, rate))
    return [float(each) for each in hedge_others(batch, hedging, head, best, eliminated)]


def taken(rates: list[float], out: list[bool], explore: bool) -> int:
    """The route that the engine's own steps take, once its random number said whether to explore.

    The first of several equal scores.
    """
    scores = list(rates)
    if explore:
        head = scores.index(max(scores))
        scores = [0.5 if place == head else 1.0 for place in range(len(rates))]
    scores = [score / 5 if down else score for score, down in zip(scores, out, strict=True)]
    return scores.index(max(scores))


def engine(rates: list[float], out: list[bool], hedging: float) -> list[float]:
    """Probabilities of the engine's steps, over all orders that equal scores may come in."""
    share = min(hedging * (len(rates) - 1), 1.0)
    total = np.zeros(len(rates))
    orders = list(permutations(range(len(rates))))
    for order in orders:
        turned = [rates[place] for place in order], [out[place] for place in order]
        total[order[taken(*turned, explore=True)]] += share / len(orders)
        total[order[taken(*turned, explore=False)]] += (1.0 - share) / len(orders)
    return [float(each) for each in total]


def test_every_route_behind_the_best_gets_the_same_share() -> None:
    expected = [0.05, 0.85, 0.05, 0.05]
    assert hedged([0.7, 0.9, 0.8, 0.1], [False] * 4, 0.05) == pytest.approx(expected)


def test_a_share_of_one_or_more_leaves_nothing_for_the_best() -> None:
    assert hedged([0.7, 0.9, 0.8], [False] * 3, 0.9) == pytest.approx([0.5, 0.0, 0.5])


def test_what_is_out_gets_no_share_of_the_hedging() -> None:
    out = [False, True, False, True]
    assert hedged([0.7, 0.9, 0.8, 0.1], out, 0.1) == pytest.approx([0.15, 0.0, 0.85, 0.0])


def test_if_all_are_out_the_best_of_them_is_taken() -> None:
    assert hedged([0.7, 0.9, 0.8], [True] * 3, 0.0) == pytest.approx([0.0, 1.0, 0.0])


@given(
    rates=st.permutations([0.31, 0.52, 0.73, 0.94]),
    count=st.integers(1, 4),
    out=st.lists(st.booleans(), min_size=4, max_size=4),
    hedging=st.sampled_from([0.0, 0.05, 0.25, 0.9]),
)
@settings(max_examples=60, deadline=None)
def test_probabilities_are_those_of_the_engines_steps(
    rates: list[float], count: int, out: list[bool], hedging: float
) -> None:
    found = hedged(rates[:count], out[:count], hedging)
    assert found == pytest.approx(engine(rates[:count], out[:count], hedging), abs=1e-12)
