"""Refuse a body in which an object has a key twice: nobody can say which value is meant."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from service.api.problems import FieldError, Problem

_MESSAGE = "stands more than once in the same object"
_LONGEST_NAME = 64


def refuse_duplicate_keys(body: bytes, plain: Any) -> None:
    """Check the bytes of a body against what was decoded from them, where the last value won.

    Raises
    ------
    Problem
        422, naming the key.
    """
    # A colon follows every key: no more colons than keys, and none was overwritten. Colons within
    # strings, such as those of a time, only make the second look necessary.
    if body.count(b":") == _count_keys(plain):
        return
    try:
        json.loads(body, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except RecursionError:
        why = "nested too deeply"
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is {why}", FieldError("body", why)) from (
            None
        )


def _count_keys(plain: Any) -> int:
    count = 0
    waiting = [plain]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += len(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return count


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            shown = name[:_LONGEST_NAME]
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{shown} {_MESSAGE}",
                FieldError(shown or "(key)", _MESSAGE),
            )
        found[name] = value
    return found
