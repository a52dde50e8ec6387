"""Choosing among the members of a family of estimators from bucket sums alone.

Cutting large weights trades variance for bias, and how far to cut is seen best in the answers: as
long as the members agree to within their errors, cutting has cost nothing that the log can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import stdtrit

from authopt.batch import BoolArray, FloatArray
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.estimator import Estimator, Family

DELTA = 0.1
"""Chance that an interval or a bound used for choosing does not hold."""


class Method(StrEnum):
    """How a member is chosen."""

    SLOPE = "slope"
    """The most precise member that still agrees with all less precise ones."""

    MSE = "mse"
    """The least sum of variance and squared upper bound of the bias: cuts little, and late."""

    ERROR = "error"
    """The least estimate of the mean squared error, without an upper bound: what is quoted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What else is known of the rows.

    Attributes
    ----------
    largest_weight
        the largest that was seen.
    reward_low, reward_high
        declared bounds of the reward.
    q_low, q_high
        extremes of the reward model's predictions; only needed for families with a model.
    """

    largest_weight: float
    reward_low: float = 0.0
    reward_high: float = 1.0
    q_low: float = np.nan
    q_high: float = np.nan

    def largest_error(self, with_model: bool) -> float:
        """Largest possible difference between a reward and what is predicted (0 by no model)."""
        low, high = (self.q_low, self.q_high) if with_model else (0.0, 0.0)
        return max(self.reward_high - low, high - self.reward_low)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of one member.

    Attributes
    ----------
    estimator
        the member; its parameter is ``estimator.parameter``.
    value
        its estimate.
    standard_error
        robust to dependence within clusters; NaN where fewer than two buckets are filled.
    width
        half width of its interval: it holds on each side with probability 1 - delta.
    bias
        estimate of its bias: its value less that of the member which cuts no weight.
    bias_error
        standard error of ``bias``: both values are of the same rows.
    bias_bound
        upper bound of the size of the bias that holds with probability 1 - delta.
    """

    estimator: Estimator
    value: float
    standard_error: float
    width: float
    bias: float
    bias_error: float
    bias_bound: float

    @property
    def error(self) -> float:
        """Estimate of the mean squared error; what chance adds to the squared bias is taken off."""
        return self.standard_error**2 + max(self.bias**2 - self.bias_error**2, 0.0)

    @property
    def mse(self) -> float:
        """Estimate of the mean squared error, with the bound for the bias."""
        return self.standard_error**2 + self.bias_bound**2


@dataclass(frozen=True, slots=True)
class Choice:
    """The member of a family that was chosen, beside the others.

    Attributes
    ----------
    family
        short name.
    method
        how it was chosen.
    chosen
        place in ``candidates``.
    candidates
        one per member, in the order of the family.
    """

    family: str
    method: Method
    chosen: int
    candidates: tuple[Candidate, ...]

    @property
    def estimator(self) -> Estimator:
        """The chosen member."""
        return self.candidates[self.chosen].estimator

    @property
    def parameter(self) -> float | None:
        """Parameter of the chosen member."""
        return self.estimator.parameter


def choose(
    table: BucketTable,
    family: Family,
    method: Method = Method.SLOPE,
    *,
    facts: Facts,
    delta: float = DELTA,
) -> Choice:
    """Choose a member of a family.

    With ``slope``: Su, Srinath & Krishnamurthy, 'Adaptive Estimator Selection for Off-Policy
    Evaluation' (ICML 2020), with the sharper test of Tucker & Lee, 'Improved Estimator Selection
    for Off-Policy Evaluation' (2021): members are gone through from the widest interval to the
    narrowest, and the last one is chosen for which this one and all before it satisfy
    |value_i - value_j| <= width_i + (sqrt(6) - 1) width_j for every j before i. A bias of up to
    sqrt(6) times the widest width can go unseen, so the chosen member is a second opinion beside
    the unbiased estimators, and not a replacement of them.

    With ``mse``: Wang, Agarwal & Dudík, 'Optimal and Adaptive Off-policy Evaluation in Contextual
    Bandits' (ICML 2017), and Su, Dimakopoulou, Krishnamurthy & Dudík (ICML 2020), section 5. With
    weights w cut to u, the bias is the mean of (w - u) (r - q), and is bounded by Bernstein's
    inequality: by the size of its sample mean plus sqrt(2 mean(w^2) log(2 / delta) / n) plus
    2 max(w) log(2 / delta) / (3 n), for |r - q| <= 1.

    With ``error``: the same sum with the bias itself. The first member is without bias, so its
    difference from another, squared, is on average that one's squared bias plus the variance of the
    difference, which the buckets tell. Survey statisticians judge synthetic estimators so
    (Gonzalez & Waksberg 1973; Rao & Molina, 'Small Area Estimation', 2015, chapter 3); MAGIC
    (Thomas & Brunskill, ICML 2016) takes chance off the bias in another way. A bias well above the
    chance error of the difference is never kept, unlike with ``slope``.

    Parameters
    ----------
    table
        with the columns of ``family`` and ``w*w``.
    family, method, delta
        what to choose from, and how.
    facts
        what ``mse`` needs to know beyond the table.

    Returns
    -------
    Choice
        the member that cuts no weight where fewer than two buckets are filled: there is nothing to
        tell errors from.

    Raises
    ------
    ValueError
        If the table holds no rows.
    """
    candidates = _candidates(table, family, facts, delta)
    if not np.isfinite(candidates[0].standard_error):
        chosen = 0
    elif method is Method.SLOPE:
        chosen = _most_precise_in_agreement(candidates)
    elif method is Method.ERROR:
        chosen = int(np.argmin([candidate.error for candidate in candidates]))
    else:
        chosen = int(np.argmin([candidate.mse for candidate in candidates]))
    # Where no weight is large enough to be cut, several members are the same.
    twin = (candidates[chosen].value, candidates[chosen].width)
    chosen = next(i for i, each in enumerate(candidates) if (each.value, each.width) == twin)
    return Choice(family.name, method, chosen, candidates)


