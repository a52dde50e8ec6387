"""The difference between two policies that did not make the log, from their joint table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation.betting import pair_bets
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.estimating import Evidence, estimate_of
from authopt.evaluation.estimator import Estimator
from authopt.evaluation.estimators import headline
from authopt.evaluation.further_intervals import BETTING
from authopt.evaluation.intervals import Quantity, Ratio
from authopt.evaluation.pair_limits import difference_limits
from authopt.evaluation.pairs import FIRST, SECOND, PairSums
from authopt.evaluation.policy_sums import PolicySums
from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.result import Comparison, PolicyResult
from authopt.evaluation.scores import Range
from authopt.evaluation.settings import Settings


def comparison_of(
    policies: tuple[PolicyResult, PolicyResult],
    sums: tuple[PolicySums, PolicySums],
    known: tuple[Range, Range],
    estimators: tuple[Mapping[str, Estimator], Mapping[str, Estimator]],
    pair: PairSums,
    replicates: tuple[FloatArray, FloatArray],
    longest: int | None,
    settings: Settings,
) -> Comparison:
    """The difference by every estimator that both policies have.

    Parameters
    ----------
    policies, sums, known, estimators
        of the first and of the second policy; of a family of estimators, the member that was
        chosen for it.
    pair
        sums of the products of both.
    replicates
        float64[replicates, columns] of each policy's own table, drawn from the same buckets.
    longest
        most rows of a cluster; None where that is not known beforehand.
    settings
        what was asked.
    """
    joint = pair.joint(sums[0].table, sums[1].table)
    limits = difference_limits(joint, *known, settings.confidence)
    evidence = Evidence(
        table=joint,
        known=known[0],
        effective=min(each.diagnostics.effective_sample_size for each in policies),
        unsupported=max(each.diagnostics.unsupported_mass or 0.0 for each in policies),
        replicates=_joint(joint, *replicates) if settings.bootstrap else None,
        confidence=settings.confidence,
        covering=settings.confidence,
    )
    span = known[0].span
    more = _anytime(pair, known, longest, settings)
    shared = [name for name in estimators[0] if name in estimators[1]]
    return Comparison(
        first=policies[0].name,
        second=policies[1].name,
        estimates=tuple(
            estimate_of(
                estimators[0][name],
                _difference(estimators[0][name], estimators[1][name]),
                None if estimators[0][name].score is None else limits,
                (-span, span),
                evidence,
                () if estimators[0][name].score is None else more,
            )
            for name in shared
        ),
        headline=headline([estimators[0][name] for name in shared]),
    )


def _anytime(
    pair: PairSums, known: tuple[Range, Range], longest: int | None, settings: Settings
) -> tuple[Interval, ...]:
    if pair.bets is None or longest is None or known[0].clusters < 2:
        return ()
    limits = pair_bets.difference_limits(
        pair.bets,
        settings.confidence,
        largest_weight=settings.max_weight,
        longest=longest,
    )
    return (Interval(BETTING, *limits, settings.confidence, Guarantee.ANYTIME),)


def _joint(joint: BucketTable, first: FloatArray, second: FloatArray) -> FloatArray:
    # Estimates divide the policies' own columns only; those of the pair are not asked for.
    rest = np.zeros((len(first), len(joint.columns) - 2 - first.shape[1] - second.shape[1]))
    ones = first[:, :1]
    return np.concatenate([ones, np.zeros_like(ones), first, second, rest], axis=1)


def _difference(first: Estimator, second: Estimator) -> Quantity:
    return [*_signed(first, FIRST, 1.0), *_signed(second, SECOND, -1.0)]


def _signed(estimator: Estimator, prefix: str, sign: float) -> Sequence[Ratio]:
    return [
        Ratio(prefix + numerator, "one" if denominator == "one" else prefix + denominator, sign)
        for numerator, denominator in estimator.ratios
    ]
