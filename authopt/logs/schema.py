"""The attempt log on disk: one row per decision, as an Arrow schema with a version."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa

from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, OUTCOME_BY_NAME, Kind

SCHEMA_VERSION = 1
VERSION_KEY = b"authopt.attempt_log.version"
PROPENSITY_KEY = b"authopt.attempt_log.propensity"

ELIGIBLE_PREFIX = "eligible_"
"""Columns with this prefix are lists, one value per eligible action, all of the same length."""

ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.CATEGORY: pa.dictionary(pa.int32(), pa.string()),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.REFERENCE: pa.string(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
}

REQUIRED: dict[str, pa.DataType] = {
    "decision_id": pa.string(),
    "payment_id": pa.string(),
    "attempt": pa.int32(),
    "decided_at": pa.timestamp("us", tz="UTC"),
    "eligible_route": pa.list_(pa.dictionary(pa.int32(), pa.string())),
    "eligible_delay_s": pa.list_(pa.int64()),
    "chosen": pa.int32(),
}
"""Columns that every attempt log has. ``chosen`` counts the eligible actions from 0."""

PROPENSITY = {"propensity": pa.float64(), "eligible_probability": pa.list_(pa.float64())}
"""Probability of the logged action, and of every eligible action, under the logging policy."""


class PropensitySource(StrEnum):
    """Where the propensities of a log come from; kept in the file's metadata."""

    LOGGED = "logged"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


def column_type(name: str) -> pa.DataType | None:
    """Arrow type of a column that the schema knows, or None (custom columns have their own)."""
    if name in REQUIRED:
        return REQUIRED[name]
    if name in PROPENSITY:
        return PROPENSITY[name]
    known = CONTEXT_BY_NAME.get(name) or OUTCOME_BY_NAME.get(name)
    return None if known is None else ARROW_TYPES[known.kind]


_RANK = {
    name: rank
    for rank, name in enumerate((*REQUIRED, *PROPENSITY, *CONTEXT_BY_NAME, *OUTCOME_BY_NAME))
}


def column_rank(name: str) -> int:
    """Place of a column in the order of the schema; custom columns come last."""
    return _RANK.get(name, len(_RANK))


def custom_kind(data_type: pa.DataType) -> Kind | None:
    """How a custom column of this Arrow type (of an element, for a list) is held, if it can be."""
    if pa.types.is_dictionary(data_type):
        data_type = data_type.value_type
    if pa.types.is_string(data_type) or pa.types.is_large_string(data_type):
        return Kind.CATEGORY
    if pa.types.is_boolean(data_type):
        return Kind.FLAG
    if pa.types.is_integer(data_type):
        return Kind.INTEGER
    return Kind.NUMBER if pa.types.is_floating(data_type) else None


def arrow_type(name: str, kind: Kind | None) -> pa.DataType:
    """Arrow type of any column: known by its name, or custom and of the given kind."""
    known = column_type(name)
    if known is not None:
        return known
    inner = ARROW_TYPES[kind or Kind.CATEGORY]
    return pa.list_(inner) if name.startswith(ELIGIBLE_PREFIX) else inner


def own_kinds(schema: pa.Schema) -> dict[str, Kind]:
    """Kinds of the custom columns of a schema, for formats that have no types."""
    found = {}
    for field in schema:
        is_list = pa.types.is_list(field.type)
        kind = custom_kind(field.type.value_type if is_list else field.type)
        if is_custom(field.name) and kind is not None:
            found[field.name] = kind
    return found


def is_custom(name: str) -> bool:
    """Whether a name is that of a column which the user adds, in the context or per action."""
    per_action = name.startswith(ELIGIBLE_PREFIX) and name not in REQUIRED | PROPENSITY
    return name.startswith(CUSTOM_PREFIX) or per_action


def check_columns(names: Iterable[str], where: str) -> None:
    """Raise a UserError unless the required columns are there and all others have a known name."""
    found = list(names)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise UserError(f"{where}: column(s) {', '.join(twice)} stand more than once in the file")
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise UserError(
            f"{where}: not an attempt log: column(s) {', '.join(missing)} missing. "
            "Bring a foreign file into the form with: authopt log import"
        )
    unknown = [name for name in found if column_type(name) is None and not is_custom(name)]
    if unknown:
        raise UserError(
            f"{where}: unknown column(s) {', '.join(unknown)}. Name your own context columns "
            f"{CUSTOM_PREFIX}..., your own columns per action {ELIGIBLE_PREFIX}..."
        )


def metadata(source: PropensitySource) -> dict[bytes, bytes]:
    """Metadata of the file: version of the schema and where the propensities come from."""
    return {VERSION_KEY: str(SCHEMA_VERSION).encode(), PROPENSITY_KEY: source.value.encode()}


def check_version(found: dict[bytes, bytes] | None, where: str) -> None:
    """Raise a UserError if the file was written by a newer schema than this program knows."""
    version = (found or {}).get(VERSION_KEY, str(SCHEMA_VERSION).encode())
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise UserError(
            f"{where}: attempt log of version {version.decode(errors='replace')}; this authopt "
            f"reads up to version {SCHEMA_VERSION}. Upgrade authopt."
        )


def propensity_source(found: dict[bytes, bytes] | None, has_propensity: bool) -> PropensitySource:
    """Where the propensities of a file come from, by its metadata or else by its columns.

    A source that this program does not know counts as unknown.
    """
    if not has_propensity:
        return PropensitySource.UNKNOWN
    text = (found or {}).get(PROPENSITY_KEY, PropensitySource.LOGGED.value.encode())
    known = {source.value.encode(): source for source in PropensitySource}
    return known.get(text, PropensitySource.UNKNOWN)
