"""Every interval that the coverage benchmark compares, of one log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation import concentration, empirical_likelihood, intervals
from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.bca import bca
from authopt.evaluation.betting import row_bets
from authopt.evaluation.betting.row_bets import RowBets
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import bucket_of, integer_hashes
from authopt.evaluation.estimators import DR
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.policy_sums import PolicySums
from authopt.evaluation.score_histogram import ScoreHistogram
from authopt.evaluation.scores import Range
from authopt.evaluation.terms import logging_terms, terms_of
from authopt.evaluation.wanted import Wanted
from benchmarks._coverage_regimes import Log

DEFAULT, WITHOUT_MODEL = "default", "default without a reward model"
ANYTIME = "betting, anytime"
VW = "vw-estimators' Cressie-Read"
ASYMPTOTIC = ("normal", "jackknife", "bootstrap", "bca")
REPLICATES = 400

Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Found:
    """Limits by method, within 0 and 1, and whether the diagnostics veto the asymptotic ones."""

    limits: Mapping[str, Limits]
    vetoed: bool


def limits_of(log: Log, seed: int) -> Found:
    """The 95% intervals of all methods; those of asymptotic methods are of the DR estimate."""
    arrays = log.arrays
    n = arrays.n
    result = evaluate_arrays(
        chosen=arrays.chosen,
        reward=arrays.reward,
        evaluation={"new": log.evaluation},
        logging=_given(arrays.probability),
        q=_given(arrays.q),
        offsets=arrays.offsets,
        cluster=log.cluster,
        bootstrap=0,
    )
    policy = result.policy("new")
    asymptotic = {each.method: each for each in policy.estimate("dr").intervals}
    found: dict[str, Limits | None] = {
        DEFAULT: (policy.value.interval.lower, policy.value.interval.upper),
        WITHOUT_MODEL: (
            policy.estimate("snips").interval.lower,
            policy.estimate("snips").interval.upper,
        ),
    }
    sums, histogram, bets = _added_up(log)
    clusters = n if log.cluster is None else int(log.cluster.max()) + 1
    known = Range(
        0.0,
        1.0,
        sums.largest_possible,
        sums.most_unsupported,
        sums.q_low,
        sums.q_high,
        clusters,
    )
    found["empirical likelihood"] = empirical_likelihood.value_limits(
        histogram, sums.table, "wr", known, 0.95
    )
    found[ANYTIME] = row_bets.value_limits(
        bets, 0.95, largest_weight=sums.largest_possible, longest=log.longest
    )
    bounds = concentration.value_intervals(
        sums.table, "wr", known, 0.95, independent=log.cluster is None
    )
    found.update({each.method: (each.lower, each.upper) for each in bounds})
    quantity = [intervals.Ratio(*ratio) for ratio in DR.ratios]
    replicates = intervals.resample([sums.table], REPLICATES, seed)[0]
    for method in ("normal", "jackknife"):
        found[method] = (asymptotic[method].lower, asymptotic[method].upper)
    found["bootstrap"] = intervals.bootstrap(sums.table.columns, replicates, quantity, 0.95)
    found["bca"] = bca(sums.table, replicates, quantity, 0.95)
    w = _weights(arrays, log.evaluation)
    found[VW] = vw_cressie_read(w, arrays.reward, sums.largest_possible)
    # What an asymptotic interval is of is not known where it is None; the report says so.
    limits = {name: _clipped(each or (0.0, 1.0)) for name, each in found.items()}
    return Found(limits, asymptotic["normal"].vetoed is not None)


def crossing(log: Log, times: int) -> bool:
    """Whether the anytime interval misses the value at any of some times of the log."""
    arrays, bets = log.arrays, RowBets(0.0, 1.0)
    largest = terms_of(arrays, log.evaluation).largest_weight
    ends = np.unique(np.geomspace(1, arrays.n, times).astype(np.int64)).tolist()
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        part = _part(arrays, start, stop)
        policy = log.evaluation[arrays.offsets[start] : arrays.offsets[stop]]
        bets.add(_block(part, np.arange(start, stop)), terms_of(part, policy))
        lower, upper = row_bets.value_limits(
            bets, 0.95, largest_weight=largest, longest=log.longest
        )
        if not lower <= log.value <= upper:
            return True
    return False


def vw_cressie_read(w: FloatArray, r: FloatArray, largest_weight: float) -> Limits:
    """The 95% interval of vw-estimators 0.2.2 with the true largest weight."""
    from estimators.bandits.cressieread import IntervalImpl

    theirs = IntervalImpl(0.0, largest_weight, 0.0, 1.0, False)
    # It adds rows one by one; its sums are these.
    theirs.n += len(w)
    for name, values in (
        ("sumw", w),
        ("sumwsq", w * w),
        ("sumwr", w * r),
        ("sumwsqr", w * w * r),
        ("sumwsqrsq", (w * r) ** 2),
    ):
        total = getattr(theirs, name)
        total += float(values.sum())
    lower, upper = theirs.get(0.05)
    return float(lower), float(upper)


def _added_up(log: Log) -> tuple[PolicySums, ScoreHistogram, RowBets]:
    cluster = np.arange(log.arrays.n) if log.cluster is None else log.cluster
    block, terms = _block(log.arrays, cluster), terms_of(log.arrays, log.evaluation)
    sums = PolicySums.empty(Wanted(model=True))
    histogram, bets = ScoreHistogram(0.0, 1.0), RowBets(0.0, 1.0)
    for part in (sums, histogram, bets):
        part.add(block, terms)
    return sums, histogram, bets


def _block(arrays: LoggedArrays, cluster: IntArray) -> Block:
    hashes = integer_hashes(cluster)
    return Block(arrays=arrays, hashes=hashes, bucket=bucket_of(hashes), own=logging_terms(arrays))


def _part(arrays: LoggedArrays, start: int, stop: int) -> LoggedArrays:
    rows = slice(start, stop)
    actions = slice(int(arrays.offsets[start]), int(arrays.offsets[stop]))
    return LoggedArrays(
        offsets=arrays.offsets[start : stop + 1] - arrays.offsets[start],
        chosen=arrays.chosen[rows],
        reward=arrays.reward[rows],
        propensity=arrays.propensity[rows],
        probability=_given(arrays.probability)[actions],
        q=None,
    )


def _weights(arrays: LoggedArrays, evaluation: FloatArray) -> FloatArray:
    return np.asarray(evaluation[arrays.chosen_action] / arrays.propensity)


def _given(values: FloatArray | None) -> FloatArray:
    assert values is not None
    return values


def _clipped(limits: Limits) -> Limits:
    lower, upper = (min(max(limit, 0.0), 1.0) for limit in limits)
    return lower, upper
