"""Whether 1/propensity has the mean that it must have.

Let p(a) be the logging probability of eligible action a, and A the action taken. If A was drawn
from p, then 1{A = a} / p(a) has mean 1 for every a with p(a) > 0, so that 1/p(A) has the number of
such actions as its mean: a check that needs no outcome and no model (the control variate of
importance sampling; Bottou et al., 'Counterfactual Reasoning and Learning Systems', JMLR 14, 2013,
section 4). The sum of the deviations has a variance that is known from p, and one that is estimated
from bucket sums by payment, which also holds where the attempts of a payment depend on each other;
the larger one counts.

1/p is skewed: an action of probability 1/1,000 that comes twice where it was expected once is no
alarm. By Bernstein's inequality a sum of independent deviations of at most M with variance V
reaches s with a probability of at most exp(-s^2 / 2 / (V + M s / 3)); the z given here is
s / sqrt(V + M |s| / 3), which is the usual one where no action is rare.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.hashing import hash_strings, salted
from authopt.logs.audit.report import InverseCheck

BUCKETS = 1024
"""Payments share this many sums; the variance of their total is known to 4%."""

ALARM_Z = 4.0

SALT = "audit-bucket"


@dataclass(frozen=True, slots=True, eq=False)
class Deviations:
    """Of the decisions of a batch that have a propensity.

    Attributes
    ----------
    at
        int64[k], which decisions of the batch.
    inverse
        float64[k], 1/propensity.
    expected
        float64[k], number of eligible actions with a positive probability; all eligible ones,
        where only the propensity is known.
    variance
        float64[k], of ``inverse`` by the logged probabilities; 0 where not known.
    largest
        float64[k], largest 1/probability of an eligible action; of the taken one, where only its
        propensity is known.
    exact
        whether the probabilities of all eligible actions are known.
    """

    at: IntArray
    inverse: FloatArray
    expected: FloatArray
    variance: FloatArray
    largest: FloatArray
    exact: bool


def deviations(batch: LoggedBatch) -> Deviations:
    """1/propensity and what is known of it beforehand."""
    # The probability of an action that was taken is positive: a log says otherwise only by mistake.
    at = np.flatnonzero(batch.propensity > 0)
    inverse = 1.0 / batch.propensity[at]
    if batch.probability is None:
        counts = batch.counts[at].astype(np.float64)
        return Deviations(at, inverse, counts, np.zeros(len(at)), inverse, exact=False)
    positive, inverses = _inverses(batch.probability)
    expected = batch.sum_by_decision(positive)
    variance = batch.sum_by_decision(inverses) - expected**2
    largest = np.maximum.reduceat(inverses, batch.offsets[:-1]) if batch.n else np.zeros(0)
    return Deviations(at, inverse, expected[at], variance[at], largest[at], exact=True)


@dataclass(slots=True, eq=False)
class _Cell:
    """Sums of the deviations of some actions."""

    decisions: int = 0
    inverse: float = 0.0
    expected: float = 0.0
    variance: float = 0.0
    largest: float = 0.0
    exact: bool = True
    buckets: FloatArray = field(default_factory=lambda: np.zeros(BUCKETS))

    def __add__(self, other: _Cell) -> _Cell:
        return _Cell(
            self.decisions + other.decisions,
            self.inverse + other.inverse,
            self.expected + other.expected,
            self.variance + other.variance,
            max(self.largest, other.largest),
            self.exact and other.exact,
            self.buckets + other.buckets,
        )

    def clustered(self) -> float:
        """Variance of the sum of deviations, by the sums of the buckets."""
        return float(((self.buckets - self.buckets.mean()) ** 2).sum() * BUCKETS / (BUCKETS - 1))


@dataclass(slots=True, eq=False)
class InverseSums:
    """Sums over all decisions with a propensity, and by route."""

    total: _Cell = field(default_factory=_Cell)
    by_route: dict[str, _Cell] = field(default_factory=dict)
    squares: float = 0.0

    def add(self, batch: LoggedBatch, found: Deviations) -> None:
        """Add these decisions too (``found`` being their deviations)."""
        if not len(found.at):
            return
        deviation = found.inverse - found.expected
        bucket = (salted(hash_strings(batch.payment_id), SALT) & np.uint64(BUCKETS - 1)).astype(
            np.int64
        )
        self.squares += float((deviation**2).sum())
        self.total += _Cell(
            len(found.at),
            float(found.inverse.sum()),
            float(found.expected.sum()),
            float(found.variance.sum()),
            float(found.largest.max()),
            found.exact,
            np.asarray(np.bincount(bucket[found.at], deviation, BUCKETS), np.float64),
        )
        self._add_routes(batch, found, bucket)

    def _add_routes(self, batch: LoggedBatch, found: Deviations, bucket: IntArray) -> None:
        size = len(batch.routes)
        with_propensity = np.zeros(batch.n, np.bool_)
        with_propensity[found.at] = True
        of_decision = batch.decision_of_action
        used = with_propensity[of_decision]
        of_decision, route = of_decision[used], batch.action_route[used].astype(np.int64)
        if batch.probability is None:
            offered, inverses = np.ones(len(route)), np.zeros(len(route))
        else:
            offered, inverses = _inverses(batch.probability[used])
        taken = batch.action_route[batch.chosen_action[found.at]].astype(np.int64)

        def buckets(routes: IntArray, decisions: IntArray, values: FloatArray) -> FloatArray:
            sums = np.bincount(routes * BUCKETS + bucket[decisions], values, size * BUCKETS)
            return np.asarray(sums.reshape(size, BUCKETS))

        by_bucket = buckets(taken, found.at, found.inverse) - buckets(route, of_decision, offered)
        inverse = np.bincount(taken, found.inverse, size)
        expected = np.bincount(route, offered, size)
        # Actions of one route exclude each other, which takes the square of their number off.
        number = np.bincount(of_decision * size + route, offered, batch.n * size)
        squares = (number.reshape(batch.n, size) ** 2).sum(axis=0)
        variance = np.maximum(np.bincount(route, inverses, size) - squares, 0.0)
        if not found.exact:
            inverses, variance = found.inverse, np.zeros(size)
            route = taken
        largest = np.zeros(size)
        np.maximum.at(largest, route, inverses)
        decisions = (number.reshape(batch.n, size) > 0).sum(axis=0)
        for at in np.flatnonzero(decisions).tolist():
            cell = _Cell(
                int(decisions[at]),
                float(inverse[at]),
                float(expected[at]),
                float(variance[at]),
                float(largest[at]),
                found.exact,
                by_bucket[at],
            )
            name = batch.routes[at]
            self.by_route[name] = self.by_route[name] + cell if name in self.by_route else cell

    def __add__(self, other: InverseSums) -> InverseSums:
        by_route = dict(self.by_route)
        for route, cell in other.by_route.items():
            by_route[route] = by_route[route] + cell if route in by_route else cell
        return InverseSums(self.total + other.total, by_route, self.squares + other.squares)

    def design_effect(self) -> float:
        """How much more the sums vary by payment than if decisions were independent; at least 1."""
        return max(1.0, self.total.clustered() / self.squares) if self.squares else 1.0

    def report(self) -> tuple[InverseCheck, ...]:
        """The check over all decisions, then by route; empty without propensities."""
        if not self.total.decisions:
            return ()
        total = self.total
        first = check(
            "all decisions",
            total.decisions,
            total.inverse,
            total.expected,
            max(total.variance, total.clustered()),
            total.largest,
            total.exact,
            over=total.decisions,
        )
        routes = sorted(self.by_route.items(), key=lambda item: (-item[1].inverse, item[0]))
        return (
            first,
            *(
                check(
                    route,
                    cell.decisions,
                    cell.inverse,
                    cell.expected,
                    max(cell.variance, cell.clustered()),
                    cell.largest,
                    cell.exact,
                    over=cell.expected,
                )
                for route, cell in routes
            ),
        )


def check(
    what: str,
    decisions: int,
    inverse: float,
    expected: float,
    variance: float,
    largest: float,
    exact: bool,
    over: float,
) -> InverseCheck:
    """Judge sums of 1/propensity.

    Parameters
    ----------
    what
        a name for it.
    decisions
        that the sums are over.
    inverse, expected
        sums of 1/propensity and of what is expected of it.
    variance, largest
        of the sum; largest single 1/probability.
    exact
        whether ``expected`` is known, rather than an upper bound.
    over
        what the sums are divided by.
    """
    excess = inverse - expected
    scale = variance + largest * abs(excess) / 3
    # Rounding aside, a policy without any choice has no variance and no deviation.
    negligible = abs(excess) <= 1e-9 * max(expected, 1.0)
    z = 0.0 if negligible else float(excess / np.sqrt(scale)) if scale > 0 else None
    alarm = z is not None and (z > ALARM_Z or (exact and z < -ALARM_Z))
    return InverseCheck(
        what,
        decisions,
        inverse / over if over else 0.0,
        expected / over if over else 0.0,
        float(np.sqrt(variance)) / over if over else 0.0,
        z,
        exact,
        alarm,
    )


def _inverses(probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    """1 where positive, else 0; and 1/probability there (float64[m] each)."""
    positive = probability > 0
    inverses = np.zeros(len(probability))
    np.divide(1.0, probability, out=inverses, where=positive)
    return positive.astype(np.float64), inverses
