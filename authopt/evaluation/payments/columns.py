"""Columns of one number per payment, added up by bucket: what estimators are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.evaluation.betting.context_classes import context_class
from authopt.evaluation.betting.row_bets import RowBets
from authopt.evaluation.buckets import BUCKETS, BucketTable
from authopt.evaluation.columns import product
from authopt.evaluation.payments.models import STEPS, step_of
from authopt.evaluation.payments.paths import Paths, paths_of
from authopt.evaluation.payments.rows import PaymentSums
from authopt.evaluation.payments.survey import PaymentSurvey
from authopt.evaluation.scores import Range

COUNTED = ("r", "approved", "made", "cost", "open")
"""What is added up over a payment: reward, approvals, attempts made, their cost, and whether the
log ends it while it is open (:attr:`authopt.evaluation.payments.paths.Paths.is_open`)."""

CONTINUED = "continued"
"""The reward, with one more attempt that earns the most where the log ends an open payment."""

PATH = ("one", "r", "w", "wr", "coverage", "unsupported")
"""Columns of a table of whole paths: a payment is one decision with the weight of its path."""


@dataclass(slots=True, eq=False)
class PaymentTable:
    """Sums over payments.

    Attributes
    ----------
    sums
        bucket sums of the columns that estimators divide (:func:`ratio_columns`).
    whole
        by name out of ``COUNTED`` and ``CONTINUED``: bucket sums of whole paths and their products,
        in the form that covering intervals are made from.
    value_bets, gain_bets
        counts for confidence sequences of the reward, each payment being one row with the weight
        of its path. What gave up unseen counts with its own reward for the value, and as unknown
        for the gain.
    """

    sums: BucketTable
    whole: dict[str, BucketTable]
    value_bets: RowBets
    gain_bets: RowBets

    @property
    def steps(self) -> int:
        """Number of steps that the columns tell apart."""
        return sum(name.startswith("w@") for name in self.sums.columns)

    def _add(self, paths: Paths, survey: PaymentSurvey, known: Range, most: float) -> None:
        bucket, counted = paths.bucket, _counted(paths)
        totals = {name: paths.total(values) for name, values in counted.items()}
        last, stopped, left = paths.after[paths.last], paths.stopped_unseen, paths.unsupported
        w = last + stopped
        columns = {"one": np.ones(paths.payments), "w": w, "stopped": stopped, **totals}
        columns["mis"] = survey.states.scores(paths)
        for name, values in counted.items():
            columns[f"pdis:{name}"] = paths.per_decision(values)
            columns[f"ips:{name}"] = paths.whole(values)
        totals[CONTINUED] = totals["r"] + most * totals["open"]
        columns[f"ips:{CONTINUED}"] = columns["ips:r"] + most * columns["ips:open"]
        for name, total in totals.items():
            path = {"one": columns["one"], "r": total, "w": w, "wr": columns[f"ips:{name}"]}
            path |= {"coverage": w + left, "unsupported": left}
            self.whole[name] += BucketTable.of(bucket, path | _products(path))
        by_step = {name: paths.after * values for name, values in counted.items()}
        if survey.to_go is not None:
            q, v = survey.to_go.values(paths)
            by_step |= {"dr": paths.after * (paths.rows["r"] - q), "v": paths.before * v}
            columns["dr"] = paths.total(by_step["dr"] + by_step["v"])
        whole = {name: column for name, column in columns.items() if name in self.sums.columns}
        parts = BucketTable.of(bucket, whole), _by_step(paths, by_step, self.steps)
        self.sums += _in_order(self.sums.columns, *parts)
        # What a payment could weigh must be known before its course is: so one bound for all.
        bound = known.largest_weight if known.most_unsupported == 0.0 else np.inf
        contexts = context_class(np.full(paths.payments, bound))
        own = np.divide(columns["ips:r"], w, out=totals["r"].copy(), where=w > 0.0)
        self.value_bets.add_rows(w, _scaled(own, known), contexts)
        self.gain_bets.add_rows(last, _scaled(totals["r"], known), contexts)


def payment_table(
    sums: PaymentSums, survey: PaymentSurvey, known: Range, most: float
) -> PaymentTable:
    """Go over the payments again, and add up.

    Parameters
    ----------
    sums
        the rows of one policy.
    survey
        what the first pass said of them.
    known
        bounds of a payment's reward and of the weights of paths.
    most
        the most that one attempt can earn.
    """
    names = ratio_columns(min(survey.facts.longest, STEPS), survey.to_go is not None)
    table = PaymentTable(
        BucketTable.empty(names),
        {name: BucketTable.empty((*PATH, *_pairs())) for name in (*COUNTED, CONTINUED)},
        RowBets(known.reward_low, known.reward_high),
        RowBets(known.reward_low, known.reward_high),
    )
    for paths in paths_of(sums.rows):
        table._add(paths, survey, known, most)
    return table


def ratio_columns(steps: int, with_model: bool) -> tuple[str, ...]:
    """Names of the columns of ``PaymentTable.sums``.

    NAME is one of ``COUNTED``; alone it is the log's own total, ``pdis:NAME`` is weighted decision
    by decision, ``ips:NAME`` by whole paths; ``w`` is the weight of whole paths and ``stopped``
    what of it gave up unseen; ``dr`` and ``mis`` are scores of whole payments. ``NAME@t`` is the
    weighted value of step t, and ``w@t`` the weight of the paths up to step t; a payment that ended
    before counts with its last. ``dr@t`` and ``v@t`` are the parts of the doubly robust sum that
    the paths after and before step t weigh.
    """
    names = ["one", "w", "stopped", *COUNTED, "mis"]
    names += [f"{way}:{name}" for way in ("ips", "pdis") for name in COUNTED]
    per_step = ["w", *COUNTED]
    if with_model:
        names.append("dr")
        per_step += ["dr", "v"]
    return (*names, *(f"{name}@{step}" for step in range(steps) for name in per_step))


def _counted(paths: Paths) -> dict[str, FloatArray]:
    rows = paths.rows
    values = {name: rows[name].astype(np.float64) for name in ("r", "approved", "made")}
    values["cost"] = np.nan_to_num(rows["cost"])
    values["open"] = np.zeros(len(rows))
    values["open"][paths.last] = paths.is_open
    return values


def _pairs() -> tuple[str, ...]:
    names = PATH[1:]
    return tuple(product(a, b) for place, a in enumerate(names) for b in names[place:])


def _products(path: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return {name: path[a] * path[b] for name in _pairs() for a, b in [name.split("*")]}


def _by_step(paths: Paths, values: dict[str, FloatArray], steps: int) -> BucketTable:
    """Columns ``NAME@t`` of values per row, and ``w@t``, for the steps of the table."""
    bucket, step = paths.bucket, step_of(paths)
    by_row = bucket[paths.payment]
    reached = paths.after + paths.ended + paths.before * paths.rows["stopping_unseen"]
    weight = np.ones(paths.payments)
    columns: dict[str, FloatArray] = {}
    for place in range(steps):
        some = np.flatnonzero(step == place)
        # Where several rows share the last step, the last one of a payment is written last.
        weight[paths.payment[some]] = reached[some]
        columns[f"w@{place}"] = _by_bucket(bucket, weight)
        for name, each in values.items():
            columns[f"{name}@{place}"] = _by_bucket(by_row[some], each[some])
    return BucketTable(tuple(columns), np.stack(list(columns.values())))


def _scaled(reward: FloatArray, known: Range) -> FloatArray:
    return np.clip((reward - known.reward_low) / known.span, 0.0, 1.0)


def _in_order(columns: tuple[str, ...], *parts: BucketTable) -> BucketTable:
    rows = {name: part[name] for part in parts for name in part.columns}
    return BucketTable(columns, np.stack([rows[name] for name in columns]))


def _by_bucket(bucket: IntArray, values: FloatArray) -> FloatArray:
    return np.bincount(bucket, values, BUCKETS).astype(np.float64, copy=False)
