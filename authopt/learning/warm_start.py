"""Learning from a log that explored nothing, without falling for it.

A log made by fixed rules has a propensity of 1 throughout. Its routes differ in the payments that
the rules send them as well as in what they do with them, and a retry's route has met the payments
that another one refused. Regression takes that for the routes' doing, and of an action that the
rules never take it knows nothing at all: whatever it says of it is extrapolation, and the best of
many extrapolations is the one that errs most.

The remedy is pessimism in the face of what was not seen (Jin, Yang and Wang, "Is Pessimism Provably
Efficient for Offline RL?", ICML 2021; Swaminathan and Joachims, "Counterfactual Risk Minimization",
ICML 2015):

1. The columns of the context that the rules go by are found: one after the other, the column that
   tells most of which action was taken. Payments that agree in them make a cell. Within a cell the
   rules took different actions only for other reasons, such as that they were changed.
2. In a decision without exploration, every eligible action that was not taken is learned at the
   lower bound of what it brought in the cell, and where it was hardly ever taken there, at the
   worst possible reward. First attempts and retries are never in one cell.
3. So the model begins by doing as the rules did, and does otherwise only where the log has shown,
   like for like, that something else is better. Its exploration does the rest: decisions that
   explored are learned as they are.

What the rules went by and the log does not hold is not seen here, nor by anything else; of numbers
with many values, such as amounts, it is not looked for. And the first log that explored a little
may hold too little to beat rules that are already good: what is learned from it has to pass the
gate as any other candidate does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.features.tabular import decision_table
from authopt.hashing import UIntArray, hash_strings, salted

CERTAIN = 0.999
"""A decision of a larger propensity did not explore."""

LEAST_ROWS = 30
"""Where an action was taken less often in a cell, nothing is known of it there."""

Z = 2.0
"""Standard errors from the mean to the lower bound."""

_LEAST_GAIN = 0.005
"""Share of what is not yet told of the action that another column has to tell."""

_MOST_COLUMNS = 8

_MOST_VALUES = 32
"""A number with more values is not looked at: that rules go by an amount is not found."""


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """What actions brought, like for like.

    Attributes
    ----------
    columns
        of the context, that the logging policy went by, most telling first.
    worst
        reward of an action of which nothing is known.
    keys
        uint64[c], sorted: a hash for each cell and action that occurred.
    lower
        float64[c], lower bounds of the mean reward.
    """

    columns: tuple[str, ...]
    worst: float
    keys: UIntArray
    lower: FloatArray

    def bounds(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the lower bound of every eligible action; ``stop`` is worth 0 for sure."""
        every = np.arange(batch.m, dtype=np.int64)
        key = _keys(batch, every, self.columns)
        at = np.searchsorted(self.keys, key)
        found = np.zeros(batch.m, np.bool_)
        inside = at < len(self.keys)
        found[inside] = self.keys[at[inside]] == key[inside]
        values = np.full(batch.m, self.worst)
        values[found] = self.lower[at[found]]
        return np.where(batch.is_stop, max(self.worst, 0.0), values)


def fit_support(batch: LoggedBatch, reward: FloatArray, worst: float) -> Support:
    """Find the columns that the logging policy went by, and what actions brought in their cells.

    Parameters
    ----------
    batch
        n decisions.
    reward
        float64[n], what they brought; NaN where it is not known.
    worst
        smallest possible reward.
    """
    known = np.flatnonzero(np.isfinite(reward))
    batch, reward = batch.take(known), reward[known]
    columns = _columns(batch)
    key = _keys(batch, batch.chosen_action, columns)
    keys, cell = np.unique(key, return_inverse=True)
    cell = cell.reshape(-1)
    rows = np.bincount(cell, minlength=len(keys)).astype(np.float64)
    mean = np.bincount(cell, reward, len(keys)) / np.maximum(rows, 1.0)
    square = np.bincount(cell, np.square(reward), len(keys)) / np.maximum(rows, 1.0)
    # One outcome more at the worst, so that a cell without a failure is not taken for certain.
    shrunken = (mean * rows + worst) / (rows + 1.0)
    spread = np.maximum(square - np.square(mean), np.square(mean - worst) / (rows + 1.0))
    lower = np.maximum(shrunken - Z * np.sqrt(spread / np.maximum(rows, 1.0)), worst)
    return Support(columns, worst, keys, np.where(rows >= LEAST_ROWS, lower, worst))


