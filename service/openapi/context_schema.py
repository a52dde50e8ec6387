"""What a context may hold, as JSON Schema, from the domain's own table of columns."""

from __future__ import annotations

from typing import Any

from authopt.logs.value_checks import PATTERNS, RANGES
from authopt.payments import CONTEXT_FIELDS, Field, Kind
from service.api.context import MAX_COLUMNS
from service.settings import MAX_NAME

LARGEST_EXACT = 2**53

_TEXT = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_NAME,
    "pattern": "^[^\\x00-\\x1f\\x7f]+$",
}
_SCALAR = {
    "anyOf": [
        _TEXT,
        {"type": "boolean"},
        {"type": "integer", "minimum": -LARGEST_EXACT, "maximum": LARGEST_EXACT},
        {"type": "number"},
        {"type": "null"},
    ]
}


def context_schema() -> dict[str, Any]:
    """The schema of ``context``: known columns by name, and the caller's own as ``x_...``."""
    return {
        "type": "object",
        "description": "What is known of the payment before the action. Everything may be left "
        "out, and null is as good as absent. Columns of your own are named x_... .",
        "properties": {field.name: _column(field) for field in CONTEXT_FIELDS},
        "patternProperties": {"^x_[A-Za-z0-9_]{1,60}$": _SCALAR},
        "additionalProperties": False,
        "maxProperties": MAX_COLUMNS,
    }


def features_schema(most: int) -> dict[str, Any]:
    """The schema of an action's ``features``."""
    return {
        "type": "object",
        "description": "Your own figures of this action, such as a recent success rate.",
        "patternProperties": {"^[a-z][a-z0-9_]{0,59}$": _SCALAR},
        "additionalProperties": False,
        "maxProperties": most,
    }


def _column(field: Field) -> dict[str, Any]:
    return {"anyOf": [_values(field), {"type": "null"}], "description": field.meaning}


def _values(field: Field) -> dict[str, Any]:
    if field.values is not None:
        return {"type": "string", "enum": [str(value) for value in field.values]}
    if field.name in PATTERNS:
        return {"type": "string", "pattern": f"^{PATTERNS[field.name][0].pattern}$"}
    if field.kind in (Kind.CATEGORY, Kind.REFERENCE):
        return _TEXT
    if field.kind is Kind.FLAG:
        return {"type": "boolean"}
    low, high = RANGES.get(field.name, (None, None))
    whole = field.kind is Kind.INTEGER
    schema: dict[str, Any] = {"type": "integer" if whole else "number"}
    if whole:
        low = -LARGEST_EXACT if low is None else low
        high = LARGEST_EXACT if high is None else high
    if low is not None:
        schema["minimum"] = low
    if high is not None:
        schema["maximum"] = high
    return schema
