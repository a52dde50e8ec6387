"""A policy that was judged: its sums, and all that its estimates are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray
from authopt.evaluation import diagnostics
from authopt.evaluation.diagnosis import Diagnostics
from authopt.evaluation.estimating import Evidence
from authopt.evaluation.estimator import Estimator, Family
from authopt.evaluation.estimators import ESTIMATORS, LOGGING_ESTIMATORS, available
from authopt.evaluation.further_intervals import gain_intervals, value_intervals
from authopt.evaluation.policy_sums import PolicySums
from authopt.evaluation.result import LogFacts
from authopt.evaluation.scores import Range
from authopt.evaluation.selection import Facts, Method, settle
from authopt.evaluation.sensitivity import Sensitivity, sensitivity_of
from authopt.evaluation.settings import Settings


@dataclass(frozen=True, slots=True)
class Named:
    """A policy that was judged: its name, the text it was loaded from, and whether it learnt."""

    name: str
    spec: str
    learns: bool = False


ROWS = ("decision_id", "row")
"""Names of clusters that are single rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A policy with what its estimates are made from."""

    policy: Named
    sums: PolicySums
    own: bool
    known: Range
    evidence: Evidence
    judged: Diagnostics
    estimators: Mapping[str, Estimator]
    sensitivity: tuple[Sensitivity, ...]
    replicates: FloatArray


def judge(
    policy: Named,
    sums: PolicySums,
    own: bool,
    facts: LogFacts,
    settings: Settings,
    drawn: FloatArray,
) -> Judged:
    judged = diagnostics.diagnostics_of(
        sums,
        facts.clusters,
        settings.confidence,
        None if own else settings.max_weight,
        facts.full_probabilities or own,
    )
    possible = judged.largest_weight_possible
    known = Range(
        reward_low=settings.reward_low,
        reward_high=settings.reward_high,
        largest_weight=np.inf if possible is None else max(possible, sums.largest_seen),
        most_unsupported=sums.most_unsupported,
        q_low=sums.q_low,
        q_high=sums.q_high,
        clusters=facts.clusters,
    )
    independent = settings.cluster in ROWS
    longest = (
        1 if independent else facts.most_attempts if settings.cluster == "payment_id" else None
    )
    evidence = Evidence(
        table=sums.table,
        known=known,
        effective=judged.effective_sample_size,
        unsupported=judged.unsupported_mass or 0.0,
        replicates=drawn if settings.bootstrap else None,
        confidence=settings.confidence,
        covering=settings.confidence,
        value_intervals=value_intervals(
            sums,
            known,
            settings.confidence,
            own=own,
            independent=independent,
            max_weight=settings.max_weight,
            longest=longest,
        ),
        gain_intervals={}
        if own
        else gain_intervals(
            sums,
            known,
            settings.confidence,
            independent=independent,
            max_weight=settings.max_weight,
            longest=longest,
        ),
    )
    embeddings = settings.embeddings if facts.full_probabilities else ()
    found = [
        each
        for each in available(
            LOGGING_ESTIMATORS if own else ESTIMATORS, settings.reward_model is not None, embeddings
        )
        if set(each.columns) <= set(sums.table.columns)
    ]
    seen = Facts(
        largest_weight=sums.largest_seen,
        reward_low=settings.reward_low,
        reward_high=settings.reward_high,
        q_low=sums.q_low,
        q_high=sums.q_high,
    )
    settled, quoted = settle(sums.table, found, Method.ERROR, facts=seen)
    _, slope = settle(sums.table, found, Method.SLOPE, facts=seen)
    _, mse = settle(sums.table, found, Method.MSE, facts=seen)
    return Judged(
        policy,
        sums,
        own,
        known,
        evidence,
        judged,
        {each.name: each for each in settled},
        tuple(
            sensitivity_of(family, quoted_one, by_slope, by_mse, evidence)
            for family, quoted_one, by_slope, by_mse in zip(
                (each for each in found if isinstance(each, Family)),
                quoted,
                slope,
                mse,
                strict=True,
            )
            # Without any row that has a weight, weighted means have no value.
            if np.isfinite(by_slope.candidates[0].value)
        ),
        drawn,
    )


def longest_cluster(settings: Settings, most_attempts: int) -> int | None:
    """Most rows of a cluster; of cards and merchants it is not known beforehand."""
    if settings.cluster in ROWS:
        return 1
    return most_attempts if settings.cluster == "payment_id" else None