def pessimistic_targets(
    batch: LoggedBatch, reward: FloatArray, support: Support
) -> tuple[FloatArray, IntArray]:
    """What to learn of which actions.

    Parameters
    ----------
    batch
        n decisions with m actions.
    reward
        float64[n], what the logged actions brought.
    support
        of the actions.

    Returns
    -------
    tuple
        float64[m], the targets, and int64[k], the actions that are to be learned: the logged ones,
        and in decisions that did not explore all others too.
    """
    target = support.bounds(batch)
    target[batch.chosen_action] = reward
    learned = np.repeat(batch.propensity > CERTAIN, batch.counts)
    learned[batch.chosen_action] = True
    return target, np.flatnonzero(learned).astype(np.int64)


def _columns(batch: LoggedBatch) -> tuple[str, ...]:
    """The columns that tell most of the logged action, one after the other."""
    taken = _numbered(_of_action(batch, batch.chosen_action))
    table = {
        name: codes
        for name, column in decision_table(batch).items()
        if (codes := _codes(column)) is not None
    }
    cell = _numbered(np.asarray(batch.attempt > 1, np.int64))
    chosen: list[str] = []
    left = whole = _uncertainty(cell, taken)
    while len(chosen) < _MOST_COLUMNS:
        told = {
            name: _uncertainty(_paired(cell, codes), taken)
            for name, codes in table.items()
            if name not in chosen
        }
        if not told:
            break
        best = min(sorted(told), key=told.__getitem__)
        if left - told[best] < _LEAST_GAIN * whole:
            break
        chosen.append(best)
        cell, left = _numbered(_paired(cell, table[best])), told[best]
    return tuple(chosen)


def _uncertainty(cell: IntArray, taken: IntArray) -> float:
    """Nats that the cell leaves open of the action, and half the logarithm of the rows for each
    pair of the two (Schwarz, "Estimating the Dimension of a Model", Annals of Statistics 6, 1978):
    without it a column that tells every payment apart would tell everything.
    """
    pairs = np.unique(_paired(cell, taken), return_counts=True)[1]
    cells = np.unique(cell, return_counts=True)[1]
    left = (cells * np.log(cells)).sum() - (pairs * np.log(pairs)).sum()
    return float(left + 0.5 * np.log(max(len(cell), 2)) * len(pairs))


def _codes(column: object) -> IntArray | None:
    """A column as codes from 0; numbers with many values tell no rule, and are left out."""
    if isinstance(column, Categorical):
        return column.codes.astype(np.int64) + 1
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        values, codes = np.unique(column, return_inverse=True)
        return codes.reshape(-1).astype(np.int64) if len(values) <= _MOST_VALUES else None
    return None


def _paired(one: IntArray, other: IntArray) -> IntArray:
    return one * (int(other.max(initial=0)) + 1) + other


def _numbered(codes: IntArray) -> IntArray:
    return np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _of_action(batch: DecisionBatch, actions: IntArray) -> IntArray:
    delay = _numbered(batch.action_delay_s[actions])
    return _paired(delay, batch.action_route[actions].astype(np.int64))


def _keys(batch: DecisionBatch, actions: IntArray, columns: Iterable[str]) -> UIntArray:
    """uint64[k], a hash of (cell, route, delay) that does not depend on vocabularies."""
    decision = batch.decision_of_action[actions]
    route = hash_strings(pa.array(batch.routes))[batch.action_route[actions]]
    key = _mixed(route, batch.action_delay_s[actions].astype(np.uint64))
    key = _mixed(key, (batch.attempt[decision] > 1).astype(np.uint64))
    table = decision_table(batch)
    for name in columns:
        key = _mixed(key, _hashes(table.get(name), batch.n)[decision])
    return key


def _hashes(column: object, n: int) -> UIntArray:
    if isinstance(column, Categorical):
        table = np.append(hash_strings(pa.array(column.categories, pa.string())), np.uint64(0))
        return np.asarray(table[column.codes])
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return np.asarray(column + 0.0).view(np.uint64)
    return np.zeros(n, np.uint64)


def _mixed(one: UIntArray, other: UIntArray) -> UIntArray:
    with np.errstate(over="ignore"):
        return salted(one * np.uint64(0x9E3779B97F4A7C15) + other, "cell")
