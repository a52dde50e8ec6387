"""The context of a request: checked by the domain's own table of columns, then held as columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column
from authopt.logs.value_checks import PATTERNS, RANGES
from authopt.payments import CONTEXT_FIELDS, CUSTOM_PREFIX, Field, Kind
from service.api.problems import FieldError, Problem
from service.settings import MAX_NAME

MAX_COLUMNS = 200
_CUSTOM_NAME = re.compile(r"x_[A-Za-z0-9_]{1,60}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LARGEST_EXACT = 2**53
_CODE_0 = np.zeros(1, np.int32)
_CODE_0.flags.writeable = False
_REFERENCES = frozenset(field.name for field in CONTEXT_FIELDS if field.kind is Kind.REFERENCE)

Check: TypeAlias = Callable[[Any], "str | None"]
"""What is wrong with a value; None if nothing is."""


class MixedKinds(Exception):
    """A column of the caller's own is text in one decision and a number in another."""


def check_context(context: Mapping[str, Any]) -> None:
    """Refuse a context that does not fit.

    Raises
    ------
    Problem
        422, naming every field that is unknown or has a value that it may not have.
    """
    if len(context) <= MAX_COLUMNS:
        for name, value in context.items():
            check = _CHECKS.get(name)
            if check is None:
                if not _CUSTOM_NAME.fullmatch(name) or custom_fault(value) is not None:
                    break
            elif value is not None and check(value) is not None:
                break
        else:
            return
    faults = list(_faults(context))
    if faults:
        first = faults[0]
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{first.field}: {first.message}", *faults[:20]
        )


def context_of_one(context: Mapping[str, Any]) -> dict[str, Column]:
    """Columns of one row by name; null is as good as absent."""
    columns: dict[str, Column] = {}
    for name, value in context.items():
        if value is None:
            continue
        if name in _REFERENCES:
            columns[name] = pa.array([value], pa.string())
        elif isinstance(value, str):
            columns[name] = _category(value)
        else:
            columns[name] = np.array([value], np.float64)
    return columns


def context_columns(contexts: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Columns of n rows by name; what a row lacks is missing there.

    Raises
    ------
    MixedKinds
        If a column holds text and numbers, of which no column can be made.
    """
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(name for context in contexts for name in context):
        column = column_of([context.get(name) for context in contexts], name in _REFERENCES)
        if column is not None:
            columns[name] = column
    return columns


def column_of(values: Sequence[Any], is_reference: bool = False) -> Column | None:
    """A column of texts or numbers, None where a value is missing; None if all are.

    Raises
    ------
    MixedKinds
        If it holds both.
    """
    texts = sum(isinstance(value, str) for value in values)
    if not texts:
        if all(value is None for value in values):
            return None
        return np.array([math.nan if value is None else value for value in values], np.float64)
    if texts < len(values) and texts + values.count(None) < len(values):
        raise MixedKinds
    return pa.array(values, pa.string()) if is_reference else Categorical.from_values(values)


@lru_cache(maxsize=1 << 12)
def _category(value: str) -> Categorical:
    return Categorical(_CODE_0, (value,))


def _faults(context: Mapping[str, Any]) -> Iterator[FieldError]:
    if len(context) > MAX_COLUMNS:
        yield FieldError("context", f"has {len(context)} columns; expected at most {MAX_COLUMNS}")
        return
    for name, value in context.items():
        check = _CHECKS.get(name)
        if check is not None:
            message = None if value is None else check(value)
        elif _CUSTOM_NAME.fullmatch(name):
            message = custom_fault(value)
        else:
            message = (
                f"is not known; name your own columns {CUSTOM_PREFIX}... with letters, digits "
                "and underscores"
            )
        if message is not None:
            yield FieldError(f"context.{name[:64]}", message)


def custom_fault(value: Any) -> str | None:
    """What is wrong with a value of a column of the caller's own; None if nothing is."""
    if isinstance(value, str):
        return _text_fault(value)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _number_fault(value)
    return "expected a string, a number, true or false"


def _check_of(field: Field) -> Check:
    """The check of one of the domain's columns, made once: every request runs many of them."""
    if field.kind is Kind.FLAG:
        return _flag_fault
    if field.kind not in (Kind.CATEGORY, Kind.REFERENCE):
        return _number_check(field)
    if field.values is not None:
        return _choice_check(field.values)
    form = PATTERNS.get(field.name)
    return _any_text_fault if form is None else _form_check(*form)


def _flag_fault(value: Any) -> str | None:
    return None if value is True or value is False else "expected true or false"


def _any_text_fault(value: Any) -> str | None:
    return _text_fault(value) if isinstance(value, str) else "expected a string"


def _choice_check(values: tuple[str, ...]) -> Check:
    allowed, expected = frozenset(map(str, values)), f"expected one of {', '.join(values)}"

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return "expected a string"
        return None if value in allowed else expected

    return check


def _form_check(pattern: re.Pattern[str], expected: str) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return "expected a string"
        return None if pattern.fullmatch(value) else expected

    return check


def _number_check(field: Field) -> Check:
    low, high = RANGES.get(field.name, (None, None))
    least = -math.inf if low is None else low
    most = math.inf if high is None else high
    expected = f"expected at least {low}" if high is None else f"expected {low} to {high}"
    kinds: type | tuple[type, ...] = int if field.kind is Kind.INTEGER else (int, float)

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "expected a number"
        if not isinstance(value, kinds):
            return "expected a whole number"
        if value < least or value > most:
            return expected
        return _number_fault(value)

    return check


def _text_fault(value: str) -> str | None:
    if not value or len(value) > MAX_NAME or _CONTROL.search(value):
        return f"expected 1 to {MAX_NAME} characters without control characters"
    return None


def _number_fault(value: float) -> str | None:
    if isinstance(value, int):
        return None if abs(value) <= _LARGEST_EXACT else "is too large a whole number"
    return None if math.isfinite(value) else "expected a finite number"


_CHECKS: dict[str, Check] = {field.name: _check_of(field) for field in CONTEXT_FIELDS}
