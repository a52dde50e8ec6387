"""What Vowpal Wabbit is told of context and actions: the one place where its features are declared.

A :class:`VwFeatures` value says which column goes into which namespace, where numbers are cut into
bins and which namespaces interact. It is learned once, saved with the model, and read by training
and serving alike, so the two cannot differ. ``authopt.features.vw_text`` writes the text.

References (ids) and times are never features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from authopt.batch import Categorical, Column, DecisionBatch, FloatArray
from authopt.features.attempt_time import CLOCK, DAY_S, HOUR_S, WAITS
from authopt.features.attempt_time import attempt_times as times_of_attempts
from authopt.features.route_properties import (
    COUNTRIES,
    DOMESTIC,
    Property,
    RouteTable,
    describes_route,
)
from authopt.features.tabular import (
    ATTEMPT,
    DELAY,
    ROUTE,
    Table,
    action_table,
    bin_edges,
    decision_table,
)
from authopt.payments import CUSTOM_PREFIX

BINS = 12
"""Bins of a number with many values; tabular models cut coarser, as they have linear terms too."""

PROPERTY_BINS = 4
"""Bins of a number that describes a route: few, so that routes share them."""

WAIT_EDGES = tuple(
    float(each)
    for each in (
        *(60, 600, HOUR_S, 3 * HOUR_S, 8 * HOUR_S, 16 * HOUR_S),
        *(days * DAY_S + DAY_S // 2 for days in (1, 2, 4, 6, 9, 13, 20, 30)),
    )
)
"""Bins of the time between attempts, in seconds, about as wide as they are far away."""

MERCHANT, CARD, TIME, HISTORY, EXTRA = "merchant", "card", "time", "history", "extra"
ROUTES, PROPERTIES, DELAYS, WHEN, ACTION = "route", "property", "delay", "when", "action"

_NAMESPACES = (
    *(MERCHANT, CARD, TIME, HISTORY, EXTRA),
    *(ROUTES, PROPERTIES, DELAYS, WHEN, ACTION),
)

_INTERACTIONS = (
    (CARD, ROUTES),
    (TIME, ROUTES),
    (HISTORY, ROUTES),
    (EXTRA, ROUTES),
    (CARD, PROPERTIES),
    (HISTORY, PROPERTIES),
    (CARD, DELAYS),
    (TIME, DELAYS),
    (HISTORY, DELAYS),
    (ROUTES, DELAYS),
    (ROUTES, ACTION),
    (HISTORY, ACTION),
    (CARD, WHEN),
    (HISTORY, WHEN),
    (MERCHANT, ROUTES),
    (MERCHANT, DELAYS),
    (MERCHANT, CARD, ROUTES),
)
"""What a route or a delay is worth depends on the payment. Terms of the payment alone are the same
for all its actions; they only take up what makes a whole payment easy or hard."""

_CONTEXT_PAIRS = (
    (CARD, CARD, ROUTES),
    (CARD, TIME, ROUTES),
    (TIME, TIME, ROUTES),
    (CARD, EXTRA, ROUTES),
    (EXTRA, EXTRA, ROUTES),
)

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

READ_BESIDE = frozenset({"previous_route", "issuer_country", *_TIME, *WAITS.values()})
"""Context columns from which columns per action are derived, whether they are declared or not."""


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
        two or three first characters of namespaces each, as VW's ``--interactions`` takes them.
    routes
        properties of routes; the columns of the namespace ``property`` are looked up here where a
        batch does not have them.
    """

    context: tuple[VwColumn, ...]
    action: tuple[VwColumn, ...]
    interactions: tuple[str, ...]
    routes: RouteTable = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """VW's arguments for the interactions."""
        return [word for each in self.interactions for word in ("--interactions", each)]


