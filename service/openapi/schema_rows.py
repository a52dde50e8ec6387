"""A schema as rows of a table: name, type, whether it must be there, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_DEEPEST = 4
_UNBOUNDED = 2**53


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """One property; ``name`` is its path, such as ``actions[].route``."""

    name: str
    kind: str
    required: bool
    about: str


def rows_of(schema: dict[str, Any], schemas: dict[str, Any]) -> list[SchemaRow]:
    """The properties of a schema and of those within it, in their order."""
    return list(_rows(schema, schemas, "", 0))


def _rows(
    schema: dict[str, Any], schemas: dict[str, Any], above: str, depth: int
) -> Iterator[SchemaRow]:
    schema = _followed(schema, schemas)
    if schema.get("type") == "array":
        yield from _rows(schema["items"], schemas, f"{above}[]", depth)
        return
    required = schema.get("required", [])
    for name, given in schema.get("properties", {}).items():
        path = f"{above}.{name}".lstrip(".")
        inner = _inner(given, schemas)
        yield SchemaRow(path, _kind(given, schemas), name in required, given.get("description", ""))
        if depth < _DEEPEST:
            if inner.get("type") == "array":
                yield from _rows(inner["items"], schemas, f"{path}[]", depth + 1)
            elif "properties" in inner:
                yield from _rows(inner, schemas, path, depth + 1)
    for pattern in schema.get("patternProperties", {}):
        path = f"{above}.{pattern.strip('^$')}".lstrip(".")
        yield SchemaRow(path, "string, number, boolean or null", False, "your own")


def _followed(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema


def _inner(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """What is left of a schema when it may also be null."""
    schema = _followed(schema, schemas)
    options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    return _followed(options[0], schemas) if len(options) == 1 else schema


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    followed = _followed(schema, schemas)
    if "anyOf" in followed:
        return " or ".join(dict.fromkeys(_kind(one, schemas) for one in followed["anyOf"]))
    if "enum" in followed:
        return " | ".join(str(value) for value in followed["enum"])
    kind = followed.get("type", "any")
    if kind == "array":
        return f"list of {_kind(followed['items'], schemas)}"
    text = followed.get("format") or kind
    return f"{text}{_bounds(followed)}"


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    told = [
        f"{word} {bound:,}"
        for word, bound in (("from", low), ("to", high))
        if bound is not None and abs(bound) < _UNBOUNDED
    ]
    if "maxLength" in schema:
        told.append(f"up to {schema['maxLength']} characters")
    return f", {' '.join(told)}" if told else ""
