"""Between Arrow record batches (the log on disk) and LoggedBatch (the log in memory)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import Categorical, Column, FloatArray, LoggedBatch
from authopt.logs.schema import (
    ARROW_TYPES,
    ELIGIBLE_PREFIX,
    PROPENSITY,
    REQUIRED,
    PropensitySource,
    column_type,
    custom_kind,
    is_custom,
    metadata,
)
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, OUTCOME_BY_NAME, Kind
from authopt.rewards import DEFAULT_REWARD, Reward


def to_column(array: pa.Array, kind: Kind) -> Column:
    """An Arrow array as the in-memory column of its kind (``payments.Kind``)."""
    if kind is Kind.CATEGORY:
        if not pa.types.is_dictionary(array.type):
            array = array.cast(pa.string()).dictionary_encode()
        indices = array.indices.fill_null(-1) if array.null_count else array.indices
        codes = np.asarray(indices.to_numpy(zero_copy_only=False), np.int32)
        return Categorical(codes, tuple(array.dictionary.cast(pa.string()).to_pylist()))
    if kind is Kind.REFERENCE:
        return array.cast(pa.string())
    if kind is Kind.TIME:
        times = array.cast(ARROW_TYPES[Kind.TIME]).cast(pa.timestamp("us"))
        return times.to_numpy(zero_copy_only=False)
    return _floats(array)


def from_column(column: Column, data_type: pa.DataType) -> pa.Array:
    """An in-memory column as an Arrow array of the type on disk; missing values become null."""
    if isinstance(column, Categorical):
        indices = pa.array(column.codes, mask=column.codes < 0)
        return pa.DictionaryArray.from_arrays(indices, pa.array(column.categories, pa.string()))
    if isinstance(column, pa.Array):
        return column
    if np.issubdtype(column.dtype, np.datetime64):
        return pa.array(column).cast(pa.timestamp("us")).cast(data_type, safe=False)
    return pa.array(column, mask=np.isnan(column)).cast(data_type)


def from_arrow(records: pa.RecordBatch, reward: Reward = DEFAULT_REWARD) -> LoggedBatch:
    """A LoggedBatch from rows that follow the schema.

    The rows must be sound (``authopt.logs.validate`` sees to that for files): required columns
    without nulls, lists of equal length, ``chosen`` within its list.
    """
    columns = dict(zip(records.schema.names, records.columns, strict=True))
    routes = columns["eligible_route"]
    offsets = routes.offsets.to_numpy()
    route = to_column(routes.flatten(), Kind.CATEGORY)
    assert isinstance(route, Categorical)
    context: dict[str, Column] = {}
    outcome: dict[str, Column] = {}
    features: dict[str, Column] = {}
    for name, array in columns.items():
        if name in CONTEXT_BY_NAME:
            context[name] = to_column(array, CONTEXT_BY_NAME[name].kind)
        elif name in OUTCOME_BY_NAME:
            outcome[name] = to_column(array, OUTCOME_BY_NAME[name].kind)
        elif name.startswith(CUSTOM_PREFIX) and (kind := custom_kind(array.type)):
            context[name] = to_column(array, kind)
        elif is_custom(name) and (kind := custom_kind(array.type.value_type)):
            features[name.removeprefix(ELIGIBLE_PREFIX)] = to_column(array.flatten(), kind)
    n = len(records)
    unknown = np.full(n, np.nan)
    probability = columns.get("eligible_probability")
    if probability is not None and probability.null_count:
        probability = None
    batch = LoggedBatch(
        decision_id=columns["decision_id"],
        payment_id=columns["payment_id"],
        attempt=columns["attempt"].to_numpy(),
        decided_at=np.asarray(to_column(columns["decided_at"], Kind.TIME)),
        context=context,
        routes=route.categories,
        action_route=route.codes,
        action_delay_s=columns["eligible_delay_s"].flatten().to_numpy(),
        offsets=np.subtract(offsets, offsets[0], dtype=np.int64),
        action_features=features,
        chosen=columns["chosen"].to_numpy().astype(np.int64),
        propensity=_floats(columns["propensity"]) if "propensity" in columns else unknown,
        probability=None if probability is None else _floats(probability.flatten()),
        outcome=outcome,
        reward=unknown,
    )
    return replace(batch, reward=reward.of(batch))


def to_arrow(
    batch: LoggedBatch, source: PropensitySource = PropensitySource.LOGGED
) -> pa.RecordBatch:
    """Rows of the attempt log; columns in the order of the schema, custom ones last."""
    offsets = pa.array(batch.offsets.astype(np.int32))
    arrays: dict[str, pa.Array] = {
        "decision_id": batch.decision_id,
        "payment_id": batch.payment_id,
        "attempt": pa.array(batch.attempt, pa.int32()),
        "decided_at": from_column(batch.decided_at, REQUIRED["decided_at"]),
        "eligible_route": _lists(offsets, Categorical(batch.action_route, batch.routes)),
        "eligible_delay_s": pa.ListArray.from_arrays(offsets, pa.array(batch.action_delay_s)),
        "chosen": pa.array(batch.chosen.astype(np.int32)),
    }
    if not np.isnan(batch.propensity).all():
        arrays["propensity"] = from_column(batch.propensity, PROPENSITY["propensity"])
    if batch.probability is not None:
        arrays["eligible_probability"] = _lists(offsets, batch.probability)
    arrays |= _known_columns(batch.context) | _known_columns(batch.outcome)
    for name, column in batch.action_features.items():
        arrays[ELIGIBLE_PREFIX + name] = _lists(offsets, column)
    return pa.RecordBatch.from_arrays(
        list(arrays.values()),
        schema=pa.schema(
            [pa.field(name, array.type) for name, array in arrays.items()], metadata(source)
        ),
    )


def _known_columns(columns: Mapping[str, Column]) -> dict[str, pa.Array]:
    return {
        name: from_column(column, column_type(name) or pa.float64())
        for name, column in columns.items()
    }


def _lists(offsets: pa.Array, column: Column) -> pa.ListArray:
    return pa.ListArray.from_arrays(offsets, from_column(column, pa.float64()))


def _floats(array: pa.Array) -> FloatArray:
    values = pc.cast(array, pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
