"""The intervals beside the default one that hold with few rows too, or at all times."""

from __future__ import annotations

from authopt.evaluation import concentration, empirical_likelihood
from authopt.evaluation.betting import row_bets
from authopt.evaluation.betting.row_bets import RowBets
from authopt.evaluation.estimating import ByScore
from authopt.evaluation.policy_sums import BETS, LIKELIHOOD, PolicySums
from authopt.evaluation.quantities import Guarantee, Interval
from authopt.evaluation.score_histogram import ScoreHistogram
from authopt.evaluation.scores import Range

EMPIRICAL_LIKELIHOOD, BETTING = "empirical-likelihood", "betting"


def value_intervals(
    sums: PolicySums,
    known: Range,
    confidence: float,
    *,
    own: bool,
    independent: bool,
    max_weight: float | None,
    longest: int | None,
) -> ByScore:
    """Further intervals of a policy's value, by score.

    Parameters
    ----------
    sums
        of the policy.
    known
        what is known of its rows.
    confidence
        nominal coverage.
    own
        whether the policy made the log.
    independent
        whether every row is a cluster of its own.
    max_weight
        largest possible weight as it was declared; None where it was not. One that is computed
        from the log is not fixed beforehand, as the anytime-valid interval would have it.
    longest
        most rows of a cluster, fixed beforehand; None where that is not known, and then there is
        no anytime-valid interval.
    """
    if known.clusters < 2:
        # What is possible at all is known from the rows: one cluster says too little of others.
        return {}
    likelihood, bets = sums.parts.get(LIKELIHOOD), sums.parts.get(BETS)
    score = "r" if own else "wr"
    found: list[Interval] = []
    if isinstance(likelihood, ScoreHistogram):
        limits = empirical_likelihood.value_limits(likelihood, sums.table, score, known, confidence)
        found.append(_interval(EMPIRICAL_LIKELIHOOD, limits, confidence, Guarantee.COVERS))
    found += concentration.value_intervals(
        sums.table, score, known, confidence, independent=independent
    )
    if isinstance(bets, RowBets) and longest is not None:
        limits = row_bets.value_limits(bets, confidence, largest_weight=max_weight, longest=longest)
        found.append(_interval(BETTING, limits, confidence, Guarantee.ANYTIME))
    return dict.fromkeys((score, "dr_supported"), found)


def gain_intervals(
    sums: PolicySums,
    known: Range,
    confidence: float,
    *,
    independent: bool,
    max_weight: float | None,
    longest: int | None,
) -> ByScore:
    """Further intervals of the value less the logging policy's; parameters as above."""
    if known.clusters < 2:
        return {}
    likelihood, bets = sums.parts.get(LIKELIHOOD), sums.parts.get(BETS)
    found: list[Interval] = []
    if isinstance(likelihood, ScoreHistogram):
        limits = empirical_likelihood.gain_limits(likelihood, sums.table, known, confidence)
        found.append(_interval(EMPIRICAL_LIKELIHOOD, limits, confidence, Guarantee.COVERS))
    found += concentration.gain_intervals(
        sums.table, "wr", known, confidence, independent=independent
    )
    if isinstance(bets, RowBets) and longest is not None:
        limits = row_bets.gain_limits(bets, confidence, largest_weight=max_weight, longest=longest)
        found.append(_interval(BETTING, limits, confidence, Guarantee.ANYTIME))
    return dict.fromkeys(("wr", "dr_supported"), found)


def _interval(
    method: str, limits: tuple[float, float], confidence: float, guarantee: Guarantee
) -> Interval:
    return Interval(method, *limits, confidence, guarantee)
