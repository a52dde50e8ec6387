"""An experiment's tallies, and the past that a plan rests on, from an attempt log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.errors import UserError
from authopt.evaluation.buckets import BUCKETS, UIntArray, bucket_of
from authopt.evaluation.segment_values import MISSING
from authopt.experiments.bets import USUAL_UNITS
from authopt.experiments.cuped import Cuped
from authopt.experiments.log_payments import METRIC_NAMES, MISSING_HASH, Payments
from authopt.experiments.past_means import PastMeans
from authopt.experiments.tallies import Finished, Tallies
from authopt.hashing import salted

UNIT_SALT = "experiment-unit"


class Counted(msgspec.Struct, frozen=True):
    """What became of the log's payments.

    Attributes
    ----------
    payments
        that count.
    outside
        without an arm: before the experiment, or not in it.
    began_before
        left out: they got their arm at a retry.
    without_unit
        left out: their card or merchant is not known.
    without_value
        left out: some reward is not known.
    too_young
        left out: their wait is not over.
    unknown
        that count as not paid since no outcome is known.
    switched
        that count for their first arm although decisions of another followed.
    other_currency
        whose fees are left out, as most payments are in ``currency``.
    currency
        of the fees.
    """

    payments: int
    outside: int
    began_before: int
    without_unit: int
    without_value: int
    too_young: int
    unknown: int
    switched: int
    other_currency: int
    currency: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """Arms and their planned weights; the first is the baseline."""

    arms: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the units, with a sum of 1."""
        return tuple(weight / sum(self.weights) for weight in self.weights)


def tallies_of(
    payments: Payments,
    split: Split,
    *,
    unit: str,
    bounds: tuple[float, float] | None,
    past: Payments | None = None,
    young: int = 0,
    expected_units: int = USUAL_UNITS,
) -> tuple[Tallies, Counted]:
    """Count an experiment's payments.

    Parameters
    ----------
    payments
        of the log.
    split
        what was planned.
    unit
        that was assigned.
    bounds
        of the value; None without.
    past
        payments from before the experiment, which foretell by the covariates; by default those of
        the log itself that have no arm and began before the experiment did.
    young
        payments that are left out already.
    expected_units
        see :class:`Tallies`.

    Raises
    ------
    UserError
        If there is no payment in the experiment, the log has arms that are not planned, or there
        are covariates and no past.
    """
    place = _planned(payments, split)
    arm = np.append(place, -1)[payments.arm]
    inside = arm >= 0
    if not inside.any():
        raise UserError("the log has no payment in the experiment")
    without_unit = inside & ((payments.unit == MISSING_HASH) if unit != "payment" else False)
    without_value = inside & np.isnan(payments.value)
    keep = inside & ~payments.late & ~without_unit & ~without_value
    rows = np.flatnonzero(keep)
    foretold = usual = None
    if payments.covariates:
        if past is None:
            # One that got its arm at a retry began when nothing else was in the experiment.
            began_us = payments.began_us[inside & ~payments.late]
            past = before(payments, int(began_us.min(initial=np.iinfo(np.int64).max)))
        means = past_means(past)
        foretold = means.foretold(payments.covariates)[rows]
        usual = means.mean
    tallies = Tallies.of(
        split.arms,
        split.shares,
        bounds=bounds,
        segments=tuple(payments.labels),
        clustered=unit != "payment",
        covariates=len(payments.covariates),
        usual_value=usual,
        expected_units=expected_units,
    )
    metrics, currency, other = _fees_of_one_currency(payments, keep)
    new = _first_of_unit(payments.unit[rows])
    labels = {
        name: np.array([*names, MISSING], object)[codes[rows]]
        for name, (codes, names) in payments.labels.items()
    }
    tallies.add(
        Finished(
            arm=arm[rows],
            value=payments.value[rows],
            metrics={name: metrics[name][rows] for name in METRIC_NAMES},
            labels={name: each.tolist() for name, each in labels.items()},
            unit=None if unit == "payment" else salted(payments.unit[rows], UNIT_SALT),
            new=None if unit == "payment" else new,
            covariates=foretold,
        )
    )
    return tallies, Counted(
        payments=len(rows),
        outside=int((~inside).sum()),
        began_before=int((inside & payments.late).sum()),
        without_unit=int(without_unit.sum()),
        without_value=int(without_value.sum()),
        too_young=young,
        unknown=int((keep & payments.unknown).sum()),
        switched=int((keep & payments.switched).sum()),
        other_currency=other,
        currency=currency,
    )


