"""The caller's own figures of each action, such as a route's recent success rate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import numpy as np

from authopt.batch import Categorical, Column
from service.api.context import column_of, custom_fault
from service.api.forms import RequestedAction
from service.api.problems import FieldError, Problem

MAX_FEATURES = 50
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_RESERVED = frozenset({"route", "delay_s", "probability"})


def check_features(actions: Sequence[RequestedAction]) -> None:
    """Refuse features that do not fit.

    Raises
    ------
    Problem
        422, naming every feature with a name or a value that it may not have.
    """
    faults = list(_faults(actions))
    if faults:
        first = faults[0]
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{first.field}: {first.message}", *faults[:20]
        )


def features_of_one(features: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Columns of length m by name; missing where an action lacks what another has."""
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(name for each in features for name in each):
        values = [each.get(name) for each in features]
        if any(isinstance(value, str) for value in values):
            columns[name] = Categorical.from_values(
                None if value is None else str(value) for value in values
            )
        else:
            columns[name] = np.array(
                [np.nan if value is None else value for value in values], np.float64
            )
    return columns


def feature_columns(features: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """As :func:`features_of_one` for the actions of several decisions.

    Raises
    ------
    MixedKinds
        If a column holds text and numbers: a decision may have both, several may not.
    """
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(name for each in features for name in each):
        column = column_of([each.get(name) for each in features])
        if column is not None:
            columns[name] = column
    return columns


def _faults(actions: Sequence[RequestedAction]) -> Iterator[FieldError]:
    for at, action in enumerate(actions):
        where = f"actions[{at}].features"
        if len(action.features) > MAX_FEATURES:
            yield FieldError(where, f"expected at most {MAX_FEATURES}")
            continue
        for name, value in action.features.items():
            if not _NAME.fullmatch(name) or name in _RESERVED:
                message: str | None = (
                    "is no name of a feature; expected small letters, digits and underscores"
                )
            else:
                message = custom_fault(value)
            if message is not None:
                yield FieldError(f"{where}.{name[:64]}", message)
