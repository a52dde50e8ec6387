"""Payments of an attempt log, one row each: arm, value, metrics, segments, unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import BoolArray, Categorical, Column, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.buckets import UIntArray
from authopt.evaluation.segment_values import segments_of
from authopt.experiments.assignment import NO_ARM
from authopt.experiments.labels import Labels
from authopt.hashing import hash_strings

UNIT_COLUMNS = {"payment": "payment_id", "card": "card_ref", "merchant": "merchant_id"}
FALLBACK_COLUMN = "x_fallback"
MISSING_HASH = np.uint64(0)

METRIC_NAMES = ("paid", "first_approved", "attempts", "fees_minor", "fallback", "latency_ms")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read of a log.

    Attributes
    ----------
    unit
        ``payment``, ``card`` or ``merchant``.
    arm_column, experiment_column, experiment
        context columns of the arm and of the experiment's name, and the one that counts; the arm's
        is None where the log has no experiment.
    segments
        see :func:`authopt.evaluation.segment_values.segments_of`.
    covariates
        context columns whose past foretells the value.
    rewarded
        whether the value is the sum of rewards, rather than paid or not.
    """

    unit: str = "payment"
    arm_column: str | None = None
    experiment_column: str | None = None
    experiment: str | None = None
    segments: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    rewarded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """n payments, in the order in which they began.

    Attributes
    ----------
    began_us
        int64[n], time of the first decision.
    arm
        int64[n], index into ``arms`` of the first decision that has an arm; -1 without.
    arms
        names.
    late
        bool[n], whether the payment had begun before it got its arm.
    switched
        bool[n], whether its decisions are of several arms.
    unknown
        bool[n], whether no attempt has an outcome; such a payment counts as not paid.
    value
        float64[n]; NaN where rewards are not known.
    metrics
        float64[n] by name, NaN where one is not known.
    labels
        int64[n] by column, and the names of the segments.
    unit
        uint64[n], hash of the unit; 0 where it is missing.
    covariates
        uint64[n] by column, hash of its value; 0 where it is missing.
    currency
        int64[n] and names: of the payment, to keep fees of different ones apart.
    """

    began_us: IntArray
    arm: IntArray
    arms: tuple[str, ...]
    late: BoolArray
    switched: BoolArray
    unknown: BoolArray
    value: FloatArray
    metrics: dict[str, FloatArray]
    labels: dict[str, tuple[IntArray, tuple[str, ...]]]
    unit: UIntArray
    covariates: dict[str, UIntArray]
    currency: tuple[IntArray, tuple[str, ...]]

    @property
    def n(self) -> int:
        """Number of payments."""
        return len(self.began_us)


def columns_of(asked: Asked, present: Sequence[str]) -> set[str]:
    """The columns of a log that :func:`payments_of` needs, of those that are present."""
    wanted = {"approved", "fee_minor", "latency_ms", "currency", FALLBACK_COLUMN}
    wanted |= {asked.arm_column or "", asked.experiment_column or "", UNIT_COLUMNS[asked.unit]}
    wanted |= {*asked.covariates}
    for segment in asked.segments:
        for part in segment.split("+"):
            name = part.strip()
            wanted.add("amount_minor" if name == "amount_band" else name)
    return wanted & set(present)


def payments_of(
    batches: Iterable[LoggedBatch], asked: Asked, wait_us: int | None = None
) -> tuple[Payments, int]:
    """Put the decisions of a log together to payments.

    Parameters
    ----------
    batches
        of the log.
    asked
        what is read.
    wait_us
        microseconds from the first decision in which a payment counts what comes; a payment that
        began later than this before the log's last decision is left out. None: all counts.

    Returns
    -------
    Payments
    int
        payments left out as their wait is not over.

    Raises
    ------
    UserError
        If the log has no decisions, lacks a column, has several experiments of which none is
        named, or no payment is old enough.
    """
    labels = {name: Labels() for name in ("arm", "experiment", "currency", *asked.segments)}
    rows: list[dict[str, npt.NDArray[np.generic]]] = [
        _rows(batch, asked, labels) for batch in batches if batch.n
    ]
    if not rows:
        raise UserError("the log has no decisions")
    names = labels["experiment"].names
    if len(names) > 1:
        raise UserError(
            f"the log has several experiments: {', '.join(names)}; name one with --experiment"
        )
    table = {name: np.concatenate([each[name] for each in rows]) for name in rows[0]}
    order = np.lexsort((table["attempt"], table["decided_us"], table["payment"]))
    table = {name: column[order] for name, column in table.items()}
    young = 0
    if wait_us is not None:
        table, young = _within_wait(table, wait_us)
    return _together(table, asked, labels), young


