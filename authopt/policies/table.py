"""A router as a table: the probability of every route, by columns of the context."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from authopt.batch import BoolArray, Categorical, CodeArray, DecisionBatch, FloatArray, IntArray
from authopt.errors import UserError
from authopt.policies.best_route import is_shortest_delay
from authopt.policies.family import EPSILON, Family, Options
from authopt.policies.table_file import ATTEMPT, Table, number_of, read_table

_FLAGS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
_SHOWN, _LOOKED_AT = 3, 50
"""How many missing cells a message names, among those that the first so many actions need."""


@dataclass(frozen=True, slots=True, eq=False)
class TablePolicy:
    """The probabilities of a table, renormalised over each decision's eligible actions.

    Without a column ``delay_s``, a route's probability is that of its shortest eligible delay.

    Attributes
    ----------
    path
        the file, for messages.
    table
        what it holds.
    """

    path: Path
    table: Table

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m].

        Raises
        ------
        UserError
            If the log lacks a key, or the table a cell that a decision needs, or all the eligible
            actions of a decision have the probability 0.
        """
        codes = [self._codes(batch, place) for place in range(len(self.table.keys))]
        context = _find(self.table.combinations, number_of(codes, self.table.values, batch.n))
        column, stands = self._columns(batch)
        row = context[batch.decision_of_action]
        known = (row >= 0) & (column >= 0)
        found = np.where(known, self.table.cells[np.maximum(row, 0), np.maximum(column, 0)], np.nan)
        found[~stands] = 0.0
        if np.isnan(found).any():
            self._lacks(batch, np.flatnonzero(np.isnan(found)))
        total = batch.sum_by_decision(found)
        if not (total > 0.0).all():
            decision = int(np.flatnonzero(~(total > 0.0))[0])
            raise UserError(
                f"{self.path}: all eligible actions of decision "
                f"{batch.decision_id[decision].as_py()!r} ({self._where(batch, decision)}) have "
                "the probability 0. Give at least one of them more"
            )
        return np.asarray(found / np.repeat(total, batch.counts))

    def _columns(self, batch: DecisionBatch) -> tuple[IntArray, BoolArray]:
        """Of m actions, the column of ``cells`` (-1: none), and whether the action stands."""
        route = Categorical(batch.action_route, batch.routes).recode(self.table.routes)
        if not self.table.delays:
            return route.astype(np.int64), is_shortest_delay(batch)
        delays = np.array(self.table.delays, np.int64)
        delay = _find(delays, batch.action_delay_s)
        both = (route >= 0) & (delay >= 0)
        return np.where(both, route * len(delays) + delay, -1), np.ones(batch.m, np.bool_)

    def _codes(self, batch: DecisionBatch, place: int) -> CodeArray:
        """int32[n], codes of one key in the table's vocabulary; -1 where it has no such value."""
        name, cells = self.table.keys[place], self.table.values[place]
        column = batch.attempt if name == ATTEMPT else batch.context.get(name)
        if isinstance(column, Categorical):
            absent = cells.index("") if "" in cells else -1
            return np.where(column.codes < 0, absent, column.recode(cells)).astype(np.int32)
        if isinstance(column, np.ndarray) and column.dtype.kind in "fi":
            return _codes_of_numbers(column.astype(np.float64), cells)
        if column is None:
            has = ", ".join([ATTEMPT, *batch.context])
            raise UserError(
                f"{self.path}: column {name!r} is not in the context of the log. It has {has}"
            )
        raise UserError(
            f"{self.path}: column {name!r} cannot be a key; keys are categories and numbers"
        )

    def _lacks(self, batch: DecisionBatch, actions: IntArray) -> NoReturn:
        decision = batch.decision_of_action[actions]
        looked = zip(decision[:_LOOKED_AT].tolist(), actions[:_LOOKED_AT].tolist(), strict=True)
        missing = list(
            dict.fromkeys(
                f"{self._where(batch, at)}, {self._action(batch, it)}" for at, it in looked
            )
        )
        named = "; ".join(missing[:_SHOWN])
        more = "; and more" if len(missing) > _SHOWN or len(actions) > _LOOKED_AT else ""
        first = batch.decision_id[int(decision[0])].as_py()
        raise UserError(
            f"{self.path}: no row for {named}{more}, first needed by decision {first!r}. Add rows, "
            "with the probability 0 for actions that are never taken"
        )

    def _where(self, batch: DecisionBatch, decision: int) -> str:
        if not self.table.keys:
            return "every context"
        one = batch.take(slice(decision, decision + 1))
        shown = []
        for name in self.table.keys:
            column = one.attempt if name == ATTEMPT else one.context[name]
            value = column.values()[0] if isinstance(column, Categorical) else column[0]
            if isinstance(value, np.generic):
                value = "" if np.isnan(value) else f"{value:.15g}"
            shown.append(f"{name} {value or 'missing'}")
        return ", ".join(shown)

    def _action(self, batch: DecisionBatch, action: int) -> str:
        route = f"route {batch.routes[batch.action_route[action]]}"
        return f"{route}, delay_s {batch.action_delay_s[action]}" if self.table.delays else route

    @classmethod
    def load(cls, path: Path) -> TablePolicy:
        """Read a table.

        Raises
        ------
        UserError
            If the file is missing, or holds something else; names the line.
        """
        return cls(path, read_table(path))


def _codes_of_numbers(column: FloatArray, cells: tuple[str, ...]) -> CodeArray:
    numbers = np.array([_cell_number(cell) for cell in cells])
    order = np.argsort(numbers, kind="stable")
    code = _find(numbers[order], column)
    absent = cells.index("") if "" in cells else -1
    codes = np.where(code < 0, -1, order[np.maximum(code, 0)])
    return np.where(np.isnan(column), absent, codes).astype(np.int32)


def _cell_number(cell: str) -> float:
    """The number in a cell; NaN, which equals nothing, where there is none."""
    try:
        return _FLAGS.get(cell.lower(), float("nan")) if cell.isalpha() else float(cell)
    except ValueError:
        return float("nan")


def _find(vocabulary: IntArray | FloatArray, wanted: IntArray | FloatArray) -> IntArray:
    """Places in a sorted vocabulary, -1 where it has no such value."""
    place = np.searchsorted(vocabulary, wanted)
    place[place == len(vocabulary)] = 0
    return np.where(vocabulary[place] == wanted, place, -1).astype(np.int64)


def _make(file: Path | None, _: Options) -> TablePolicy:
    assert file is not None
    return TablePolicy.load(file)


FAMILY = Family(
    "table:FILE.csv[,epsilon=0.05]", _make, (EPSILON,), takes_file=True, needs_file=True
)
