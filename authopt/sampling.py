"""Draw one action per decision, so that the same decision always draws the same action."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from authopt.batch import DecisionBatch, FloatArray, IntArray
from authopt.hashing import hash_strings, salted, unit_interval, unit_of

DEFAULT_SALT = "authopt"

_IN_TURN = 8
"""So many numbers numpy adds one after the other, the first one last; more of them in pairs."""


def uniforms(decision_id: pa.StringArray, salt: str = DEFAULT_SALT) -> FloatArray:
    """float64[n] in [0, 1), fixed by the decision id and the salt."""
    return unit_interval(salted(hash_strings(decision_id), f"sample:{salt}"))


def uniform_of(decision_id: pa.StringArray, salt: str = DEFAULT_SALT) -> float:
    """As :func:`uniforms` for one decision."""
    if decision_id.null_count:
        raise ValueError("cannot hash missing ids")
    return unit_of(decision_id[0].as_py(), f"sample:{salt}")


def normalise(batch: DecisionBatch, probabilities: FloatArray) -> FloatArray:
    """Probabilities (float64[m]) that sum to 1 within each decision.

    Raises
    ------
    ValueError
        If a probability is negative or not finite, or a decision's sum is 0.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if len(probabilities) != batch.m:
        raise ValueError(f"expected {batch.m} probabilities, got {len(probabilities)}")
    if batch.n == 1:
        return np.array(normalise_one(probabilities.tolist()))
    lowest, highest = probabilities.min(initial=0.0), probabilities.max(initial=0.0)
    if not (lowest >= 0 and highest < np.inf):
        raise ValueError("a probability is negative or not finite")
    totals = batch.sum_by_decision(probabilities)
    if not (totals > 0).all():
        raise ValueError("the probabilities of a decision sum to 0")
    return probabilities / np.repeat(totals, batch.counts)


def normalise_one(probabilities: list[float]) -> list[float]:
    """As :func:`normalise` for the probabilities of one decision, bit for bit."""
    if not are_possible(probabilities):
        raise ValueError("a probability is negative or not finite")
    total = total_of(probabilities)
    if not total > 0:
        raise ValueError("the probabilities of a decision sum to 0")
    return [each / total for each in probabilities]


def are_possible(probabilities: list[float]) -> bool:
    """Whether every number is finite and not negative."""
    for each in probabilities:  # noqa: SIM110, a generator takes twice as long
        if not 0.0 <= each < math.inf:
            return False
    return True


def total_of(values: list[float]) -> float:
    """As :meth:`DecisionBatch.sum_by_decision` for one decision: added up in numpy's order."""
    if len(values) > _IN_TURN:
        return float(np.add.reduceat(np.array(values), [0]).item(0))
    rest = 0.0
    for each in values[1:]:
        rest += each
    return values[0] + rest


def sample(batch: DecisionBatch, probabilities: FloatArray, uniform: FloatArray) -> IntArray:
    """Inverse CDF: the position of the drawn action within each decision.

    The sum runs action by action within each decision, so the draw does not depend on which other
    decisions are in the batch.

    Parameters
    ----------
    batch
        n decisions with m actions.
    probabilities
        float64[m], summing to 1 within each decision.
    uniform
        float64[n] in [0, 1).

    Returns
    -------
    int64[n]
        Never an action of probability 0.
    """
    if batch.n == 1:
        return np.array([sample_one(probabilities.tolist(), float(uniform[0]))], np.int64)
    chosen = np.empty(batch.n, np.int64)
    rows = np.arange(batch.n)
    at, left = batch.offsets[:-1].copy(), batch.counts
    total, last_possible = np.zeros(batch.n), np.zeros(batch.n, np.int64)
    position = 0
    while len(rows):
        probability = probabilities[at]
        total += probability
        possible = probability > 0
        last_possible[possible] = position
        position += 1
        # Rounding can leave the total a hair under 1 and the uniform above it.
        drawn = (uniform < total) & possible
        ended = drawn | (left <= position)
        chosen[rows[ended]] = last_possible[ended]
        going = np.flatnonzero(~ended)
        rows, at, left, uniform = rows[going], at[going] + 1, left[going], uniform[going]
        total, last_possible = total[going], last_possible[going]
    return chosen


def sample_one(probabilities: list[float], uniform: float) -> int:
    """As :func:`sample` for one decision, with the same sums, without arrays."""
    total, last_possible = 0.0, 0
    for position, probability in enumerate(probabilities):
        total += probability
        if probability > 0:
            if uniform < total:
                return position
            last_possible = position
    return last_possible
