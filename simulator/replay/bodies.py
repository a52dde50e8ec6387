"""The bodies of the service's two requests, from rows of a batch."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, DecisionBatch, LoggedBatch
from authopt.payments import CONTEXT_BY_NAME, OUTCOME_FIELDS, Field, Kind
from simulator.replay.ids import named

DECISIONS = "/v1/decisions"
OUTCOMES = "/v1/outcomes"


def decision_body(batch: DecisionBatch, row: int, run: str) -> bytes:
    """The body of ``POST /v1/decisions`` for a decision point, under the ids of a run."""
    start, stop = int(batch.offsets[row]), int(batch.offsets[row + 1])
    actions: list[dict[str, Any]] = []
    for at in range(start, stop):
        action: dict[str, Any] = {
            "route": batch.routes[batch.action_route[at]],
            "delay_s": int(batch.action_delay_s[at]),
        }
        features = _values(batch.action_features, at)
        if features:
            action["features"] = features
        actions.append(action)
    return msgspec.json.encode(
        {
            "decision_id": named(run, batch.decision_id[row].as_py()),
            "payment_id": named(run, batch.payment_id[row].as_py()),
            "attempt": int(batch.attempt[row]),
            "decided_at": _moment(batch.decided_at[row]),
            "context": _values(batch.context, row),
            "actions": actions,
        }
    )


def outcome_body(batch: LoggedBatch, row: int, run: str) -> bytes:
    """The body of ``POST /v1/outcomes`` for a decision whose outcome is known."""
    known = {field.name: batch.outcome.get(field.name) for field in OUTCOME_FIELDS}
    told = {
        name: value
        for name, column in known.items()
        if column is not None and (value := _value(column, row, _kind(name))) is not None
    }
    return msgspec.json.encode({"decision_id": named(run, batch.decision_id[row].as_py()), **told})


_OUTCOME_BY_NAME: dict[str, Field] = {field.name: field for field in OUTCOME_FIELDS}


def _values(columns: Any, row: int) -> dict[str, Any]:
    """What is known of a row, by name."""
    return {
        name: value
        for name, column in columns.items()
        if (value := _value(column, row, _kind(name))) is not None
    }


def _kind(name: str) -> Kind:
    known = CONTEXT_BY_NAME.get(name) or _OUTCOME_BY_NAME.get(name)
    return Kind.NUMBER if known is None else known.kind


def _value(column: Column, row: int, kind: Kind) -> Any:
    """One value as JSON holds it; None where it is missing."""
    if isinstance(column, Categorical):
        code = column.codes[row]
        return None if code < 0 else column.categories[code]
    if isinstance(column, pa.Array):
        return column[row].as_py()
    value = column[row]
    if np.isnat(value) if column.dtype.kind == "M" else np.isnan(value):
        return None
    if kind is Kind.TIME:
        return _moment(value)
    if kind is Kind.FLAG:
        return bool(value)
    return int(value) if kind is Kind.INTEGER else float(value)


def _moment(time: np.datetime64) -> Any:
    return time.astype("M8[us]").item().replace(tzinfo=UTC)
