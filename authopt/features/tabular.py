"""From columns to numeric matrices, by a declaration that is learned once and then only applied.

A :class:`Features` value holds everything that was learned from the training data (levels, bin
edges, centres), so the matrix at prediction time cannot differ in meaning from the one at training
time. The propensity model reads it one-hot (:meth:`Features.one_hot`), the reward model as ordinal
codes (:meth:`Features.ordinal`).

References (ids) and times are never features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from authopt.batch import BoolArray, Categorical, Column, DecisionBatch, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Table: TypeAlias = Mapping[str, Column]
"""Columns of equal length by name."""

LOG_SCALED = frozenset(
    {"amount_minor", "seconds_since_first_attempt", "seconds_since_last_attempt", "delay_s"}
)
"""Amounts and waits: what matters is the ratio, so they enter as log(1 + x)."""

MAX_LEVELS = 100
MIN_LEVEL_ROWS = 10
MAX_STEPS = 32
QUANTILE_BINS = 8


@dataclass(frozen=True, slots=True)
class CategoryFeature:
    """A column of strings. Values that are not among ``levels`` count as one level, 'other'.

    Attributes
    ----------
    name
        the column.
    levels
        the frequent values of the training data, most frequent first.
    """

    name: str
    levels: tuple[str, ...]

    def codes(self, column: Column | None, n: int) -> IntArray:
        """int64[n]: the level, ``len(levels)`` for 'other', one more where missing."""
        other, missing = len(self.levels), len(self.levels) + 1
        if not isinstance(column, Categorical):
            return np.full(n, missing, np.int64)
        index = {level: code for code, level in enumerate(self.levels)}
        table = [index.get(category, other) for category in column.categories]
        return np.array([*table, missing], np.int64)[column.codes]


@dataclass(frozen=True, slots=True)
class NumberFeature:
    """A column of numbers: log(1 + x) if ``log_scaled``, and cut into bins at ``edges``.

    Attributes
    ----------
    name
        the column.
    log_scaled
        whether the scale is logarithmic; ``edges``, ``low`` and ``high`` are on that scale.
    edges
        inner edges of the bins, increasing.
    low, high
        range in the training data; the linear term goes from -1 to 1 over it and no further, since
        nothing is known beyond.
    """

    name: str
    log_scaled: bool
    edges: tuple[float, ...]
    low: float
    high: float

    def scaled(self, column: Column | None, n: int) -> FloatArray:
        """float64[n] on the feature's scale, NaN where missing or infinite."""
        if not isinstance(column, np.ndarray) or column.dtype != np.float64:
            return np.full(n, np.nan)
        return _scaled(np.asarray(column), self.log_scaled)


Feature: TypeAlias = CategoryFeature | NumberFeature


