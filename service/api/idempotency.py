"""Which decision a request is about, by its body or by the header ``Idempotency-Key``."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from service.api.forms import DecisionRequest
from service.api.problems import FieldError, Problem
from service.settings import MAX_NAME

HEADER = "Idempotency-Key"

_USED = "was used before for another request"
_FIELD = f"header {HEADER}"


def key_of(given: str | None, longest: int = MAX_NAME) -> str | None:
    """The key in a header, with or without the quotes of draft-ietf-httpapi-idempotency-key-header.

    Raises
    ------
    Problem
        422 if it could not be a decision id.
    """
    if given is None:
        return None
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 0 < len(key) <= longest or not (key.isascii() and key.isprintable()):
        raise _refused(_FIELD, f"expected 1 to {longest} printable ASCII characters")
    return key


def identified(request: DecisionRequest, key: str | None) -> DecisionRequest:
    """The request with the key as its decision id, where it names none itself.

    Raises
    ------
    Problem
        422 if it names another one.
    """
    if key is None or request.decision_id == key:
        return request
    if request.decision_id is not None:
        raise _refused(_FIELD, "differs from decision_id; give one of them, or the same twice")
    return msgspec.structs.replace(request, decision_id=key)


def used_before() -> Problem:
    """The refusal of another request under an id that was used."""
    return _refused("decision_id", _USED)


def _refused(field: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{field} {message}", FieldError(field, message)
    )