def before(payments: Payments, time_us: int) -> Payments:
    """The payments without an arm that began before a time (int, microseconds, UTC)."""
    rows = np.flatnonzero((payments.arm < 0) & (payments.began_us < time_us))
    if not len(rows):
        raise UserError(
            "covariates need payments from before the experiment, and the log has none; name a log "
            "of them with --before"
        )
    return part(payments, rows)


def part(payments: Payments, rows: IntArray) -> Payments:
    """Some payments, by their index (int64[k])."""
    return Payments(
        **{
            name: getattr(payments, name)[rows]
            for name in ("began_us", "arm", "late", "switched", "unknown", "value", "unit")
        },
        arms=payments.arms,
        metrics={name: each[rows] for name, each in payments.metrics.items()},
        labels={name: (codes[rows], names) for name, (codes, names) in payments.labels.items()},
        covariates={name: each[rows] for name, each in payments.covariates.items()},
        currency=(payments.currency[0][rows], payments.currency[1]),
    )


def past_means(past: Payments) -> PastMeans:
    """The means of past payments by the columns that foretell."""
    means = PastMeans.of(tuple(past.covariates))
    means.add(past.covariates, past.value)
    return means


def reduction_of(payments: Payments) -> float:
    """Part of the variance that covariates take away: the first half foretells the second."""
    half = payments.n // 2
    past, later = (part(payments, np.arange(*ends)) for ends in ((0, half), (half, payments.n)))
    means = past_means(past)
    covariates = means.foretold(later.covariates)
    cuped = Cuped.of(covariates.shape[1], means.mean)
    rest = later.value - cuped.foretell(covariates, later.value)
    return float(1.0 - rest.var() / later.value.var())


def design_effect(payments: Payments) -> float:
    """Variance of a mean over whole units, as a multiple of that over independent payments."""
    bucket = bucket_of(salted(payments.unit, UNIT_SALT))
    rows = np.bincount(bucket, minlength=BUCKETS)
    rest = np.bincount(bucket, payments.value - payments.value.mean(), BUCKETS)
    groups = int((rows > 0).sum())
    variance = float(payments.value.var(ddof=1))
    if groups < 2 or variance <= 0.0:
        return 1.0
    return float(groups / (groups - 1) * (rest @ rest) / payments.n / variance)


def _planned(payments: Payments, split: Split) -> IntArray:
    """int64[arms of the log], the place of each among the planned ones."""
    unplanned = sorted({*payments.arms} - {*split.arms})
    in_use = {payments.arms[code] for code in np.unique(payments.arm[payments.arm >= 0]).tolist()}
    unplanned = [name for name in unplanned if name in in_use]
    if unplanned:
        raise UserError(
            f"the log has arm(s) {', '.join(unplanned)} beside {', '.join(split.arms)}; name the "
            "experiment with --experiment, or all arms and their shares with --arms"
        )
    index = {name: place for place, name in enumerate(split.arms)}
    return np.array([index.get(name, -1) for name in payments.arms], np.int64)


def _fees_of_one_currency(
    payments: Payments, keep: BoolArray
) -> tuple[dict[str, FloatArray], str | None, int]:
    codes, names = payments.currency
    used = codes[keep & (codes >= 0)]
    if not len(used):
        return payments.metrics, None, 0
    most = int(np.bincount(used).argmax())
    fees = payments.metrics["fees_minor"]
    other = keep & (codes != most) & ~np.isnan(fees)
    metrics = payments.metrics | {"fees_minor": np.where(codes == most, fees, np.nan)}
    return metrics, names[most], int(other.sum())


def _first_of_unit(unit: UIntArray) -> BoolArray:
    new = np.zeros(len(unit), bool)
    new[np.unique(unit, return_index=True)[1]] = True
    return new


def split_of(arms: Sequence[str], text: str | None) -> Split:
    """The planned split from ``NAME=WEIGHT,...``; by default equal, ``live`` first.

    Parameters
    ----------
    arms
        names in the log.
    text
        as the user wrote it; None without.

    Raises
    ------
    UserError
        If the text is no such list.
    """
    if text is None:
        names = sorted(arms, key=lambda name: (name != "live", name))
        return Split(tuple(names), (1.0,) * len(names))
    names, weights = [], []
    for each in text.split(","):
        name, _, weight = each.rpartition("=")
        try:
            weights.append(float(weight))
        except ValueError:
            weights.append(-1.0)
        names.append(name.strip())
    if not all(names) or not min(weights) > 0.0 or max(weights) == float("inf"):
        raise UserError(f"--arms {text!r}: expected NAME=WEIGHT,..., such as live=95,canary=5")
    return Split(tuple(names), tuple(weights))
