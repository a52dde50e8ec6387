"""The OpenAPI 3.1 description, from the structs of the bodies and the table of operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from authopt import __version__
from service.api.action_features import MAX_FEATURES
from service.api.problems import PROBLEM_JSON, ProblemBody
from service.openapi.context_schema import context_schema, features_schema
from service.openapi.meanings import MEANINGS
from service.openapi.operation import Operation, Parameter
from service.openapi.operations import OPERATIONS

JSON = "application/json"
_REF = "#/components/schemas/{name}"
_PROBLEM = {"$ref": _REF.format(name="ProblemBody")}
_ABOUT = (
    "Which route to try for a card payment, and when. Errors are problems (RFC 9457) that name "
    "the field and repeat no value. Card numbers are refused wherever they stand."
)
_MEANING = {
    400: "the body is no JSON",
    401: "the key is missing or not good",
    403: "the key may not do this",
    404: "there is no such thing",
    409: "this does not fit what is there",
    413: "the body is too large",
    414: "the address is too long",
    415: "the body is of another type than application/json",
    422: "a value is unsound, or looks like a card number",
    429: "the key has used up what it may; see Retry-After",
    431: "the headers are too large",
    503: "this cannot be done now; send it again",
}


def description(operations: Sequence[Operation] = OPERATIONS) -> dict[str, Any]:
    """The whole document, as plain values."""
    bodies = [each.request for each in operations if each.request is not None]
    answers = [each.answer for each in operations if each.answer is not None]
    types = [*bodies, *answers, ProblemBody]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    of_type = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, of_type)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "authopt", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {}],
        "tags": [{"name": name} for name in dict.fromkeys(each.group for each in operations)],
        "paths": paths,
        "components": {
            "schemas": {name: _refined(name, schema) for name, schema in components.items()},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "ak_<key_id>_<secret>",
                    "description": "An API key (authopt keys create). A service without any key "
                    "is open.",
                }
            },
        },
    }
    return dict(_portable(document))


def _operation(each: Operation, of_type: dict[str, Any]) -> dict[str, Any]:
    needs = "Needs no key." if each.scope is None else f"Needs a key with the scope `{each.scope}`."
    answer: dict[str, Any] = {"description": "done"}
    if each.answer is not None:
        content: dict[str, Any] = {"schema": of_type[str(each.answer)]}
        if each.answer_example is not None:
            content["example"] = each.answer_example
        answer["content"] = {each.media: content}
    else:
        answer["content"] = {each.media: {"schema": {"type": "string"}}}
    told: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.group],
        "summary": each.summary,
        "description": f"{each.about} {needs}".strip(),
        "security": [{}] if each.scope is None else [{"key": []}],
        "responses": {str(each.status): answer, **dict(_refusals(each))},
    }
    if each.parameters:
        told["parameters"] = [_parameter(one) for one in each.parameters]
    if each.request is not None:
        body: dict[str, Any] = {"schema": of_type[str(each.request)]}
        if each.example is not None:
            body["example"] = each.example
        told["requestBody"] = {"required": True, "content": {JSON: body}}
    return told


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": one.place,
        "description": one.about,
        "required": one.place == "path",
        "schema": one.schema,
    }


def _refusals(each: Operation) -> Iterator[tuple[str, Any]]:
    statuses = {414, 422, 431, *each.problems}
    if each.scope is not None:
        statuses |= {401, 403, 429}
    if each.request is not None:
        statuses |= {400, 413, 415}
    for status in sorted(statuses):
        meaning = _MEANING.get(status, HTTPStatus(status).phrase)
        yield (
            str(status),
            {"description": meaning, "content": {PROBLEM_JSON: {"schema": _PROBLEM}}},
        )


def _refined(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """With what the endpoints check beyond the struct."""
    if name == "OutcomeRequest":
        # A decision_id alone says nothing of the outcome.
        schema = schema | {"minProperties": 2}
    properties = {
        key: value if "description" in value or key not in MEANINGS else _told(key, value)
        for key, value in schema.get("properties", {}).items()
    }
    if "context" in properties:
        properties = properties | {"context": context_schema()}
    if "features" in properties:
        properties = properties | {"features": features_schema(MAX_FEATURES)}
    return schema | ({"properties": properties} if properties else {})


def _told(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"description": MEANINGS[key]}


def _portable(value: Any) -> Any:
    """Patterns as ECMA 262 writes them: Python's ends of a string are unknown there."""
    if isinstance(value, dict):
        return {
            key: item.replace("\\A", "^").replace("\\Z", "$")
            if key == "pattern" and isinstance(item, str)
            else _portable(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value]
    return value