def settle(
    table: BucketTable,
    estimators: Iterable[Estimator | Family],
    method: Method = Method.SLOPE,
    *,
    facts: Facts,
) -> tuple[tuple[Estimator, ...], tuple[Choice, ...]]:
    """Put the chosen member in the place of every family, and say how each was chosen."""
    settled: list[Estimator] = []
    choices: list[Choice] = []
    for each in estimators:
        if isinstance(each, Family):
            choices.append(choose(table, each, method, facts=facts))
            settled.append(choices[-1].estimator)
        else:
            settled.append(each)
    return tuple(settled), tuple(choices)


def _candidates(
    table: BucketTable, family: Family, facts: Facts, delta: float
) -> tuple[Candidate, ...]:
    rows = table["one"]
    used = rows > 0.0
    n, groups = float(rows.sum()), int(used.sum())
    if not n:
        raise ValueError("there are no rows to choose an estimator by")
    values, spread = _linearised(table, family, used)
    errors = bias_errors = np.full(len(values), np.nan)
    widths = np.full(len(values), np.inf)
    if groups > 1:
        errors, bias_errors = (
            np.sqrt(groups / (groups - 1) * (each * each).sum(axis=1))
            for each in (spread, spread - spread[0])
        )
        widths = float(stdtrit(groups - 1, 1.0 - delta)) * errors
    log_odds = float(np.log(2.0 / delta))
    deviation = np.sqrt(2.0 * table.total("w*w") * log_odds) / n
    deviation += 2.0 * facts.largest_weight * log_odds / (3.0 * n)
    deviation *= facts.largest_error(family.needs_model)
    # Cutting and normalising leave at most weight / mean(cut weight) of a weight.
    kept = [table.total(member.ratios[0][1]) / n or 1.0 for member in family.members]
    return tuple(
        Candidate(
            estimator=member,
            value=float(values[place]),
            standard_error=float(errors[place]),
            width=float(widths[place]),
            bias=float(values[place] - values[0]),
            bias_error=float(bias_errors[place]),
            bias_bound=float(abs(values[place] - values[0]) + deviation / kept[place]),
        )
        for place, member in enumerate(family.members)
    )


def _linearised(
    table: BucketTable, family: Family, used: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Value of each member, and what each bucket that is used adds to its error."""
    values = np.zeros(len(family.members))
    spread = np.zeros((len(family.members), int(used.sum())))
    for place, member in enumerate(family.members):
        for above, below in member.ratios:
            numerator, denominator = table[above][used], table[below][used]
            total = float(denominator.sum())
            ratio = float(numerator.sum()) / total if total else np.nan
            values[place] += ratio
            spread[place] += (numerator - ratio * denominator) / (total or 1.0)
    return values, spread


def _most_precise_in_agreement(candidates: tuple[Candidate, ...]) -> int:
    order = sorted(range(len(candidates)), key=lambda place: -candidates[place].width)
    for step, place in enumerate(order):
        this = candidates[place]
        if any(not _agree(this, candidates[before]) for before in order[:step]):
            return order[step - 1]
    return order[-1]


def _agree(narrow: Candidate, wide: Candidate) -> bool:
    allowed = narrow.width + (math.sqrt(6.0) - 1.0) * wide.width
    # Members that are the same sum in another order differ by rounding.
    return abs(narrow.value - wide.value) <= allowed + 1e-12 * max(1.0, abs(wide.value))
