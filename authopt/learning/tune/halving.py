"""Successive halving: many candidates on a little of the log, the best few on more of it.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
AISTATS 2016, figure 1; Li et al., "Hyperband", JMLR 18(185), 2018, section 3.1 (keep a third).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

KEEP = 3
"""One candidate in so many goes on."""

C = TypeVar("C")
R = TypeVar("R")


def halve(
    candidates: Sequence[C],
    rungs: int,
    run: Callable[[int, Sequence[C]], Sequence[R]],
    score: Callable[[R], float],
    keep: int = KEEP,
) -> tuple[C, list[list[tuple[C, R]]]]:
    """Run candidates rung by rung, dropping all but the best third after each.

    Parameters
    ----------
    candidates
        at least one.
    rungs
        at least one.
    run
        gives the results of a rung (from 0) for some candidates, in their order.
    score
        of a result; more is better, NaN is the worst.
    keep
        one candidate in so many goes on.

    Returns
    -------
    tuple
        The winner of the last rung, and each rung's candidates with their results, best first.
        Candidates of the same score stay in the order that they were given in.
    """
    table: list[list[tuple[C, R]]] = []
    going = list(candidates)
    for rung in range(rungs):
        ran = list(zip(going, run(rung, going), strict=True))
        ran.sort(key=lambda each: _order(score(each[1])))
        table.append(ran)
        going = [candidate for candidate, _ in ran[: math.ceil(len(ran) / keep)]]
    return table[-1][0][0], table


def _order(score: float) -> float:
    return math.inf if math.isnan(score) else -score
