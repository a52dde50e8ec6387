"""The one shape: a batch of decisions, each with its own list of actions (CSR), no padding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.actions import STOP_ROUTE, Action

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]
TimeArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class Categorical:
    """A column of strings from a vocabulary.

    Attributes
    ----------
    codes
        int32[n], index into ``categories``; -1 where the value is missing.
    categories
        the vocabulary; may hold values that no row has.
    """

    codes: CodeArray
    categories: tuple[str, ...]

    @classmethod
    def from_values(cls, values: Iterable[str | None]) -> Self:
        """From one string or None per row; the vocabulary is in order of appearance."""
        index: dict[str, int] = {}
        codes = [-1 if value is None else index.setdefault(value, len(index)) for value in values]
        return cls(np.array(codes, np.int32), tuple(index))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> Categorical:
        return Categorical(self.codes[rows], self.categories)

    def values(self) -> list[str | None]:
        """One string or None per row."""
        return [None if code < 0 else self.categories[code] for code in self.codes.tolist()]

    def recode(self, categories: Sequence[str]) -> CodeArray:
        """Codes in another vocabulary: int32[n], -1 where missing or not in that vocabulary."""
        index = {category: code for code, category in enumerate(categories)}
        table = np.array([index.get(category, -1) for category in self.categories] + [-1], np.int32)
        return table[self.codes]


Column: TypeAlias = "Categorical | FloatArray | TimeArray | pa.StringArray"
"""One column over n rows, held as ``authopt.payments.Kind`` says."""


def take_column(column: Column, rows: slice | IntArray) -> Column:
    """The chosen rows of a column, in the order given."""
    if isinstance(column, pa.Array) and isinstance(rows, np.ndarray):
        return column.take(pa.array(rows))
    return column[rows]


def concat_columns(columns: Sequence[Column]) -> Column:
    """Columns of the same kind, one below the other; vocabularies are united."""
    first = columns[0]
    if isinstance(first, Categorical):
        parts = [column for column in columns if isinstance(column, Categorical)]
        if all(part.categories == first.categories for part in parts):
            return Categorical(np.concatenate([part.codes for part in parts]), first.categories)
        categories = tuple(dict.fromkeys(name for part in parts for name in part.categories))
        return Categorical(np.concatenate([part.recode(categories) for part in parts]), categories)
    if isinstance(first, pa.Array):
        return pa.concat_arrays(columns)
    return np.concatenate([np.asarray(column) for column in columns])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DecisionBatch:
    """n decisions with m eligible actions over all of them.

    The actions of decision ``i`` are the slice ``offsets[i]:offsets[i + 1]`` of every array of
    length m. Every decision has at least one action.

    Attributes
    ----------
    decision_id, payment_id
        Arrow strings, length n. A payment is an episode of one or more attempts.
    attempt
        int32[n], number of the attempt that is decided, from 1.
    decided_at
        datetime64[us][n], UTC.
    context
        columns of length n by name, all known before the action (``payments.CONTEXT_FIELDS``).
    routes
        vocabulary of route names; ``"stop"`` is the reserved name of giving up.
    action_route
        int32[m], index into ``routes``.
    action_delay_s
        int64[m], seconds from the decision to the attempt; 0 = now.
    offsets
        int64[n + 1], strictly increasing from 0 to m.
    action_features
        further columns of length m by name, such as a route's rolling success rate.

    Raises
    ------
    ValueError
        If the lengths do not fit together or a decision has no action.
    """

    decision_id: pa.StringArray
    payment_id: pa.StringArray
    attempt: CodeArray
    decided_at: TimeArray
    routes: tuple[str, ...]
    action_route: CodeArray
    action_delay_s: IntArray
    offsets: IntArray
    context: Mapping[str, Column] = field(default_factory=dict)
    action_features: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, m = self.n, self.m
        if len(self.offsets) != n + 1 or self.offsets[0] != 0 or self.offsets[-1] != m:
            raise ValueError(f"offsets must run from 0 to {m} in {n + 1} steps")
        if n and (m if n == 1 else int(np.diff(self.offsets).min())) < 1:
            raise ValueError("every decision needs at least one action")
        per_decision = {name: getattr(self, name) for name in self._per_decision_names()}
        for name, column in (per_decision | dict(self.context)).items():
            if len(column) != n:
                raise ValueError(f"column {name!r} has {len(column)} rows; expected {n}")
        per_action = {"action_delay_s": self.action_delay_s, **self.action_features}
        for name, column in per_action.items():
            if len(column) != m:
                raise ValueError(f"column {name!r} has {len(column)} actions; expected {m}")

    @classmethod
    def _per_decision_names(cls) -> tuple[str, ...]:
        return ("payment_id", "attempt", "decided_at")

    @property
    def n(self) -> int:
        """Number of decisions."""
        return len(self.decision_id)

    @property
    def m(self) -> int:
        """Number of actions over all decisions."""
        return len(self.action_route)

    def __len__(self) -> int:
        return self.n

    @property
    def counts(self) -> IntArray:
        """int64[n], number of actions of each decision."""
        return np.diff(self.offsets)

    @property
    def decision_of_action(self) -> IntArray:
        """int64[m], the decision that each action belongs to."""
        return np.repeat(np.arange(self.n, dtype=np.int64), self.counts)

    @property
    def is_stop(self) -> BoolArray:
        """bool[m], whether the action gives the payment up."""
        stop = self.routes.index(STOP_ROUTE) if STOP_ROUTE in self.routes else -1
        return np.asarray(self.action_route == stop)

    def sum_by_decision(self, values: FloatArray) -> FloatArray:
        """float64[n], the sum of ``values`` (float64[m]) over each decision's actions."""
        if not self.n:
            return np.zeros(0)
        return np.asarray(np.add.reduceat(values, self.offsets[:-1]))

    def actions(self, decision: int) -> list[Action]:
        """The actions of one decision, as objects (for people, not for paths with many rows)."""
        start, stop = self.offsets[decision], self.offsets[decision + 1]
        return [
            Action(self.routes[route], int(delay))
            for route, delay in zip(
                self.action_route[start:stop], self.action_delay_s[start:stop], strict=True
            )
        ]

    def keep_actions(self, keep: BoolArray) -> Self:
        """The same decisions with only the actions where ``keep`` (bool[m]) holds.

        Raises
        ------
        ValueError
            If a decision would be left without an action.
        """
        counts = self.sum_by_decision(keep.astype(np.float64))
        return replace(
            self,
            action_route=self.action_route[keep],
            action_delay_s=self.action_delay_s[keep],
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            action_features={
                name: take_column(column, np.flatnonzero(keep))
                for name, column in self.action_features.items()
            },
        )

    def take(self, rows: slice | IntArray) -> Self:
        """The chosen decisions, in the order given; a slice copies nothing of the large arrays."""
        action_rows: slice | IntArray
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.n)
            if step != 1:
                return self.take(np.arange(start, stop, step, dtype=np.int64))
            stop = max(start, stop)
            rows = slice(start, stop)
            offsets = self.offsets[start : stop + 1] - self.offsets[start]
            action_rows = slice(int(self.offsets[start]), int(self.offsets[stop]))
        else:
            counts = self.counts[rows]
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            shift = np.repeat(self.offsets[rows] - offsets[:-1], counts)
            action_rows = np.arange(offsets[-1], dtype=np.int64) + shift
        return replace(self, offsets=offsets, **self._taken(rows, action_rows))

    def _taken(self, rows: slice | IntArray, action_rows: slice | IntArray) -> dict[str, Any]:
        return {
            "decision_id": take_column(self.decision_id, rows),
            "payment_id": take_column(self.payment_id, rows),
            "attempt": self.attempt[rows],
            "decided_at": self.decided_at[rows],
            "context": {name: take_column(column, rows) for name, column in self.context.items()},
            "action_route": self.action_route[action_rows],
            "action_delay_s": self.action_delay_s[action_rows],
            "action_features": {
                name: take_column(column, action_rows)
                for name, column in self.action_features.items()
            },
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoggedBatch(DecisionBatch):
    """Decisions with what was done and what came back.

    Attributes
    ----------
    chosen
        int64[n], position of the logged action among its decision's actions, from 0.
    propensity
        float64[n], probability with which the logging policy took the logged action; NaN where
        the log does not say.
    probability
        float64[m], the logging policy's probability of every eligible action, or None where the
        log does not say.
    outcome
        columns of length n by name (``payments.OUTCOME_FIELDS``).
    reward
        float64[n]; NaN while the outcome is not known.
    """

    chosen: IntArray
    propensity: FloatArray
    reward: FloatArray
    probability: FloatArray | None = None
    outcome: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The zero-argument super() does not work in a dataclass with slots.
        DecisionBatch.__post_init__(self)
        for name, column in self.outcome.items():
            if len(column) != self.n:
                raise ValueError(f"column {name!r} has {len(column)} rows; expected {self.n}")
        if self.probability is not None and len(self.probability) != self.m:
            raise ValueError(
                f"column 'probability' has {len(self.probability)} actions; expected {self.m}"
            )
        if self.n and not bool(np.all((self.chosen >= 0) & (self.chosen < self.counts))):
            row = int(np.flatnonzero((self.chosen < 0) | (self.chosen >= self.counts))[0])
            raise ValueError(
                f"decision {row}: the logged action {self.chosen[row]} is not among its "
                f"{self.counts[row]} actions"
            )

    @classmethod
    def _per_decision_names(cls) -> tuple[str, ...]:
        return ("payment_id", "attempt", "decided_at", "chosen", "propensity", "reward")

    @property
    def chosen_action(self) -> IntArray:
        """int64[n], index of the logged action in the arrays of length m."""
        return self.offsets[:-1] + self.chosen

    def decisions(self) -> DecisionBatch:
        """The decisions alone, without what was done and what came back."""
        return DecisionBatch(
            **{item.name: getattr(self, item.name) for item in fields(DecisionBatch)}
        )

    def _taken(self, rows: slice | IntArray, action_rows: slice | IntArray) -> dict[str, Any]:
        taken = DecisionBatch._taken(self, rows, action_rows)
        return taken | {
            "chosen": self.chosen[rows],
            "propensity": self.propensity[rows],
            "reward": self.reward[rows],
            "probability": None if self.probability is None else self.probability[action_rows],
            "outcome": {name: take_column(column, rows) for name, column in self.outcome.items()},
        }

    def keep_actions(self, keep: BoolArray) -> Self:
        """Not offered: a log says what was eligible; changing that would falsify it."""
        raise TypeError("the eligible actions of a logged decision cannot be changed")


B = TypeVar("B", bound=DecisionBatch)


def utc_datetime(time: np.datetime64 | None) -> datetime | None:
    """An instant of a batch (UTC) as Python holds it; None where there is none."""
    moment = None if time is None else time.astype("M8[us]").item()
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None


def concat(batches: Sequence[B]) -> B:
    """Batches of one kind, one below the other.

    Only columns that all of them have are kept; route vocabularies are united.

    Raises
    ------
    ValueError
        If ``batches`` is empty.
    """
    if not batches:
        raise ValueError("nothing to concatenate")
    first = batches[0]
    routes = tuple(dict.fromkeys(route for batch in batches for route in batch.routes))
    ends = np.cumsum([0] + [batch.m for batch in batches])
    offsets = [batch.offsets[1:] + end for batch, end in zip(batches, ends[:-1], strict=True)]

    def joined(name: str) -> Any:
        return np.concatenate([getattr(batch, name) for batch in batches])

    def together(name: str) -> dict[str, Column]:
        tables: list[Mapping[str, Column]] = [getattr(batch, name) for batch in batches]
        shared = [key for key in tables[0] if all(key in table for table in tables)]
        return {key: concat_columns([table[key] for table in tables]) for key in shared}

    values: dict[str, Any] = {
        "decision_id": pa.concat_arrays([batch.decision_id for batch in batches]),
        "payment_id": pa.concat_arrays([batch.payment_id for batch in batches]),
        "attempt": joined("attempt"),
        "decided_at": joined("decided_at"),
        "context": together("context"),
        "routes": routes,
        "action_route": np.concatenate(
            [
                batch.action_route
                if batch.routes == routes
                else Categorical(batch.action_route, batch.routes).recode(routes)
                for batch in batches
            ]
        ),
        "action_delay_s": joined("action_delay_s"),
        "offsets": np.concatenate([np.zeros(1, np.int64), *offsets]).astype(np.int64),
        "action_features": together("action_features"),
    }
    if isinstance(first, LoggedBatch):
        known = all(getattr(batch, "probability", None) is not None for batch in batches)
        values |= {
            "chosen": joined("chosen"),
            "propensity": joined("propensity"),
            "reward": joined("reward"),
            "probability": joined("probability") if known else None,
            "outcome": together("outcome"),
        }
    return type(first)(**values)
