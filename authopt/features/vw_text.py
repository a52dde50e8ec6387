"""Context and actions as Vowpal Wabbit sees them: the one place where its features are declared.

A :class:`VwFeatures` value says which column goes into which namespace, where numbers are cut into
bins and which namespaces interact. It is learned once, saved with the model, and read by training
and serving alike, so the two cannot differ. :class:`VwText` writes the text:

    shared |card amount_minor#3 network=visa |history attempt#0 previous_route?
    0:-1:0.25 |route route=adyen |delay delay_s#0
    |route route=checkout |delay delay_s#0

A name is ``column=value``, ``column#bin`` or ``column?`` (missing), each part percent-encoded, so
that nothing in the data can add a feature, a namespace or an example. Namespaces interact by their
first character; all of them differ. Every feature has the value 1: numbers enter by their bin.

References (ids) and times are never features.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import Categorical, Column, DecisionBatch, LoggedBatch
from authopt.features.tabular import (
    ATTEMPT,
    DELAY,
    ROUTE,
    SAME_ROUTE,
    Table,
    action_table,
    bin_edges,
    decision_table,
)
from authopt.payments import CUSTOM_PREFIX

BINS = 12
"""Bins of a number with many values; tabular models cut coarser, as they have linear terms too."""

BLOCK_ACTIONS = 1 << 18
"""Actions written at once; bounds the memory, and keeps Arrow's 32-bit offsets far from full."""

CARD, TIME, HISTORY, EXTRA = "card", "time", "history", "extra"
ROUTES, DELAYS, ACTION = "route", "delay", "action"

_NAMESPACES = (CARD, TIME, HISTORY, EXTRA, ROUTES, DELAYS, ACTION)

_INTERACTIONS = (
    (CARD, ROUTES),
    (TIME, ROUTES),
    (HISTORY, ROUTES),
    (EXTRA, ROUTES),
    (CARD, DELAYS),
    (TIME, DELAYS),
    (HISTORY, DELAYS),
    (ROUTES, DELAYS),
    (ROUTES, ACTION),
    (HISTORY, ACTION),
)
"""What a route or a delay is worth depends on the payment. Terms of the payment alone are the same
for all its actions; they only take up what makes a whole payment easy or hard."""

_HISTORY = frozenset(
    {
        ATTEMPT,
        "previous_route",
        "previous_response_code",
        "previous_advice_code",
        "seconds_since_first_attempt",
        "seconds_since_last_attempt",
    }
)
_TIME = frozenset({"local_hour", "local_day"})


@dataclass(frozen=True, slots=True)
class VwColumn:
    """One column as features of one namespace.

    Attributes
    ----------
    name
        the column, or ``route``, ``delay_s``, ``attempt``, ``same_route_as_previous``.
    namespace
        where it goes.
    edges
        inner edges of the bins of a number, increasing, in its own unit; None for a category.
    """

    name: str
    namespace: str
    edges: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class VwFeatures:
    """The declaration: columns per decision, columns per action, and what interacts.

    Attributes
    ----------
    context, action
        columns, sorted by namespace.
    interactions
        pairs of first characters of namespaces, as VW's ``--quadratic`` takes them.
    """

    context: tuple[VwColumn, ...]
    action: tuple[VwColumn, ...]
    interactions: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        """VW's arguments for the interactions."""
        return [word for pair in self.interactions for word in ("--quadratic", pair)]


def learn_vw_features(batch: DecisionBatch) -> VwFeatures:
    """Declare the features of a sample of decisions.

    Columns that are the same in all rows are left out, as nothing can be learned from them; the
    route always stays. The result does not depend on the order of rows or vocabularies.
    """
    context = _learn(decision_table(batch), _context_namespace)
    action = _learn(action_table(batch), _action_namespace)
    if all(column.name != ROUTE for column in action):
        action = (VwColumn(ROUTE, ROUTES), *action)
    there = {column.namespace for column in (*context, *action)}
    pairs = tuple(
        one[0] + other[0] for one, other in _INTERACTIONS if one in there and other in there
    )
    return VwFeatures(context, action, pairs)


