"""Every estimator is a ratio of two sums: here are the columns that are summed.

To add an estimator, write its numerator as a function of the terms (one row per decision), add it
to ``COLUMNS`` under a name, and add an :class:`Estimator` that divides it by a column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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

    def __getitem__(self, name: str) -> FloatArray | None:
        """float64[n], or None for zeros; a name such as ``w*wr`` is the product of two columns."""
        if name in self._known:
            return self._known[name]
        left, _, right = name.partition("*")
        value = self._product(self[left], self[right]) if right else COLUMNS[left](self)
        self._known[name] = value
        return value

    def given(self, name: str) -> FloatArray:
        """A column that cannot be zeros."""
        column = self[name]
        assert column is not None
        return column

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


def _doubly_robust(columns: Columns) -> FloatArray:
    terms = columns.terms
    value = terms.r - _predicted(terms.q)
    value *= columns.w
    value += _predicted(terms.v)
    return value


def _doubly_robust_supported(columns: Columns) -> FloatArray:
    value, elsewhere = columns.given("dr"), columns.terms.v_unsupported
    return value if elsewhere is None else value - elsewhere


COLUMNS: Mapping[str, ColumnOf] = {
    "one": lambda columns: columns.ones,
    "r": lambda columns: columns.terms.r,
    "w": lambda columns: columns.w,
    "wr": lambda columns: columns["w*r"],
    "v": lambda columns: _predicted(columns.terms.v),
    "dr": _doubly_robust,
    "dr_supported": _doubly_robust_supported,
    "coverage": _coverage,
    "unsupported": lambda columns: columns.terms.unsupported,
    "thin": lambda columns: columns.terms.thin,
}
"""Columns by name: ``coverage`` is the weight plus the mass without support, whose mean is 1 if the
propensities are right; ``dr_supported`` leaves out what the model says of actions that the log
cannot speak of."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """sum(numerator) / sum(denominator).

    Attributes
    ----------
    name, title, source
        short name, name in words, and where it was published.
    numerator, denominator
        names of columns.
    needs_model
        whether it uses a reward model.
    score
        column whose mean is the value, without bias, if the propensities are right; the covering
        interval is made from it. None where there is no such column.
    note
        what its intervals do not cover.
    """

    name: str
    title: str
    source: str
    numerator: str
    denominator: str
    needs_model: bool = False
    score: str | None = None
    note: str | None = None


ON_POLICY = Estimator(
    "on-policy",
    "mean logged reward",
    "the sample mean: the policy made the log itself",
    "r",
    "one",
    score="r",
)
IPS = Estimator(
    "ips",
    "inverse propensity score",
    "Horvitz & Thompson, JASA 47, 1952",
    "wr",
    "one",
    score="wr",
)
SNIPS = Estimator(
    "snips",
    "self-normalised inverse propensity score",
    "Hájek, 1971; Swaminathan & Joachims, NeurIPS 2015, section 4",
    "wr",
    "w",
    score="wr",
)
DM = Estimator(
    "dm",
    "direct method",
    "Dudík, Langford & Li, ICML 2011, section 2",
    "v",
    "one",
    needs_model=True,
    note="its interval does not cover the bias of the reward model",
)
DR = Estimator(
    "dr",
    "doubly robust",
    "Dudík, Langford & Li, ICML 2011, equation 1",
    "dr",
    "one",
    needs_model=True,
    score="dr_supported",
)

ESTIMATORS: tuple[Estimator, ...] = (IPS, SNIPS, DM, DR)
"""Of a policy that did not make the log, in the order of tables."""

LOGGING_ESTIMATORS: tuple[Estimator, ...] = (ON_POLICY, DM, DR)
"""Of the policy that made the log; IPS and SNIPS are its sample mean."""


def headline(estimators: Sequence[Estimator]) -> str:
    """The estimator to quote: the sample mean, else doubly robust, else self-normalised."""
    names = {estimator.name for estimator in estimators}
    return next(each.name for each in (ON_POLICY, DR, SNIPS, IPS, DM) if each.name in names)


def table_columns(with_model: bool) -> tuple[str, ...]:
    """All columns that the estimators of a policy, their intervals and its diagnostics need."""
    scores = ("r", "wr", "dr_supported") if with_model else ("r", "wr")
    names = ["one", "r", "w", "wr", "coverage", "unsupported", "thin", "w*w"]
    names += ["r*r", "coverage*coverage", "unsupported*unsupported", "coverage*r"]
    names += ["r*unsupported", "coverage*unsupported"]
    if with_model:
        names += ["v", "dr", "dr_supported"]
    for score in scores:
        for other in (score, "r", "coverage", "unsupported"):
            names.append(product(score, other))
    return tuple(dict.fromkeys(names))


def product(left: str, right: str) -> str:
    """Name of the column that is the product of two columns."""
    return "*".join(sorted((left, right)))
