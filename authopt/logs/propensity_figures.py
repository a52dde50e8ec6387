"""The figures of a propensity report, computed from out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.features.folds import fold_of
from authopt.hashing import hash_strings
from authopt.logs.action_classes import ActionClasses
from authopt.logs.audit.rates import wilson
from authopt.logs.choice_model import ChoiceSets
from authopt.logs.propensity_report import (
    ActionSupport,
    Estimate,
    Overlap,
    PropensityReport,
    ReliabilityBin,
)

BINS = 10
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5)
_GROUPS = 50


def report_on(
    batch: LoggedBatch,
    classes: ActionClasses,
    sets: ChoiceSets,
    *,
    probability: FloatArray,
    unfloored: FloatArray,
    uncalibrated: FloatArray,
    marginal: FloatArray,
    decisions: int,
    folds: int,
    floor: float,
    ridge: float,
    slopes: Sequence[float],
) -> PropensityReport:
    """The report, from probabilities (float64[m] each) of a sample of the log."""
    _, payment = np.unique(hash_strings(batch.payment_id), return_inverse=True)
    propensity = probability[sets.chosen]
    loss = -np.log(propensity)
    marginal_loss = -np.log(marginal[sets.chosen])
    usable = batch.sum_by_decision(sets.possible.astype(np.float64))
    error, noise, reliability = _calibration(batch, sets, probability, len(classes))
    overlap = _overlap(batch, classes, sets, probability, unfloored, floor)
    actions = tuple(
        _support(batch, classes, sets, probability, payment, at, reliability[at])
        for at in range(len(classes))
    )
    return PropensityReport(
        decisions=decisions,
        sampled=batch.n,
        payments=int(payment.max()) + 1,
        folds=folds,
        log_loss=float(loss.mean()),
        log_loss_uncalibrated=float(-np.log(uncalibrated[sets.chosen]).mean()),
        log_loss_marginal=float(marginal_loss.mean()),
        log_loss_uniform=float(np.log(batch.counts).mean()),
        gain=_mean(marginal_loss - loss, payment),
        ridge=ridge,
        slopes=tuple(float(slope) for slope in slopes),
        calibration_error=error,
        calibration_noise=noise,
        mean_inverse=_mean(1 / propensity, payment),
        mean_actions=float(usable.mean()),
        overlap=overlap,
        actions=actions,
        reliability=_reliability(sets, probability),
        delays_banded=classes.banded,
        warnings=_warnings(batch, classes, overlap, decisions),
    )


def _mean(values: FloatArray, payment: IntArray) -> Estimate:
    return _ratio(values, np.ones(len(values)), payment)


def _ratio(numerator: FloatArray, denominator: FloatArray, payment: IntArray) -> Estimate:
    """Sum over sum, with a standard error by linearization over the payments."""
    total = float(denominator.sum())
    value = float(numerator.sum()) / total
    by_payment = np.bincount(payment, numerator - value * denominator)
    count = len(by_payment)
    if count < 2:
        return Estimate(value, float("inf"))
    variance = float((by_payment**2).sum()) / total**2 * count / (count - 1)
    return Estimate(value, float(np.sqrt(variance)))


def _calibration(
    batch: LoggedBatch, sets: ChoiceSets, probability: FloatArray, classes: int
) -> tuple[Estimate, float, list[tuple[ReliabilityBin, ...]]]:
    """Expected calibration error, its level by chance, and the bins by class."""
    bins = np.zeros(batch.m, np.int64)
    for at in range(classes):
        actions = np.flatnonzero(sets.possible & (sets.classes == at))
        if len(actions):
            inner = np.quantile(probability[actions], np.arange(1, BINS) / BINS)
            bins[actions] = np.searchsorted(np.unique(inner), probability[actions], side="right")
    taken = np.zeros(batch.m)
    taken[sets.chosen] = 1.0
    cells = classes * BINS
    group = np.repeat(fold_of(batch.payment_id, _GROUPS, seed=1), batch.counts)
    key = (group * cells + sets.classes * BINS + bins)[sets.possible]

    def table(values: FloatArray) -> FloatArray:
        sums = np.bincount(key, values[sets.possible], minlength=_GROUPS * cells)
        return np.asarray(sums.reshape(_GROUPS, cells))

    count, predicted, observed = table(np.ones(batch.m)), table(probability), table(taken)
    gap, size = predicted - observed, count.sum()
    value = float(np.abs(gap.sum(axis=0)).sum() / size)
    left_out = np.maximum(size - count.sum(axis=1), 1.0)
    replicates = np.abs(gap.sum(axis=0) - gap).sum(axis=1) / left_out
    spread = ((replicates - replicates.mean()) ** 2).sum() * (_GROUPS - 1) / _GROUPS
    variance = table(probability * (1 - probability)).sum(axis=0)
    noise = float(np.sqrt(2 / np.pi * variance).sum() / size)
    by_class = [
        _bins(
            *(
                sums.sum(axis=0)[at * BINS : (at + 1) * BINS]
                for sums in (count, predicted, observed)
            )
        )
        for at in range(classes)
    ]
    return Estimate(value, float(np.sqrt(spread))), noise, by_class


def _bins(
    count: FloatArray, predicted: FloatArray, observed: FloatArray
) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(float(p / n), float(o / n), int(n), *wilson(int(o), int(n)))
        for n, p, o in zip(count, predicted, observed, strict=True)
        if n
    )


def _reliability(sets: ChoiceSets, probability: FloatArray) -> tuple[ReliabilityBin, ...]:
    """Over all actions, in ten bins of the probability."""
    values = probability[sets.possible]
    inner = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    place = np.searchsorted(inner, values, side="right")
    taken = np.zeros(len(probability))
    taken[sets.chosen] = 1.0
    sums = [
        np.bincount(place, weights, BINS).astype(np.float64)
        for weights in (None, values, taken[sets.possible])
    ]
    return _bins(*sums)


def _overlap(
    batch: LoggedBatch,
    classes: ActionClasses,
    sets: ChoiceSets,
    probability: FloatArray,
    unfloored: FloatArray,
    floor: float,
) -> Overlap:
    choice = batch.counts > 1
    starts = batch.offsets[:-1]
    smallest = np.minimum.reduceat(probability, starts)[choice]
    largest = np.maximum.reduceat(probability, starts)[choice]
    lifted = sets.possible & (unfloored < floor)
    never = ~classes.supported[sets.classes]

    def share(actions: FloatArray) -> float:
        found = np.maximum.reduceat(actions, starts)[choice]
        return float(found.mean()) if len(found) else 0.0

    return Overlap(
        with_choice=int(choice.sum()),
        smallest={
            str(at): float(np.quantile(smallest, at)) if len(smallest) else 1.0 for at in QUANTILES
        },
        below_1_percent=float((smallest < 0.01).mean()) if len(smallest) else 0.0,
        below_5_percent=float((smallest < 0.05).mean()) if len(smallest) else 0.0,
        nearly_certain=float((largest >= 0.99).mean()) if len(largest) else 1.0,
        unsupported=share(never.astype(np.float64)),
        largest_weight=float(1 / probability[sets.possible].min()),
        floored=share(lifted.astype(np.float64)),
        floor=floor,
    )


def _support(
    batch: LoggedBatch,
    classes: ActionClasses,
    sets: ChoiceSets,
    probability: FloatArray,
    payment: IntArray,
    at: int,
    reliability: tuple[ReliabilityBin, ...],
) -> ActionSupport:
    actions = np.flatnonzero(sets.classes == at)
    values = probability[actions] if len(actions) else np.zeros(1)
    inverse = None
    if classes.supported[at] and len(actions):
        taken = np.where(sets.classes[sets.chosen] == at, 1 / probability[sets.chosen], 0.0)
        offered = np.bincount(sets.decision[actions], minlength=batch.n).astype(np.float64)
        inverse = _ratio(taken, offered, payment)
    return ActionSupport(
        action=str(classes.actions[at]),
        offered=int(classes.offered[at]),
        taken=int(classes.taken[at]),
        smallest=float(values.min()),
        first_percentile=float(np.quantile(values, 0.01)),
        inverse_sum=inverse,
        reliability=reliability,
    )


def _warnings(
    batch: LoggedBatch, classes: ActionClasses, overlap: Overlap, decisions: int
) -> tuple[str, ...]:
    found: list[str] = []
    names = [str(action) for action in classes.actions]
    never = [name for name, taken in zip(names, classes.taken, strict=True) if not taken]
    if not overlap.with_choice:
        found.append(
            "No decision has more than one eligible action: all propensities are 1, and the log "
            "says nothing about any other policy."
        )
    elif int(classes.supported.sum()) == 1:
        found.append(
            "The log took one and the same action in every decision: its propensity is 1, and the "
            "log says nothing about any other policy."
        )
    elif overlap.nearly_certain > 0.5:
        found.append(
            f"The logging policy looks deterministic: in {overlap.nearly_certain:.0%} of the "
            "decisions with a choice one action has 99% or more."
        )
    if never and overlap.with_choice:
        found.append(
            f"Never taken although eligible, so without support: {', '.join(never)}. "
            "Their propensity is 0."
        )
    needed = 50 * len(classes)
    if batch.n < needed:
        found.append(
            f"Only {batch.n:,} decisions for {len(classes)} actions; below {needed:,} the "
            "estimates are coarse."
        )
    if classes.banded:
        found.append("There are many delays: similar ones count as the same action.")
    if batch.n < decisions:
        found.append(
            f"Fitted and judged on {batch.n:,} of {decisions:,} decisions (whole payments)."
        )
    return tuple(found)
