"""What an agent sees of a decision: numbers within [-1, 1] and categories by number.

The order of the features and of the categories is that of ``FEATURES`` and ``CATEGORIES``, and
what each stands for is in the two tables that they are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from authopt.batch import Categorical, Column, DecisionBatch, FloatArray, IntArray
from authopt.rules import DATA_UPDATED, Rules
from authopt.rules.tables import CATEGORIES as RESPONSE_CATEGORIES
from authopt.rules.tables import PERMISSIONS
from simulator.gym_env.code_meaning import code_meanings

MISSING = -1.0
"""A number that is not known; the numbers that are known lie within [0, 1]."""

SIXTY_DAYS_S = 60 * 86_400.0

LARGEST: Mapping[str, float] = {
    "amount_minor": 1e9,
    "churn_value_minor": 1e9,
    "seconds_since_first_attempt": SIXTY_DAYS_S,
    "seconds_since_last_attempt": SIXTY_DAYS_S,
    "seconds_to_deadline": SIXTY_DAYS_S,
    "card_declines_24h": 50.0,
    "card_attempts_30d": 50.0,
}
"""Context columns that enter as log(1 + x) / log(1 + largest), cut off at 1."""

AS_THEY_ARE = ("token", "three_ds", "fraud_score", DATA_UPDATED)
"""Context columns that lie within [0, 1] already."""

MOST_ATTEMPTS = 20.0
"""The number of the attempt enters as attempt / most, cut off at 1."""

CYCLES: Mapping[str, tuple[float, float]] = {
    "local_hour": (0.0, 24.0),
    "local_day": (1.0, 7.0),
}
"""Context columns that go round, from a first value in a period: sine and cosine, both 0 where
missing. The day of the month (of ``decided_at``, UTC) enters likewise, over 31 days."""

CATEGORIES = (
    "merchant_id",
    "issuer",
    "network",
    "funding",
    "issuer_country",
    "merchant_country",
    "currency",
    "mcc",
    "initiator",
    "previous_route",
    "previous_response_code",
    "previous_advice_code",
)
"""Context columns that enter as a number: 0 missing, then the levels, last any other value."""

FEATURES = (
    "attempt",
    *(f"log_{name}" for name in LARGEST),
    *AS_THEY_ARE,
    *(f"{name}_{part}" for name in (*CYCLES, "month_day") for part in ("sin", "cos")),
    *(f"response_{category}" for category in RESPONSE_CATEGORIES),
    *(f"advice_{permission}" for permission in PERMISSIONS),
)
"""Names of the features: float32, within [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Turns decisions into features and categories.

    Attributes
    ----------
    levels
        the values that each of ``CATEGORIES`` tells apart.
    rules
        say what the previous response and advice codes mean.
    """

    levels: Mapping[str, tuple[str, ...]]
    rules: Rules

    @property
    def sizes(self) -> IntArray:
        """int64[categories], how many numbers each category has."""
        return np.array([len(self.levels[name]) + 2 for name in CATEGORIES], np.int64)

    def features(self, batch: DecisionBatch) -> npt.NDArray[np.float32]:
        """float32[n, features]."""
        n = batch.n
        columns = [np.minimum(batch.attempt / MOST_ATTEMPTS, 1.0)]
        for name, largest in LARGEST.items():
            value = np.maximum(_numbers(batch.context.get(name), n), 0.0)
            columns.append(np.minimum(np.log1p(value) / np.log1p(largest), 1.0))
        columns += [np.clip(_numbers(batch.context.get(name), n), 0.0, 1.0) for name in AS_THEY_ARE]
        known = np.nan_to_num(np.stack(columns, axis=1), nan=MISSING)
        turns = [
            _turn(_numbers(batch.context.get(name), n), first, period)
            for name, (first, period) in CYCLES.items()
        ]
        angle = 2 * np.pi * np.stack([*turns, _month_day(batch)], axis=1)
        round_ = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(n, -1)
        response, advice = code_meanings(batch, self.rules)
        meaning = (
            _one_hot(response, len(RESPONSE_CATEGORIES)),
            _one_hot(advice, len(PERMISSIONS)),
        )
        return np.concatenate([known, np.nan_to_num(round_), *meaning], axis=1, dtype=np.float32)

    def categories(self, batch: DecisionBatch) -> IntArray:
        """int64[n, categories]."""
        codes = np.zeros((batch.n, len(CATEGORIES)), np.int64)
        for place, name in enumerate(CATEGORIES):
            column = batch.context.get(name)
            if isinstance(column, Categorical):
                codes[:, place] = _places(self.levels[name], column.categories)[column.codes]
        return codes


@lru_cache(maxsize=256)
def _places(levels: tuple[str, ...], values: tuple[str, ...]) -> IntArray:
    """int64[values + 1], the number of each value; 0 at the end, for missing."""
    number = {level: place for place, level in enumerate(levels, start=1)}
    other = len(levels) + 1
    places = np.array([*(number.get(value, other) for value in values), 0], np.int64)
    places.flags.writeable = False
    return places


def _numbers(column: Column | None, n: int) -> FloatArray:
    """float64[n], NaN where missing."""
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return np.asarray(column)
    return np.full(n, np.nan)


def _turn(value: FloatArray, first: float, period: float) -> FloatArray:
    """float64[n] in [0, 1), where in its period a value is; NaN where missing or infinite."""
    return np.mod(np.where(np.isfinite(value), value - first, np.nan) / period, 1.0)


def _month_day(batch: DecisionBatch) -> FloatArray:
    """float64[n], how much of 31 days of the month is over, in whole days."""
    day = batch.decided_at.astype("M8[D]")
    return np.asarray((day - day.astype("M8[M]").astype("M8[D]")).astype(np.int64) / 31.0)


def _one_hot(code: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.float32]:
    """float32[n, size]; all 0 where the code is -1."""
    table = np.concatenate([np.eye(size), np.zeros((1, size))]).astype(np.float32)
    return np.asarray(table[code])