@dataclass(frozen=True, slots=True)
class Features:
    """A declaration of features, learned from training data by :func:`learn_features`."""

    features: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are used."""
        return tuple(feature.name for feature in self.features)

    @property
    def width(self) -> int:
        """Number of columns of :meth:`one_hot`."""
        return sum(_width(feature) for feature in self.features)

    @property
    def is_categorical(self) -> BoolArray:
        """bool[p], which columns of :meth:`ordinal` are codes of categories."""
        return np.array([isinstance(item, CategoryFeature) for item in self.features], np.bool_)

    def one_hot(self, table: Table, n: int) -> csr_matrix:
        """Sparse float64[n, width] for linear models.

        A category has one indicator per level, one for 'other' and one for missing. A number has
        one indicator per bin, one for missing, and a linear term in [-1, 1] (0 where missing).

        Parameters
        ----------
        table
            columns of length n; a column that the declaration names and the table lacks is missing
            in every row.
        n
            number of rows.
        """
        from scipy.sparse import csr_matrix

        indices: list[IntArray] = []
        values: list[FloatArray] = []
        start = 0
        for feature in self.features:
            column = table.get(feature.name)
            if isinstance(feature, CategoryFeature):
                indices.append(feature.codes(column, n) + start)
                values.append(np.ones(n))
            else:
                scaled = feature.scaled(column, n)
                known = ~np.isnan(scaled)
                bins = np.searchsorted(feature.edges, scaled).astype(np.int64)
                bins[~known] = len(feature.edges) + 1
                half = (feature.high - feature.low) / 2
                linear = (np.clip(scaled, feature.low, feature.high) - feature.low) / half - 1
                linear_at = start + _width(feature) - 1
                indices += [bins + start, np.full(n, linear_at, np.int64)]
                values += [np.ones(n), np.where(known, linear, 0.0)]
            start += _width(feature)
        row_starts = np.arange(n + 1, dtype=np.int64) * len(indices)
        if not indices:
            return csr_matrix((n, 0), dtype=np.float64)
        return csr_matrix(
            (np.stack(values, axis=1).ravel(), np.stack(indices, axis=1).ravel(), row_starts),
            shape=(n, start),
        )

    def ordinal(self, table: Table, n: int) -> FloatArray:
        """float64[n, p] for trees: codes of categories, numbers on their scale, NaN where missing.

        Parameters
        ----------
        table, n
            as in :meth:`one_hot`.
        """
        matrix = np.empty((n, len(self.features)))
        for at, feature in enumerate(self.features):
            column = table.get(feature.name)
            if isinstance(feature, CategoryFeature):
                codes = feature.codes(column, n)
                matrix[:, at] = np.where(codes > len(feature.levels), np.nan, codes)
            else:
                matrix[:, at] = feature.scaled(column, n)
        return matrix


def _width(feature: Feature) -> int:
    if isinstance(feature, CategoryFeature):
        return len(feature.levels) + 2
    return len(feature.edges) + 3


def learn_features(
    table: Table,
    *,
    names: Iterable[str] | None = None,
    max_levels: int = MAX_LEVELS,
    min_level_rows: int = MIN_LEVEL_ROWS,
) -> Features:
    """Learn a declaration from training data.

    The result does not depend on the order of the rows, nor on that of the vocabularies.

    Parameters
    ----------
    table
        columns of equal length. References and times in it are passed over.
    names
        the columns to use; all by default. Columns that are the same in all rows are left out,
        as nothing can be learned from them.
    max_levels
        most levels that a category may have; at most 250.
    min_level_rows
        a rarer value counts as 'other'.
    """
    if not 1 <= max_levels <= 250:
        raise ValueError(f"max_levels must be from 1 to 250; got {max_levels}")
    learned: list[Feature | None] = []
    for name in sorted(table if names is None else names):
        column = table[name]
        if isinstance(column, Categorical):
            learned.append(_learn_category(name, column, max_levels, min_level_rows))
        elif isinstance(column, np.ndarray) and column.dtype == np.float64:
            learned.append(_learn_number(name, np.asarray(column)))
    return Features(tuple(feature for feature in learned if feature is not None))


def _learn_category(
    name: str, column: Categorical, max_levels: int, min_rows: int
) -> CategoryFeature | None:
    counts = np.bincount(column.codes + 1, minlength=len(column.categories) + 1)
    if np.count_nonzero(counts) < 2:
        return None
    found = sorted(zip((-counts[1:]).tolist(), column.categories, strict=True))
    levels = [category for count, category in found if -count >= min_rows]
    return CategoryFeature(name, tuple(levels[:max_levels])) if levels else None


def _learn_number(name: str, column: FloatArray) -> NumberFeature | None:
    log_scaled = name in LOG_SCALED
    scaled = _scaled(column, log_scaled)
    values = scaled[~np.isnan(scaled)]
    distinct = np.unique(values)
    if not len(distinct) or (len(distinct) == 1 and len(values) == len(column)):
        return None
    edges = bin_edges(values)
    low, high = float(distinct[0]), float(distinct[-1])
    return NumberFeature(name, log_scaled, tuple(edges.tolist()), low, max(high, low + 1e-9))


def bin_edges(values: FloatArray, bins: int = QUANTILE_BINS) -> FloatArray:
    """Inner edges of bins, increasing: a bin per value where they are few, else by quantiles.

    Parameters
    ----------
    values
        float64[n], finite, in any order; at least one.
    bins
        number of bins of about equally many values, where there are more than ``MAX_STEPS``
        distinct ones.

    Returns
    -------
    float64[bins - 1] at most
        A value belongs to bin ``searchsorted(edges, value)``.
    """
    distinct = np.unique(values)
    if len(distinct) <= MAX_STEPS:
        return np.asarray((distinct[1:] + distinct[:-1]) / 2)
    inner = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(values, inner, method="lower"))
    return np.asarray(edges[edges < distinct[-1]])


def _scaled(column: FloatArray, log_scaled: bool) -> FloatArray:
    values = np.log1p(np.maximum(column, 0.0)) if log_scaled else column
    return np.where(np.isfinite(values), values, np.nan)


ATTEMPT = "attempt"


def decision_table(batch: DecisionBatch) -> Table:
    """What is known per decision: the context and the attempt's number; columns of length n."""
    return {**batch.context, ATTEMPT: batch.attempt.astype(np.float64)}


ROUTE = "route"
DELAY = "delay_s"
SAME_ROUTE = "same_route_as_previous"


def action_table(batch: DecisionBatch, actions: IntArray | slice = slice(None)) -> Table:
    """What is known per action: route, delay, the log's own columns per action, and whether the
    route is that of the payment's previous attempt (NaN at a first one).

    Parameters
    ----------
    batch
        n decisions with m actions.
    actions
        which of the m actions; all by default.
    """
    table: dict[str, Column] = {
        name: column[actions]
        for name, column in batch.action_features.items()
        if isinstance(column, Categorical | np.ndarray)
    }
    route = batch.action_route[actions]
    table[ROUTE] = Categorical(route, batch.routes)
    table[DELAY] = batch.action_delay_s[actions].astype(np.float64)
    previous = batch.context.get("previous_route")
    if isinstance(previous, Categorical):
        before = previous.codes[batch.decision_of_action[actions]]
        same = previous.recode(batch.routes)[batch.decision_of_action[actions]] == route
        table[SAME_ROUTE] = np.where(before < 0, np.nan, same.astype(np.float64))
    return table
