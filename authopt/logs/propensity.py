"""Propensities for a log that has none: a model of the policy that made the log.

The model is a conditional logit over the eligible actions (``choice_model``), cross-fitted by
payment: the propensity of a decision comes from the model that was fitted without its payment. It
is then calibrated on those out-of-fold predictions, again without the payment's own fold.

An estimated propensity is a guess that rests on the context in the log. Where the logging policy
looked at something that the log does not hold, every estimate built on it is biased, and no check
in here can see that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.folds import fold_of, sample_payments
from authopt.features.tabular import Features, decision_table, learn_features
from authopt.logs.action_classes import ActionClasses, ActionCounter
from authopt.logs.choice_model import (
    Calibration,
    ChoiceModel,
    ChoiceSets,
    fit_calibration,
    fit_choice_model,
)
from authopt.logs.propensity_figures import report_on
from authopt.logs.propensity_report import PropensityReport
from authopt.sampling import normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_ROWS = 200_000
FLOOR = 0.001
RIDGES = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
"""Strengths of the prior that are tried, in pseudo-rows."""


class Log(Protocol):
    """What is needed of an opened attempt log (``authopt.logs.files.AttemptLog``)."""

    def batches(self) -> Iterable[LoggedBatch]:
        """The log from its beginning, chunk by chunk."""


class Track(Protocol):
    """Shows progress while items go by, such as ``authopt.terminal.tracked``."""

    def __call__(
        self, items: Iterable[float], what: str, total: int | None = None, /
    ) -> Iterable[float]:
        """The same items."""


def untracked(items: Iterable[float], what: str, total: int | None = None, /) -> Iterable[float]:
    """Show no progress."""
    return items


@dataclass(frozen=True, slots=True, eq=False)
class PropensityModel:
    """The estimated logging policy; a ``Policy``.

    Attributes
    ----------
    classes
        the actions that the log offered and took.
    features
        the declaration of the features of the context.
    models, calibrations
        one per fold, each fitted without the payments of that fold.
    floor
        smallest probability of an action that the log ever took.
    seed
        of the folds.
    """

    classes: ActionClasses
    features: Features
    models: tuple[ChoiceModel, ...]
    calibrations: tuple[Calibration, ...]
    floor: float
    seed: int

    @property
    def name(self) -> str:
        """Short name for tables and logs."""
        return "logging policy (estimated)"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], summing to 1 within each decision.

        An action that the log never took has probability 0, unless none of the decision's actions
        was ever taken: then all are equally likely.
        """
        sets = _choice_sets(batch, self.classes, batch.offsets[:-1])
        calibrated = _by_fold(batch, self, sets)[1]
        return _floored(batch, np.exp(calibrated), sets, self.floor)

    def fill(self, batch: LoggedBatch) -> LoggedBatch:
        """The same decisions with ``propensity`` and ``probability`` as estimated.

        Raises
        ------
        UserError
            If an action was taken that the log which the model was fitted on never took.
        """
        probability = self.probabilities(batch)
        propensity = probability[batch.chosen_action]
        if not (propensity > 0).all():
            row = int(np.flatnonzero(propensity <= 0)[0])
            action = batch.actions(row)[int(batch.chosen[row])]
            raise UserError(
                f"decision {batch.decision_id[row].as_py()!r} took {str(action)!r}, which the log "
                "that the propensity model was fitted on never took; expected the same log. "
                "Fit the model on this log"
            )
        return replace(batch, propensity=propensity, probability=probability)


@dataclass(frozen=True, slots=True, eq=False)
class PropensityEstimate:
    """A fitted model and how far it can be trusted."""

    model: PropensityModel
    report: PropensityReport