def _within_wait(
    table: dict[str, npt.NDArray[np.generic]], wait_us: int
) -> tuple[dict[str, npt.NDArray[np.generic]], int]:
    starts = _starts(table["payment"])
    decided = table["decided_us"].astype(np.int64)
    began = np.repeat(decided[starts], np.diff(np.append(starts, len(decided))))
    old = began <= decided.max() - wait_us
    young = int((~old[starts]).sum())
    keep = old & (decided - began <= wait_us)
    if not keep.any():
        raise UserError("the wait is longer than the log: no payment is old enough to count")
    return {name: column[keep] for name, column in table.items()}, young


def _starts(payment: npt.NDArray[np.generic]) -> IntArray:
    return np.flatnonzero(np.append(True, payment[1:] != payment[:-1])).astype(np.int64)


def _rows(
    batch: LoggedBatch, asked: Asked, labels: dict[str, Labels]
) -> dict[str, npt.NDArray[np.generic]]:
    arm = np.full(batch.n, NO_ARM, np.int64)
    if asked.arm_column is not None:
        arm = labels["arm"].codes_of(_names(batch, asked.arm_column))
        if asked.experiment_column is not None:
            names = _names(batch, asked.experiment_column)
            if asked.experiment is not None:
                arm[names.recode([asked.experiment]) < 0] = NO_ARM
            labels["experiment"].codes_of(names[np.flatnonzero(arm >= 0)])
    found: dict[str, npt.NDArray[np.generic]] = {
        "payment": hash_strings(batch.payment_id),
        "attempt": batch.attempt,
        "decided_us": batch.decided_at.astype("M8[us]").astype(np.int64),
        "arm": arm,
        "stop": batch.is_stop[batch.chosen_action],
        "approved": _number(batch.outcome, "approved", batch.n),
        "fee": _number(batch.outcome, "fee_minor", batch.n),
        "latency": _number(batch.outcome, "latency_ms", batch.n),
        "fallback": _number(batch.context, FALLBACK_COLUMN, batch.n),
        "reward": batch.reward,
        "unit": _hashes(batch, UNIT_COLUMNS[asked.unit]),
        "currency": np.full(batch.n, -1, np.int64),
    }
    if "currency" in batch.context:
        found["currency"] = labels["currency"].codes_of(_names(batch, "currency"))
    for name in asked.segments:
        codes, values = segments_of(batch, name)
        column = Categorical(codes.astype(np.int32), values)
        found[f"segment {name}"] = labels[name].codes_of(column)
    for name in asked.covariates:
        found[f"covariate {name}"] = _hashes(batch, name)
    return found