def _learn(table: Table, namespace_of: Callable[[str], str]) -> tuple[VwColumn, ...]:
    columns: list[VwColumn] = []
    for name in sorted(table):
        column = table[name]
        if isinstance(column, Categorical):
            if len(np.unique(column.codes)) > 1:
                columns.append(VwColumn(name, namespace_of(name)))
        elif isinstance(column, np.ndarray) and column.dtype == np.float64:
            numbers = np.asarray(column, np.float64)
            known = numbers[np.isfinite(numbers)]
            if len(known) and (len(known) < len(numbers) or known.min() < known.max()):
                edges = tuple(bin_edges(known, BINS).tolist())
                columns.append(VwColumn(name, namespace_of(name), edges))
    return tuple(sorted(columns, key=lambda each: _NAMESPACES.index(each.namespace)))


def _context_namespace(name: str) -> str:
    if name in _HISTORY:
        return HISTORY
    if name in _TIME:
        return TIME
    return EXTRA if name.startswith(CUSTOM_PREFIX) else CARD


def _action_namespace(name: str) -> str:
    return {ROUTE: ROUTES, DELAY: DELAYS}.get(name, ACTION)


@lru_cache(maxsize=1 << 16)
def escaped(text: str) -> str:
    """Percent-encoded: ASCII letters, digits and ``_.-~`` stand, all else becomes ``%XX``."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@dataclass(frozen=True, slots=True)
class _Writer:
    """A column's feature as text, with the opening of its namespace where it is the first there.

    ``start`` is a category's text before the value; ``bins`` are a number's texts, bin by bin.
    """

    name: str
    edges: tuple[float, ...] | None
    start: str
    bins: tuple[str, ...]
    missing: str

    def texts(self, column: Column | None, n: int) -> pa.StringArray:
        """n strings; a column that is absent, or held in another way, is missing in every row."""
        if self.edges is None:
            if not isinstance(column, Categorical):
                return pa.repeat(self.missing, n)
            table = [f"{self.start}{escaped(category)} " for category in column.categories]
            codes = np.where(column.codes < 0, len(table), column.codes)
            return pa.array([*table, self.missing], pa.string()).take(pa.array(codes))
        if not isinstance(column, np.ndarray) or column.dtype != np.float64:
            return pa.repeat(self.missing, n)
        values = np.asarray(column, np.float64)
        at = np.searchsorted(self.edges, values)
        at[~np.isfinite(values)] = len(self.bins)
        return pa.array([*self.bins, self.missing], pa.string()).take(pa.array(at))

    def text(self, column: Column | None, row: int) -> str:
        """The text of one row: what :meth:`texts` gives, without arrays."""
        if self.edges is None:
            if isinstance(column, Categorical) and (code := column.codes[row]) >= 0:
                return f"{self.start}{escaped(column.categories[code])} "
        elif isinstance(column, np.ndarray) and column.dtype.char == "d":
            value = float(column[row])
            if -math.inf < value < math.inf:
                return self.bins[bisect_left(self.edges, value)]
        return self.missing


def _writers(columns: tuple[VwColumn, ...]) -> tuple[_Writer, ...]:
    writers: list[_Writer] = []
    open_namespace = ""
    for column in columns:
        opening = "" if column.namespace == open_namespace else f"|{column.namespace} "
        open_namespace = column.namespace
        name = opening + escaped(column.name)
        bins = () if column.edges is None else range(len(column.edges) + 1)
        writers.append(
            _Writer(
                column.name,
                column.edges,
                f"{name}=",
                tuple(f"{name}#{number} " for number in bins),
                f"{name}? ",
            )
        )
    return tuple(writers)


class VwText:
    """Writes batches as VW text, by a declaration."""

    __slots__ = ("_action", "_context", "features")

    def __init__(self, features: VwFeatures) -> None:
        self.features = features
        self._context = _writers(features.context)
        self._action = _writers(features.action)

    def one(self, batch: DecisionBatch) -> str:
        """The text of a batch of one decision: what :meth:`blocks` gives, without arrays."""
        context = batch.context
        parts = ["shared "]
        for writer in self._context:
            name = writer.name
            if name == ATTEMPT:
                bins, edges = writer.bins, writer.edges or ()
                parts.append(bins[bisect_left(edges, batch.attempt.item(0))])
            else:
                parts.append(writer.text(context.get(name), 0))
        parts.append("\n")
        routes, delays = batch.action_route.tolist(), batch.action_delay_s.tolist()
        previous = context.get("previous_route")
        before = None
        if isinstance(previous, Categorical) and (code := previous.codes[0]) >= 0:
            before = previous.categories[code]
        for row, (route, delay) in enumerate(zip(routes, delays, strict=True)):
            for writer in self._action:
                name = writer.name
                if name == ROUTE:
                    parts.append(f"{writer.start}{escaped(batch.routes[route])} ")
                elif name == DELAY:
                    parts.append(writer.bins[bisect_left(writer.edges or (), delay)])
                elif name == SAME_ROUTE:
                    same = float(before == batch.routes[route])
                    bins, edges = writer.bins, writer.edges or ()
                    parts.append(
                        writer.missing if before is None else bins[bisect_left(edges, same)]
                    )
                else:
                    parts.append(writer.text(batch.action_features.get(name), row))
            parts.append("\n")
        parts.append("\n")
        return "".join(parts)

    def blocks(
        self, batch: DecisionBatch, labels: pa.StringArray | None = None
    ) -> Iterator[pa.StringArray]:
        """One string per decision, in blocks of some thousand decisions, in their order.

        Each string is one example: its lines, and the empty line that ends it.

        Parameters
        ----------
        batch
            n decisions with m actions; a LoggedBatch where there are labels.
        labels
            n labels in VW's form, ``0:cost:probability``, each for its decision's logged action.
        """
        start = 0
        while start < batch.n:
            limit = batch.offsets[start] + BLOCK_ACTIONS
            stop = max(int(np.searchsorted(batch.offsets, limit, side="right")) - 1, start + 1)
            part = batch.take(slice(start, stop))
            yield self._block(part, None if labels is None else labels[start:stop])
            start = stop

    def _block(self, batch: DecisionBatch, labels: pa.StringArray | None) -> pa.StringArray:
        n, m = batch.n, batch.m
        known = decision_table(batch)
        shared = _joined(
            pa.repeat("shared ", n),
            *(writer.texts(known.get(writer.name), n) for writer in self._context),
            pa.repeat("\n", n),
        )
        of_action = action_table(batch)
        last = np.zeros(m, np.int8)
        last[batch.offsets[1:] - 1] = 1
        ends = pa.array(["\n", "\n\n"]).take(pa.array(last))
        actions = _joined(
            *([] if labels is None else [_label_of_action(batch, labels)]),
            *(writer.texts(of_action.get(writer.name), m) for writer in self._action),
            ends,
        )
        # Lines in order: every decision's shared one, then its actions.
        order = np.empty(n + m, np.int64)
        shared_at = batch.offsets[:-1] + np.arange(n)
        is_shared = np.zeros(n + m, np.bool_)
        is_shared[shared_at] = True
        order[is_shared] = np.arange(n)
        order[~is_shared] = np.arange(n, n + m)
        lines = pa.concat_arrays([shared, actions]).take(pa.array(order))
        examples = (batch.offsets + np.arange(n + 1)).astype(np.int32)
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(examples), lines), "")


def _joined(*parts: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise(*parts, "")


def _label_of_action(batch: DecisionBatch, labels: pa.StringArray) -> pa.StringArray:
    """m strings: the label and a space at logged actions, empty at the others."""
    assert isinstance(batch, LoggedBatch)
    at = np.full(batch.m, batch.n)
    at[batch.chosen_action] = np.arange(batch.n)
    spaced = _joined(labels, pa.repeat(" ", batch.n))
    return pa.concat_arrays([spaced, pa.array([""])]).take(pa.array(at))
