"""Context and actions as the text that Vowpal Wabbit reads, by a declaration of its features:

    shared |card amount_minor#3 network=visa |history attempt#0 previous_route?
    0:-1:0.25 |route route=adyen |delay delay_s#0
    |route route=checkout |delay delay_s#0

A name is ``column=value``, ``column#bin`` or ``column?`` (missing), each part percent-encoded, so
that nothing in the data can add a feature, a namespace or an example. Namespaces interact by their
first character; all of them differ. Every feature has the value 1: numbers enter by their bin.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, Categorical, Column, DecisionBatch, LoggedBatch
from authopt.features.attempt_time import CLOCK, WAITS, attempt_times, attempt_times_of_one
from authopt.features.coded_text import Coded, constant, examples, merged
from authopt.features.route_properties import COUNTRIES, DOMESTIC, Property, domestic, is_domestic
from authopt.features.tabular import (
    ATTEMPT,
    DELAY,
    ROUTE,
    SAME_ROUTE,
    action_table,
    decision_table,
)
from authopt.features.vw_features import PROPERTIES, VwColumn, VwFeatures
from authopt.hashing import hash_strings, salted, unit_interval

BLOCK_ACTIONS = 1 << 16
"""Actions written at once: few enough for the memory of a block to serve the next one too, and to
keep Arrow's 32-bit offsets far from full."""


NAMELESS = 0.125
"""Share of the decisions that properties are learned from without the names of the routes."""

_TIMES = frozenset({*CLOCK, *WAITS})


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
    namespace: str = ""

    def of(self, value: Property | None) -> str:
        """The text of one value; several names become as many features."""
        if isinstance(value, tuple):
            further = f"{escaped(self.name)}="
            first, *others = value or (None,)
            return self.of(first) + "".join(f"{further}{escaped(each)} " for each in others if each)
        if self.edges is None:
            return f"{self.start}{escaped(value)} " if isinstance(value, str) else self.missing
        if isinstance(value, int | float) and -math.inf < value < math.inf:
            return self.bins[bisect_left(self.edges, value)]
        return self.missing

    def texts(self, column: Column | None, n: int) -> Coded:
        """n texts; a column that is absent, or held in another way, is missing in every row."""
        if self.edges is None:
            if not isinstance(column, Categorical):
                return constant(self.missing, n)
            table = [f"{self.start}{escaped(category)} " for category in column.categories]
            codes = np.where(column.codes < 0, len(table), column.codes)
            return Coded(codes, [*table, self.missing])
        if not isinstance(column, np.ndarray) or column.dtype != np.float64:
            return constant(self.missing, n)
        values = np.asarray(column, np.float64)
        at = np.searchsorted(self.edges, values)
        at[~np.isfinite(values)] = len(self.bins)
        return Coded(at, [*self.bins, self.missing])

    def text(self, column: Column | None, row: int) -> str:
        """The text of one row: what :meth:`texts` gives, without arrays."""
        if self.edges is None:
            if isinstance(column, Categorical) and (code := column.codes.item(row)) >= 0:
                return f"{self.start}{escaped(column.categories[code])} "
        elif isinstance(column, np.ndarray) and column.dtype.char == "d":
            value: Any = column.item(row)
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
                column.namespace,
            )
        )
    return tuple(writers)