def _together(
    table: dict[str, npt.NDArray[np.generic]], asked: Asked, labels: dict[str, Labels]
) -> Payments:
    starts = _starts(table["payment"])
    began = table["decided_us"][starts].astype(np.int64)
    order = np.argsort(began, kind="stable")
    in_trial = table["arm"].astype(np.int64) >= 0
    arm = table["arm"].astype(np.int64)
    # The first decision with an arm is the one with the least place.
    place = np.where(in_trial, np.arange(len(arm)), len(arm))
    first = np.minimum.reduceat(place, starts)
    of_payment = np.where(first < len(arm), np.append(arm, NO_ARM)[first], NO_ARM)
    highest = np.maximum.reduceat(arm, starts)
    lowest = np.minimum.reduceat(np.where(in_trial, arm, np.iinfo(np.int64).max), starts)
    metrics, unknown = _metrics(table, starts)
    value = metrics["paid"]
    if asked.rewarded:
        # An attempt that was not made earns nothing, and has no outcome to wait for.
        reward = table["reward"].astype(np.float64)
        stop = table["stop"].astype(bool)
        value = np.add.reduceat(np.where(stop & np.isnan(reward), 0.0, reward), starts)

    def at_start(name: str) -> npt.NDArray[np.generic]:
        return table[name][starts][order]

    return Payments(
        began_us=began[order],
        arm=of_payment[order],
        arms=labels["arm"].names,
        late=((first > starts) & (of_payment >= 0))[order],
        switched=((highest > lowest) & (of_payment >= 0))[order],
        unknown=unknown[order],
        value=value[order],
        metrics={name: each[order] for name, each in metrics.items()},
        labels={
            name: (at_start(f"segment {name}").astype(np.int64), labels[name].names)
            for name in asked.segments
        },
        unit=at_start("unit").astype(np.uint64),
        covariates={
            name: at_start(f"covariate {name}").astype(np.uint64) for name in asked.covariates
        },
        currency=(at_start("currency").astype(np.int64), labels["currency"].names),
    )


def _metrics(
    table: dict[str, npt.NDArray[np.generic]], starts: IntArray
) -> tuple[dict[str, FloatArray], BoolArray]:
    made = ~table["stop"].astype(bool)
    approved, fee, latency, fallback = (
        table[name].astype(np.float64) for name in ("approved", "fee", "latency", "fallback")
    )
    place = np.where(made, np.arange(len(made)), len(made))
    first = np.minimum.reduceat(place, starts)

    def of_first(values: FloatArray) -> FloatArray:
        return np.append(values, np.nan)[first]

    def total(values: FloatArray) -> FloatArray:
        known = np.add.reduceat(~np.isnan(values), starts, dtype=np.float64) > 0.0
        return np.where(known, np.add.reduceat(np.nan_to_num(values), starts), np.nan)

    attempts = np.add.reduceat(made, starts, dtype=np.float64)
    known = np.add.reduceat(made & ~np.isnan(approved), starts, dtype=np.float64) > 0.0
    metrics = {
        "paid": np.maximum.reduceat(np.nan_to_num(approved), starts),
        "first_approved": of_first(approved),
        "attempts": attempts,
        "fees_minor": total(np.where(made, fee, np.nan)),
        "fallback": np.minimum(total(fallback), 1.0),
        "latency_ms": of_first(latency),
    }
    return metrics, (attempts > 0.0) & ~known


def _names(batch: LoggedBatch, name: str) -> Categorical:
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        what = "has no column" if column is None else "has no names in column"
        raise UserError(f"the log {what} {name!r}. Columns that it has: {', '.join(batch.context)}")
    return column


def _number(columns: Mapping[str, Column], name: str, n: int) -> FloatArray:
    column = columns.get(name)
    if isinstance(column, np.ndarray):
        return np.asarray(column, np.float64)
    return np.full(n, np.nan)


def _hashes(batch: LoggedBatch, name: str) -> UIntArray:
    """uint64[n], of a column's values; 0 where one is missing."""
    if name == "payment_id":
        return hash_strings(batch.payment_id)
    column = batch.context.get(name)
    if isinstance(column, Categorical):
        table = np.append(hash_strings(pa.array(column.categories, pa.string())), MISSING_HASH)
        return np.asarray(table[column.codes])
    if isinstance(column, pa.Array):
        hashes = hash_strings(column.fill_null(""))
        hashes[column.is_null().to_numpy(zero_copy_only=False)] = MISSING_HASH
        return hashes
    raise UserError(
        f"the log has no column {name!r} of names or references. Columns that it has: "
        f"{', '.join(batch.context)}"
    )
