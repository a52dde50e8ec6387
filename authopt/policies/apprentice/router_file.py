"""The file of an apprentice: the router that it imitates, and the policy that it may act by."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from authopt.actions import Action
from authopt.features.tabular import Features
from authopt.logs.action_classes import ActionClasses
from authopt.logs.choice_model import Calibration, ChoiceModel
from authopt.logs.propensity import PropensityModel
from authopt.policies.best_time.model_file import Record, records
from authopt.policies.wrapped_file import WrappedRecord


class ClassRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Route and delay, and how often the router was offered and took them."""

    route: str
    delay_s: int
    offered: int
    taken: int


class FoldRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was fitted without the payments of a fold."""

    intercept: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    slope: float
    shift: tuple[float, ...]


class RouterRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model of the router."""

    classes: tuple[ClassRecord, ...]
    banded: bool
    features: tuple[Record, ...]
    folds: tuple[FoldRecord, ...]
    floor: float
    seed: int


class ApprenticeFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="apprentice"
):
    """The whole file; ``better`` is a spec without files, or says where the policy's file is."""

    router: RouterRecord
    better: str | WrappedRecord | None
    version: Literal[1] = 1


def record_of(model: PropensityModel) -> RouterRecord:
    """A model of a router as the file holds it."""
    classes = model.classes
    return RouterRecord(
        classes=tuple(
            ClassRecord(action.route, action.delay_s, offered, taken)
            for action, offered, taken in zip(
                classes.actions, classes.offered.tolist(), classes.taken.tolist(), strict=True
            )
        ),
        banded=classes.banded,
        features=records(model.features),
        folds=tuple(
            FoldRecord(
                tuple(choice.intercept.tolist()),
                tuple(map(tuple, choice.weights.tolist())),
                calibration.slope,
                tuple(calibration.shift.tolist()),
            )
            for choice, calibration in zip(model.models, model.calibrations, strict=True)
        ),
        floor=model.floor,
        seed=model.seed,
    )


def router_of(record: RouterRecord) -> PropensityModel:
    """The model that was recorded.

    Raises
    ------
    ValueError
        If its parts do not fit together.
    """
    features = Features(tuple(each.feature() for each in record.features))
    classes = ActionClasses(
        tuple(Action(each.route, each.delay_s) for each in record.classes),
        np.array([each.offered for each in record.classes], np.int64),
        np.array([each.taken for each in record.classes], np.int64),
        record.banded,
    )
    models, calibrations = [], []
    for fold in record.folds:
        weights = np.array(fold.weights, np.float64).reshape(len(fold.weights), -1)
        if not features.width:
            weights = weights.reshape(0, len(classes))
        intercept, shift = np.array(fold.intercept), np.array(fold.shift)
        if weights.shape != (features.width, len(classes)):
            raise ValueError(f"a fold has weights of shape {weights.shape}")
        if not len(intercept) == len(shift) == len(classes):
            raise ValueError("a fold has another number of classes than the router")
        models.append(ChoiceModel(intercept, weights))
        calibrations.append(Calibration(fold.slope, shift))
    if not models:
        raise ValueError("there are no folds")
    return PropensityModel(
        classes, features, tuple(models), tuple(calibrations), record.floor, record.seed
    )