class VwText:
    """Writes batches as VW text, by a declaration."""

    __slots__ = (
        "_action",
        "_context",
        "_has_times",
        "_properties",
        "_settled",
        "_shared",
        "_simple_lines",
        "features",
    )

    def __init__(self, features: VwFeatures) -> None:
        self.features = features
        self._context = _writers(features.context)
        self._action = _writers(features.action)
        self._has_times = any(writer.name in _TIMES for writer in self._action)
        self._properties = {
            writer.name: {
                route: writer.of(properties.get(writer.name))
                for route, properties in features.routes.items()
            }
            for writer in self._action
            if writer.namespace == PROPERTIES
        }
        self._shared = [
            (each.name, each.edges, each.bins, lru_cache(maxsize=1 << 12)(each.of), each.missing)
            for each in self._context
        ]
        self._settled = all(
            writer.name in (ROUTE, DELAY, SAME_ROUTE)
            or (writer.namespace == PROPERTIES and writer.name != DOMESTIC)
            for writer in self._action
        )
        self._simple_lines = lru_cache(maxsize=1 << 12)(self._write_simple)

    def described(self, batch: DecisionBatch) -> BoolArray:
        """bool[m], where a property of the action's route is known, by the table or the batch."""
        table = self.features.routes
        declared = {COUNTRIES if name == DOMESTIC else name for name in self._properties}
        of_route = [not declared.isdisjoint(table.get(route, ())) for route in batch.routes]
        found = np.array(of_route, np.bool_)[batch.action_route]
        for name in self._properties:
            found |= _is_known(batch.action_features.get(name), batch.m)
        return found

    def one(self, batch: DecisionBatch, nameless: BoolArray | None = None) -> str:
        """The text of a batch of one decision: what :meth:`blocks` gives, without arrays."""
        context = batch.context
        parts = ["shared "]
        # Written out rather than called: this is most of what a decision costs beside VW.
        for name, edges, bins, category, missing in self._shared:
            column = context.get(name)
            if edges is None:
                if isinstance(column, Categorical) and (code := column.codes.item(0)) >= 0:
                    parts.append(category(column.categories[code]))
                    continue
            elif name == ATTEMPT:
                parts.append(bins[bisect_left(edges, batch.attempt.item(0))])
                continue
            elif isinstance(column, np.ndarray) and column.dtype.char == "d":
                value: Any = column.item(0)
                if -math.inf < value < math.inf:
                    parts.append(bins[bisect_left(edges, value)])
                    continue
            parts.append(missing)
        parts.append("\n")
        before = _name(context.get("previous_route"))
        routes, delays = batch.action_route.tolist(), batch.action_delay_s.tolist()
        simple = self._settled and self._properties.keys().isdisjoint(batch.action_features)
        if simple and nameless is None:
            parts.append(self._simple_lines(batch.routes, tuple(routes), tuple(delays), before))
        else:
            names = [batch.routes[route] for route in routes]
            self._write_actions(parts, batch, names, delays, before, nameless)
        parts.append("\n")
        return "".join(parts)

    def _write_simple(
        self,
        vocabulary: tuple[str, ...],
        routes: tuple[int, ...],
        delays: tuple[int, ...],
        before: str | None,
    ) -> str:
        """The lines of actions where route, delay and the previous route are all they tell of."""
        parts: list[str] = []
        for code, delay in zip(routes, delays, strict=True):
            route = vocabulary[code]
            values: dict[str, Property | None] = {
                ROUTE: route,
                DELAY: delay,
                SAME_ROUTE: None if before is None else float(before == route),
            }
            for writer in self._action:
                if writer.namespace == PROPERTIES:
                    parts.append(self._properties[writer.name].get(route, writer.missing))
                else:
                    parts.append(writer.of(values[writer.name]))
            parts.append("\n")
        return "".join(parts)

    def _write_actions(
        self,
        parts: list[str],
        batch: DecisionBatch,
        names: list[str],
        delays: list[int],
        before: str | None,
        nameless: BoolArray | None,
    ) -> None:
        country = _name(batch.context.get("issuer_country"))
        times = attempt_times_of_one(batch, delays) if self._has_times else {}
        table = self.features.routes
        for row, (route, delay) in enumerate(zip(names, delays, strict=True)):
            for writer in self._action:
                name = writer.name
                if name == ROUTE:
                    hidden = nameless is not None and nameless[row]
                    parts.append(writer.of(None if hidden else route))
                elif name == DELAY:
                    parts.append(writer.of(delay))
                elif name == SAME_ROUTE:
                    parts.append(writer.of(None if before is None else float(before == route)))
                elif name in _TIMES:
                    known = name in times and route != STOP_ROUTE
                    parts.append(writer.of(times[name][row] if known else None))
                elif name == DOMESTIC:
                    parts.append(writer.of(is_domestic(table, route, country)))
                else:
                    text = writer.text(batch.action_features.get(name), row)
                    if text is writer.missing and name in self._properties:
                        text = self._properties[name].get(route, text)
                    parts.append(text)
            parts.append("\n")

    def blocks(
        self,
        batch: DecisionBatch,
        labels: pa.StringArray | None = None,
        nameless: BoolArray | None = None,
    ) -> Iterator[pa.StringArray]:
        """One string per decision, in blocks of some thousand decisions, in their order.

        Each string is one example: its lines, and the empty line that ends it.

        Parameters
        ----------
        batch
            n decisions with m actions; a LoggedBatch where there are labels.
        labels
            n labels in VW's form, ``0:cost:probability``, each for its decision's logged action.
        nameless
            bool[m], actions whose route is told by its properties alone. By default none; with
            labels, and where routes have properties, the actions of a share ``NAMELESS`` of the
            decisions, so that it is learned what a route without a name of its own is worth
            (Volkovs, Yu and Poutanen, "DropoutNet", NeurIPS 2017).
        """
        if nameless is None and labels is not None and self._properties:
            drawn = unit_interval(salted(hash_strings(batch.decision_id), "nameless"))
            nameless = np.repeat(drawn < NAMELESS, batch.counts)
        start = 0
        while start < batch.n:
            limit = batch.offsets[start] + BLOCK_ACTIONS
            stop = max(int(np.searchsorted(batch.offsets, limit, side="right")) - 1, start + 1)
            part = batch.take(slice(start, stop))
            of_part = slice(int(batch.offsets[start]), int(batch.offsets[stop]))
            yield self._block(
                part,
                None if labels is None else labels[start:stop],
                None if nameless is None else nameless[of_part],
            )
            start = stop

    def _block(
        self, batch: DecisionBatch, labels: pa.StringArray | None, nameless: BoolArray | None
    ) -> pa.StringArray:
        n, m = batch.n, batch.m
        known = decision_table(batch)
        shared = merged(
            [
                constant("shared ", n),
                *(writer.texts(known.get(writer.name), n) for writer in self._context),
                constant("\n", n),
            ]
        )
        of_action = {**action_table(batch), **(attempt_times(batch) if self._has_times else {})}
        if nameless is not None:
            named = np.where(nameless, -1, batch.action_route).astype(np.int32)
            of_action[ROUTE] = Categorical(named, batch.routes)
        last = np.zeros(m, np.int64)
        last[batch.offsets[1:] - 1] = 1
        actions = merged(
            [
                *(
                    self._property_texts(batch, writer)
                    if writer.namespace == PROPERTIES
                    else writer.texts(of_action.get(writer.name), m)
                    for writer in self._action
                ),
                Coded(last, ["\n", "\n\n"]),
            ]
        )
        chosen = None
        if labels is not None:
            assert isinstance(batch, LoggedBatch)
            chosen, labels = batch.chosen, pc.binary_join_element_wise(labels, " ", "")
        return examples(shared, actions, batch.offsets, chosen, labels)

    def _property_texts(self, batch: DecisionBatch, writer: _Writer) -> Coded:
        """m texts: what the batch says of the actions' routes, else what the table says."""
        if writer.name == DOMESTIC:
            return writer.texts(domestic(batch, self.features.routes), batch.m)
        of_route = self._properties[writer.name]
        told = [of_route.get(route, writer.missing) for route in batch.routes]
        said = writer.texts(batch.action_features.get(writer.name), batch.m)
        *texts, _ = said.texts
        codes = np.where(said.codes < len(texts), said.codes, len(texts) + batch.action_route)
        return Coded(codes, [*texts, *told])


def _name(column: Column | None) -> str | None:
    """The value of a batch of one."""
    if isinstance(column, Categorical) and (code := column.codes.item(0)) >= 0:
        return column.categories[code]
    return None


def _is_known(column: Column | None, m: int) -> BoolArray:
    if isinstance(column, Categorical):
        return column.codes >= 0
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return np.isfinite(column)
    return np.zeros(m, np.bool_)
