"""The context of a request: checked by the domain's own table of columns, then held as columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column
from authopt.logs.value_checks import PATTERNS, RANGES
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, Field, Kind
from service.api.problems import FieldError, Problem
from service.settings import MAX_NAME

MAX_COLUMNS = 200
_CUSTOM_NAME = re.compile(r"x_[A-Za-z0-9_]{1,60}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LARGEST_EXACT = 2**53
_CODE_0 = np.zeros(1, np.int32)


def context_columns(context: Mapping[str, Any]) -> dict[str, Column]:
    """Columns of one row by name; null is as good as absent.

    Raises
    ------
    Problem
        422, naming every field that is unknown or has a value that it may not have.
    """
    faults = list(_faults(context))
    if faults:
        first = faults[0]
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{first.field}: {first.message}", *faults[:20]
        )
    return {name: _column(name, value) for name, value in context.items() if value is not None}


def _faults(context: Mapping[str, Any]) -> Iterator[FieldError]:
    if len(context) > MAX_COLUMNS:
        yield FieldError("context", f"has {len(context)} columns; expected at most {MAX_COLUMNS}")
        return
    for name, value in context.items():
        known = CONTEXT_BY_NAME.get(name)
        if known is not None:
            message = None if value is None else _known_fault(known, value)
        elif _CUSTOM_NAME.fullmatch(name):
            message = custom_fault(value)
        else:
            message = (
                f"is not known; name your own columns {CUSTOM_PREFIX}... with letters, digits "
                "and underscores"
            )
        if message is not None:
            yield FieldError(f"context.{name[:64]}", message)


def _known_fault(known: Field, value: Any) -> str | None:
    if known.kind in (Kind.CATEGORY, Kind.REFERENCE):
        if not isinstance(value, str):
            return "expected a string"
        if known.values is not None:
            return None if value in known.values else f"expected one of {', '.join(known.values)}"
        form = PATTERNS.get(known.name)
        if form is not None and not form[0].fullmatch(value):
            return form[1]
        return _text_fault(value)
    if known.kind is Kind.FLAG:
        return None if isinstance(value, bool) else "expected true or false"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "expected a number"
    if known.kind is Kind.INTEGER and not isinstance(value, int):
        return "expected a whole number"
    low, high = RANGES.get(known.name, (None, None))
    if (low is not None and value < low) or (high is not None and value > high):
        return f"expected at least {low}" if high is None else f"expected {low} to {high}"
    return _number_fault(value)


def custom_fault(value: Any) -> str | None:
    """What is wrong with a value of a column of the caller's own; None if nothing is."""
    if isinstance(value, str):
        return _text_fault(value)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _number_fault(value)
    return "expected a string, a number, true or false"


def _text_fault(value: str) -> str | None:
    if not value or len(value) > MAX_NAME or _CONTROL.search(value):
        return f"expected 1 to {MAX_NAME} characters without control characters"
    return None


def _number_fault(value: float) -> str | None:
    if isinstance(value, int):
        return None if abs(value) <= _LARGEST_EXACT else "is too large a whole number"
    return None if math.isfinite(value) else "expected a finite number"


def _column(name: str, value: Any) -> Column:
    known = CONTEXT_BY_NAME.get(name)
    if known is not None and known.kind is Kind.REFERENCE:
        return pa.array([value], pa.string())
    if isinstance(value, str):
        return Categorical(_CODE_0, (value,))
    return np.array([value], np.float64)