def learn_vw_features(
    batch: DecisionBatch,
    routes: RouteTable | None = None,
    *,
    merchant_own: bool = False,
    context_pairs: bool = False,
    attempt_times: bool = False,
) -> VwFeatures:
    """Declare the features of a sample of decisions.

    Columns that are the same in all rows are left out, as nothing can be learned from them; the
    route always stays. The result does not depend on the order of rows or vocabularies.

    Parameters
    ----------
    batch
        the sample.
    routes
        properties of routes, those included that the sample does not have yet. Columns per action
        that are the same for a route in all rows are taken for properties too.
    merchant_own
        give every merchant weights of its own for routes, delays and pairs of card and route,
        beside the shared ones: a merchant of many payments gets what is particular to it, a new one
        starts from what all share (Daume, "Frustratingly Easy Domain Adaptation", ACL 2007;
        Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009).
    context_pairs
        let a route's worth depend on every pair of context columns too, such as small amounts in
        the afternoon; it takes many rows, or several passes, and several times as long.
    attempt_times
        tell the hour, the day and the date at which an attempt would land, and its distance from
        those before (``authopt.features.attempt_time``). In the simulator it made first attempts
        better and retries worse, at twice the time: small world, 40,000 payments online, 93.66% of
        them paid, without it 93.76%.
    """
    routes = routes or {}
    context = _learn(decision_table(batch), partial(_context_namespace, merchant_own))
    of_action = dict(action_table(batch))
    # Without delays an attempt is sent when it is decided, of which the context says it all.
    if attempt_times and (batch.action_delay_s > 0).any():
        of_action |= times_of_attempts(batch)
    route = batch.action_route
    namespaces = {
        name: PROPERTIES
        for name, column in batch.action_features.items()
        if (values := _as_numbers(column)) is not None and describes_route(values, route)
    }
    action = _learn(of_action, lambda name: namespaces.get(name) or _action_namespace(name))
    if all(column.name != ROUTE for column in action):
        action = (VwColumn(ROUTE, ROUTES), *action)
    action = _by_namespace((*action, *_properties(routes, {column.name for column in action})))
    there = {column.namespace for column in (*context, *action)}
    interactions = tuple(
        "".join(name[0] for name in names)
        for names in (*_INTERACTIONS, *(_CONTEXT_PAIRS if context_pairs else ()))
        if there.issuperset(names)
    )
    return VwFeatures(context, action, interactions, routes)


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
                edges = WAIT_EDGES if name in WAITS else tuple(bin_edges(known, BINS).tolist())
                columns.append(VwColumn(name, namespace_of(name), edges))
    return _by_namespace(columns)


def _by_namespace(columns: Iterable[VwColumn]) -> tuple[VwColumn, ...]:
    return tuple(sorted(columns, key=lambda each: _NAMESPACES.index(each.namespace)))


def _properties(routes: RouteTable, taken: set[str]) -> Iterator[VwColumn]:
    """The columns of a table of routes that tell some of them apart."""
    columns: dict[str, dict[str, Property]] = {}
    for route, properties in routes.items():
        for name, value in properties.items():
            columns.setdefault(name, {})[route] = value
    # The countries alone would tell almost every route apart, as its name does.
    for name in sorted(columns.keys() - taken - {COUNTRIES}):
        values = list(columns[name].values())
        if len(values) == len(routes) and len(set(values)) == 1:
            continue
        numbers = np.array([value for value in values if isinstance(value, float)])
        edges = tuple(bin_edges(numbers, PROPERTY_BINS).tolist()) if len(numbers) else None
        yield VwColumn(name, PROPERTIES, edges)
    if COUNTRIES in columns:
        yield VwColumn(DOMESTIC, PROPERTIES, (0.5,))


def _as_numbers(column: Column) -> FloatArray | None:
    if isinstance(column, Categorical):
        return np.where(column.codes < 0, np.nan, column.codes)
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return np.asarray(column, np.float64)
    return None


def _context_namespace(merchant_own: bool, name: str) -> str:
    if name == "merchant_id" and merchant_own:
        return MERCHANT
    if name in _HISTORY:
        return HISTORY
    if name in _TIME:
        return TIME
    return EXTRA if name.startswith(CUSTOM_PREFIX) else CARD


def _action_namespace(name: str) -> str:
    if name in CLOCK:
        return WHEN
    return DELAYS if name in WAITS else {ROUTE: ROUTES, DELAY: DELAYS}.get(name, ACTION)