def estimate_propensities(
    log: Log | Iterable[LoggedBatch],
    *,
    folds: int = 5,
    max_rows: int = MAX_ROWS,
    floor: float = FLOOR,
    seed: int = 0,
    track: Track = untracked,
) -> PropensityEstimate:
    """Fit a model of the policy that made the log.

    The log is read once, chunk by chunk. Use :meth:`PropensityModel.fill` on its chunks to get the
    propensities.

    Parameters
    ----------
    log
        an opened attempt log, or its chunks. Propensities in it are ignored.
    folds
        number of folds of the cross-fit.
    max_rows
        the model is fitted, and the report made, on whole payments with at most that many
        decisions together.
    floor
        smallest probability of an action that the log ever took, from 0 (excluded) to 0.05.
    seed
        of the folds and the sample.
    track
        shows progress over the fits.

    Raises
    ------
    UserError
        If the log is empty, or an option is out of its range.
    """
    if not 2 <= folds <= 50:
        raise UserError(f"folds is {folds}; expected 2 to 50")
    if max_rows < 1:
        raise UserError(f"max rows is {max_rows}; expected at least 1")
    if not 0 < floor <= 0.05:
        raise UserError(f"floor is {floor}; expected a probability above 0 and at most 0.05")
    counter = ActionCounter()
    batches = log if isinstance(log, Iterable) else log.batches()
    sample = sample_payments(counter.counting(batches), max_rows, seed, "propensity")
    if sample is None:
        raise UserError("the log holds no decisions; there is no logging policy to estimate")
    batch, classes = sample.batch, counter.classes()
    features = learn_features(decision_table(batch))
    sets = _choice_sets(batch, classes, batch.chosen_action)
    matrix = features.one_hot(decision_table(batch), batch.n)
    fold = fold_of(batch.payment_id, folds, seed)
    model = PropensityModel(classes, features, (), (), floor, seed)
    marginal = replace(model, features=Features(()))
    marginal = replace(marginal, models=_fit(matrix[:, :0], sets, fold, folds, len(classes), 1.0))
    by_share, _ = _by_fold(batch, marginal, sets)
    model, ridge = _best(batch, model, matrix, sets, fold, folds, track)
    out_of_fold, _ = _by_fold(batch, model, sets)
    calibrations = []
    for held_out in range(folds):
        rows = fold != held_out
        actions = np.repeat(rows, batch.counts)
        calibrations.append(fit_calibration(out_of_fold[actions], sets.take(rows), len(classes)))
    model = replace(model, calibrations=tuple(calibrations))
    _, calibrated = _by_fold(batch, model, sets)
    report = report_on(
        batch,
        classes,
        sets,
        probability=_floored(batch, np.exp(calibrated), sets, floor),
        unfloored=np.exp(calibrated),
        uncalibrated=np.exp(out_of_fold),
        marginal=np.exp(by_share),
        decisions=sample.decisions,
        folds=folds,
        floor=floor,
        ridge=ridge,
        slopes=[calibration.slope for calibration in calibrations],
    )
    return PropensityEstimate(model, report)


def _best(
    batch: LoggedBatch,
    model: PropensityModel,
    matrix: csr_matrix,
    sets: ChoiceSets,
    fold: IntArray,
    folds: int,
    track: Track,
) -> tuple[PropensityModel, float]:
    """The model of the ridge that predicts best out of fold, from strong to weak until it worsens.

    Too weak a ridge lets noise in, and the calibration's one slope would then shrink signal and
    noise alike.
    """
    best, best_ridge, best_loss = model, RIDGES[0], np.inf
    for ridge in track(RIDGES, "fitting the logging policy", len(RIDGES)):
        models = _fit(matrix, sets, fold, folds, len(model.classes), ridge, best.models)
        candidate = replace(model, models=models)
        log_probability, _ = _by_fold(batch, candidate, sets)
        loss = -float(log_probability[sets.chosen].mean())
        if loss >= best_loss:
            break
        best, best_ridge, best_loss = candidate, ridge, loss
    return best, best_ridge


def _fit(
    matrix: csr_matrix,
    sets: ChoiceSets,
    fold: IntArray,
    folds: int,
    classes: int,
    ridge: float,
    begin: tuple[ChoiceModel, ...] = (),
) -> tuple[ChoiceModel, ...]:
    models = []
    for held_out in range(folds):
        rows = fold != held_out
        first = begin[held_out] if begin else None
        models.append(fit_choice_model(matrix[rows], sets.take(rows), classes, ridge, first))
    return tuple(models)


def _choice_sets(batch: DecisionBatch, classes: ActionClasses, chosen: IntArray) -> ChoiceSets:
    found = classes.of(batch)
    possible = np.append(classes.supported, False)[found]
    none = batch.sum_by_decision(possible.astype(np.float64)) == 0
    possible |= np.repeat(none, batch.counts)
    return ChoiceSets(batch.offsets, np.maximum(found, 0), possible, chosen)


def _by_fold(
    batch: DecisionBatch, model: PropensityModel, sets: ChoiceSets
) -> tuple[FloatArray, FloatArray]:
    """float64[m] each: log probabilities before and after the calibration (if there is one)."""
    fold = fold_of(batch.payment_id, len(model.models), model.seed)
    matrix = model.features.one_hot(decision_table(batch), batch.n)
    raw, calibrated = np.zeros(batch.m), np.zeros(batch.m)
    for held_out in np.unique(fold).tolist():
        rows = fold == held_out
        actions = np.repeat(rows, batch.counts)
        some = sets.take(rows)
        values = model.models[held_out].log_probabilities(matrix[rows], some)
        raw[actions] = values
        if model.calibrations:
            values = model.calibrations[held_out].log_probabilities(values, some)
        calibrated[actions] = values
    return raw, calibrated


def _floored(
    batch: DecisionBatch, probability: FloatArray, sets: ChoiceSets, floor: float
) -> FloatArray:
    """No possible action below the floor; the others give what that takes, in proportion.

    Where the floor is more than an equal share of the decision, the equal share takes its place.
    """
    possible = sets.possible.astype(np.float64)
    count = np.repeat(batch.sum_by_decision(possible), batch.counts)
    least = np.minimum(floor, 1.0 / count)
    return normalise(batch, np.where(sets.possible, np.maximum(probability, least), 0.0))
