"""Columns of one number per decision: what estimators, intervals and diagnostics add up.

To add a column, write it as a function of the terms and put it under a name into ``COLUMNS``. A
column with a parameter goes into ``PARAMETRIC`` and is asked for as ``name@parameter``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.terms import Terms

ColumnOf = Callable[["Columns"], "FloatArray | None"]
"""A column of length n, from the terms and other columns; None stands for zeros."""


class Columns:
    """Columns of n decisions, each computed when it is first asked for."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.ones = np.ones(len(terms.r))
        self.w = self.ones if terms.w is None else terms.w
        self._known: dict[str, FloatArray | None] = {}
        self._products: dict[tuple[int, int], FloatArray] = {}
        self._largest: float | None = None

    def __getitem__(self, name: str) -> FloatArray | None:
        """float64[n], or None for zeros.

        A name such as ``w*wr`` is the product of two columns; one such as ``clip@10`` is a column
        of ``PARAMETRIC`` with its parameter.
        """
        if name in self._known:
            return self._known[name]
        left, _, right = name.partition("*")
        base, _, parameter = left.partition("@")
        if right:
            value = self._product(self[left], self[right])
        elif parameter:
            value = PARAMETRIC[base](self, parameter)
        else:
            value = COLUMNS[left](self)
        self._known[name] = value
        return value

    @classmethod
    def of(cls, terms: Terms) -> Columns:
        """The columns of these terms, the same for all who ask: each is computed once."""
        found = cls(terms)
        # What is kept are arrays, which know nothing of the terms: a circle would not be freed.
        found.ones = terms.known.setdefault("ones", found.ones)
        found.w = found.ones if terms.w is None else terms.w
        found._known = terms.known.setdefault("columns", found._known)
        found._products = terms.known.setdefault("products", found._products)
        return found

    def given(self, name: str) -> FloatArray:
        """A column that cannot be zeros."""
        column = self[name]
        assert column is not None
        return column

    @property
    def largest_weight(self) -> float:
        """The largest weight among the decisions; 0 where there are none."""
        if self._largest is None:
            self._largest = float(self.w.max(initial=0.0))
        return self._largest

    def _product(self, left: FloatArray | None, right: FloatArray | None) -> FloatArray | None:
        if left is None or right is None:
            return None
        if left is self.ones or right is self.ones:
            return right if left is self.ones else left
        # Two names can stand for the same array (full support: coverage is the weight).
        pair = (id(left), id(right))
        if pair not in self._products:
            self._products[pair] = left * right
        return self._products[pair]


def _predicted(values: FloatArray | None) -> FloatArray:
    if values is None:
        raise ValueError("this column needs a reward model")
    return values


def _coverage(columns: Columns) -> FloatArray:
    terms = columns.terms
    return columns.w if terms.unsupported is None else columns.w + terms.unsupported


def _error(columns: Columns) -> FloatArray:
    return columns.terms.r - _predicted(columns.terms.q)


def _doubly_robust(columns: Columns) -> FloatArray:
    return columns.given("wd") + columns.given("v")


def _doubly_robust_supported(columns: Columns) -> FloatArray:
    value, elsewhere = columns.given("dr"), columns.terms.v_unsupported
    return value if elsewhere is None else value - elsewhere


COLUMNS: Mapping[str, ColumnOf] = {
    "one": lambda columns: columns.ones,
    "r": lambda columns: columns.terms.r,
    "w": lambda columns: columns.w,
    "wr": lambda columns: columns["w*r"],
    "v": lambda columns: _predicted(columns.terms.v),
    "d": _error,
    "wd": lambda columns: columns["w*d"],
    "dr": _doubly_robust,
    "dr_supported": _doubly_robust_supported,
    "coverage": _coverage,
    "unsupported": lambda columns: columns.terms.unsupported,
    "thin": lambda columns: columns.terms.thin,
}
"""Columns by name: ``coverage`` is the weight plus the mass without support, whose mean is 1 if the
propensities are right; ``d`` is the reward less the prediction for the logged action;
``dr_supported`` leaves out what the model says of actions that the log cannot speak of."""


def _clip(columns: Columns, parameter: str) -> FloatArray:
    cap = float(parameter)
    if columns.largest_weight <= cap:
        return columns.given("wr")
    value = np.minimum(columns.w, cap)
    value *= columns.terms.r
    return value


def _clipped_weight(columns: Columns, parameter: str) -> FloatArray:
    return np.minimum(columns.w, float(parameter))


def _switch(columns: Columns, parameter: str) -> FloatArray:
    threshold = float(parameter)
    if columns.largest_weight <= threshold:
        return columns.given("dr")
    value = columns.given("wd") * (columns.w <= threshold)
    value += columns.given("v")
    return value


def _optimistic(columns: Columns, parameter: str) -> FloatArray:
    shrinkage = float(parameter)
    value = columns.given("w*w") + shrinkage
    np.divide(columns.given("wd"), value, out=value)
    value *= shrinkage
    value += columns.given("v")
    return value


def _subgaussian(columns: Columns, parameter: str) -> FloatArray:
    value = _power_mean(columns.w, float(parameter))
    np.divide(columns.given("wr"), value, out=value)
    return value


def _subgaussian_doubly_robust(columns: Columns, parameter: str) -> FloatArray:
    value = _power_mean(columns.w, float(parameter))
    np.divide(columns.given("wd"), value, out=value)
    value += columns.given("v")
    return value


def _power_mean(w: FloatArray, share: float) -> FloatArray:
    value = w * share
    value += 1.0 - share
    # With a share of 1, what is divided by the 0 of a weight of 0 is itself 0.
    return np.maximum(value, np.finfo(np.float64).tiny, out=value)


def _marginalised(columns: Columns, parameter: str) -> FloatArray:
    return columns.terms.w_embedded[parameter] * columns.terms.r


PARAMETRIC: Mapping[str, Callable[[Columns, str], FloatArray]] = {
    "clip": _clip,
    "clipw": _clipped_weight,
    "switch": _switch,
    "dros": _optimistic,
    "sg": _subgaussian,
    "sgdr": _subgaussian_doubly_robust,
    "mips": _marginalised,
}
"""Columns with a parameter, by the part of their name before ``@``."""


def product(left: str, right: str) -> str:
    """Name of the column that is the product of two columns."""
    return "*".join(sorted((left, right)))
