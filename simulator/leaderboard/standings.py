"""What the cells say: values, paired differences with intervals, shares of the gap, regret.

Intervals are Student's t over seeds (95%): the mean over the seeds, give or take
t(0.975, seeds - 1) standard errors of it. Differences are taken seed by seed, where both policies
met the same payments with the same luck, before the same is done with them. The share of a gap is a
ratio of two means; its standard error is that of the residuals (delta method; W. G. Cochran,
*Sampling Techniques*, section 6.4). Seeds draw the traffic; the world stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from authopt.batch import FloatArray
from simulator.leaderboard.cell import Result
from simulator.leaderboard.roster import Kind
from simulator.leaderboard.tally import Blocks, block_size


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its 95% interval; the limits are None where there is one seed."""

    mean: float
    lower: float | None
    upper: float | None

    @property
    def half(self) -> float | None:
        """Half the width."""
        return None if self.lower is None else self.mean - self.lower


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """All seeds of one policy at one place.

    Attributes
    ----------
    label, spec, kind
        who.
    results
        by seed, all of the same seeds as those of the other policies.
    equal
        label of the policy of ours that was given the same log beforehand.
    """

    label: str
    spec: str
    kind: Kind
    results: tuple[Result, ...]
    equal: str | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds, in order."""
        return tuple(result.cell.seed for result in self.results)

    def sums(self, column: str, window: slice) -> FloatArray:
        """float64[seeds], a column of :class:`tally.Blocks` over some blocks."""
        return np.array([getattr(each.blocks, column)[window].sum() for each in self.results])

    def ratio(self, above: str, below: str, window: slice) -> FloatArray:
        """float64[seeds], one column over another."""
        return self.sums(above, window) / self.sums(below, window)


@dataclass(frozen=True, slots=True)
class Standing:
    """What one policy did.

    Attributes
    ----------
    label, spec, kind
        who.
    value
        true chance to be paid, per payment.
    difference
        of the value to that of the reference policy, paired by seed; None of the reference itself.
    equal, equal_difference
        label of the policy of ours that was given the same log beforehand, and the difference to
        that one; None where there is none.
    captured_cascade, captured_static
        share of the gap to the oracle that is closed, from the best order of routes that retries at
        once and from the best static policy of all; None where there is no such policy or no gap.
    first
        true chance that a first attempt is approved.
    attempts
        per payment.
    regret
        chance lost to the best action, per 1,000 decisions.
    explored
        chance lost against the policy's own most probable action, per 1,000 payments.
    seconds
        of a run, mean over seeds.
    reported
        what the policy reports of itself, mean over seeds.
    """

    label: str
    spec: str
    kind: Kind
    value: Interval
    difference: Interval | None
    equal: str | None
    equal_difference: Interval | None
    captured_cascade: Interval | None
    captured_static: Interval | None
    first: Interval
    attempts: Interval
    regret: Interval
    explored: Interval
    seconds: float
    reported: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Board:
    """The standings at one place, the highest value first.

    Attributes
    ----------
    place, payments, seeds
        what was played.
    after, counted
        number of the first payment that counts, and how many count.
    reference, cascade, static, oracle
        labels of the policies that the others are compared with; None where there is none.
    standings
        by value.
    curves
        float64[blocks] by label: regret per 1,000 decisions by block of payments, mean over seeds;
        of all payments.
    block
        payments in a block.
    """

    place: str
    payments: int
    seeds: tuple[int, ...]
    after: int
    counted: int
    reference: str
    cascade: str | None
    static: str | None
    oracle: str | None
    standings: tuple[Standing, ...]
    curves: Mapping[str, FloatArray]
    block: int

    def standing(self, label: str) -> Standing:
        """Of one policy.

        Raises
        ------
        KeyError
            If it is not among them.
        """
        for each in self.standings:
            if each.label == label:
                return each
        raise KeyError(label)


def board_of(
    runs: Sequence[Run],
    *,
    after: int,
    reference: str,
    cascade: str | None = None,
    static: str | None = None,
    oracle: str | None = None,
) -> Board:
    """The standings of some policies at one place.

    Parameters
    ----------
    runs
        the policies, all with the same place, payments and seeds.
    after
        number of the first payment that counts. A payment counts or not with all its attempts.
        Moved up to the start of a block.
    reference
        label of the policy that differences are taken to.
    cascade, static, oracle
        labels of the yardsticks of the gaps; passed over where they are not among the runs.

    Raises
    ------
    ValueError
        If the policies did not meet the same payments.
    """
    labels = {run.label: run for run in runs}
    cell = runs[0].results[0].cell
    size = block_size(cell.payments)
    window = slice(-(-after // size), None)
    met = runs[0].sums("payments", window)
    if any((run.sums("payments", window) != met).any() for run in runs):
        raise ValueError("the policies did not meet the same payments; their cells do not compare")
    value = {run.label: run.ratio("value", "payments", window) for run in runs}
    cascade, static, oracle = (
        label if label in labels else None for label in (cascade, static, oracle)
    )

    def captured(label: str, start: str | None) -> Interval | None:
        if start is None or oracle is None:
            return None
        return share_of_gap(value[label], value[start], value[oracle])

    standings = [
        Standing(
            run.label,
            run.spec,
            run.kind,
            interval(value[run.label]),
            None if run.label == reference else interval(value[run.label] - value[reference]),
            run.equal,
            None if run.equal is None else interval(value[run.label] - value[run.equal]),
            captured(run.label, cascade),
            captured(run.label, static),
            interval(run.ratio("first_value", "payments", window)),
            interval(run.ratio("attempts", "payments", window)),
            interval(1_000 * _regret(run, window)),
            interval(1_000 * _explored(run, window)),
            float(np.mean([result.seconds for result in run.results])),
            _reported(run),
        )
        for run in runs
    ]
    standings.sort(key=lambda each: -each.value.mean)
    return Board(
        cell.place,
        cell.payments,
        runs[0].seeds,
        min(window.start * size, cell.payments),
        int(met[0]),
        reference,
        cascade,
        static,
        oracle,
        tuple(standings),
        {run.label: 1_000 * np.mean([_curve(each.blocks) for each in run.results], axis=0)
         for run in runs},
        size,
    )  # fmt: skip


def interval(values: FloatArray) -> Interval:
    """The mean of float64[seeds] with Student's t interval."""
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, None, None)
    half = float(student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def share_of_gap(value: FloatArray, start: FloatArray, end: FloatArray) -> Interval | None:
    """How much of the way from ``start`` to ``end`` is gone; float64[seeds] each, paired.

    None where there is no way to go.
    """
    gone, gap = value - start, end - start
    way = float(gap.mean())
    if way <= 0.0:
        return None
    share = float(gone.mean()) / way
    residuals = interval((gone - share * gap) / way)
    if residuals.half is None:
        return Interval(share, None, None)
    return Interval(share, share - residuals.half, share + residuals.half)


def _regret(run: Run, window: slice) -> FloatArray:
    lost = run.sums("best", window) - run.sums("value", window)
    return np.asarray(lost / run.sums("decisions", window))


def _explored(run: Run, window: slice) -> FloatArray:
    spent = run.sums("favourite", window) - run.sums("value", window)
    return np.asarray(spent / run.sums("payments", window))


def _curve(blocks: Blocks) -> FloatArray:
    return np.asarray((blocks.best - blocks.value) / np.maximum(blocks.decisions, 1.0))


def _reported(run: Run) -> dict[str, float]:
    names = dict.fromkeys(name for each in run.results for name in each.reported)
    return {
        name: float(np.mean([each.reported[name] for each in run.results if name in each.reported]))
        for name in names
    }
