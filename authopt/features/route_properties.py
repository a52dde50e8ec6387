"""What is known of routes whatever their past: acquirer, countries, currency, cost of an attempt.

A route that was never taken has no weight of its own yet. By its properties it is scored as the
routes that share them did. So few properties that several routes share serve best; a number that
every route has for itself says no more of a new one than its name. In the simulator's cards world
a route at home in a new country was taken for 0.8 points better than the others by its countries
(0.2 worse in truth), but for 4.5 points worse with its fees beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from authopt.batch import Categorical, CodeArray, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.toml_file import read_toml

Property: TypeAlias = str | float | tuple[str, ...]
"""A name, a number, or several names."""

RouteTable: TypeAlias = Mapping[str, Mapping[str, Property]]
"""Properties by route."""

COUNTRIES = "countries"
"""The property with the countries in which a route acquires locally."""

DOMESTIC = "domestic"
"""1 where the issuer's country is among the route's ``COUNTRIES``, else 0."""

SEE = (
    "Expected a table per route with names, numbers or lists of names, such as [acme] acquirer = "
    '"Acme", countries = ["DE", "AT"], cost = 0.12'
)


def read_routes(path: Path) -> RouteTable:
    """Read a TOML file with a table per route.

    Raises
    ------
    UserError
        If the file cannot be read, a value is neither a name, a number nor a list of names, or a
        property is a number of one route and a name of another.
    """
    table = read_toml(path, dict[str, dict[str, Property]], SEE)
    if not table:
        raise UserError(f"{path}: no route is described. {SEE}")
    kinds: dict[str, tuple[bool, str]] = {}
    for route, properties in table.items():
        for name, value in properties.items():
            if name == DOMESTIC:
                raise UserError(
                    f"{path}: route {route!r} has the property {DOMESTIC!r}, which is derived from "
                    f"{COUNTRIES!r}; expected another name"
                )
            is_number = isinstance(value, float)
            if is_number and not np.isfinite(value):
                raise UserError(f"{path}: {name} of route {route!r} is {value}; expected finite")
            other_is_number, other = kinds.setdefault(name, (is_number, route))
            if other_is_number != is_number:
                raise UserError(
                    f"{path}: {name} of route {route!r} is {value!r}, but that of {other!r} is "
                    f"{table[other][name]!r}; expected numbers or names, not both"
                )
    return table


def domestic(batch: DecisionBatch, table: RouteTable) -> FloatArray:
    """float64[m], ``DOMESTIC``; NaN where a country is not known."""
    issuer = batch.context.get("issuer_country")
    if not isinstance(issuer, Categorical):
        return np.full(batch.m, np.nan)
    of_pair = np.array(
        [
            [is_domestic(table, route, country) for country in (*issuer.categories, None)]
            for route in batch.routes
        ]
    )
    return np.asarray(of_pair[batch.action_route, np.repeat(issuer.codes, batch.counts)])


def is_domestic(table: RouteTable, route: str, country: str | None) -> float:
    """``DOMESTIC`` of one route and issuer's country."""
    countries = table.get(route, {}).get(COUNTRIES)
    if countries is None or country is None or isinstance(countries, float):
        return np.nan
    return float(country in ((countries,) if isinstance(countries, str) else countries))


def describes_route(values: FloatArray, route: CodeArray) -> bool:
    """Whether a column says the same of a route in all rows, and something of several routes alike.

    Parameters
    ----------
    values
        float64[m], numbers, or codes of names; NaN where missing.
    route
        int32[m], codes of the routes.
    """
    known = np.isfinite(values)
    pairs = np.unique(np.stack([route[known], values[known]]), axis=1)
    routes, kinds = (len(np.unique(row)) for row in pairs)
    return pairs.shape[1] == routes and 1 < kinds < routes
