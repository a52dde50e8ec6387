"""From the bytes of a body to a checked struct, with errors that name the field."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from flask import Request

from service.api.card_guard import refuse_in_body
from service.api.duplicate_keys import refuse_duplicate_keys
from service.api.problems import FieldError, Problem

T = TypeVar("T", bound=msgspec.Struct)

_JSON = "application/json"
_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_FIELD = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`")
_LONGEST_NAME = 64


def read_body(request: Request, form: type[T]) -> T:
    """The body of a request as a struct.

    Raises
    ------
    Problem
        415 if it is not JSON by its content type, 400 if it cannot be decoded, 422 if it holds a
        card number or a key twice, or does not fit the struct.
    """
    return fitted(plain_body(request), form)


def plain_body(request: Request) -> Any:
    """The body of a request as plain JSON values, which may be anything still.

    Raises
    ------
    Problem
        As for :func:`read_body`, but for the struct.
    """
    # Most say it plainly; taking the header apart costs more than reading the body.
    if request.environ.get("CONTENT_TYPE") != _JSON and request.mimetype != _JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected a body of the type {_JSON}")
    return plain_of(request.get_data(cache=False))


def plain_of(body: bytes) -> Any:
    """A body as plain JSON values, which may be anything still.

    Raises
    ------
    Problem
        400 if it cannot be decoded, 422 if it holds a card number or a key twice.
    """
    try:
        plain = msgspec.json.decode(body)
    except RecursionError:
        raise _unreadable("nested too deeply") from None
    except UnicodeDecodeError:
        raise _unreadable("not UTF-8") from None
    except msgspec.DecodeError as error:
        # The decoder names the kind of fault and the byte, never the text.
        raise _unreadable(str(error)) from None
    refuse_in_body(body, plain)
    refuse_duplicate_keys(body, plain)
    return plain


def fitted(plain: Any, form: type[T]) -> T:
    """Plain JSON values as a struct.

    Raises
    ------
    Problem
        422 if they do not fit it.
    """
    try:
        return msgspec.convert(plain, form)
    except msgspec.ValidationError as error:
        fault = _fault(str(error))
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{fault.field}: {fault.message}", fault
        ) from None


def _unreadable(why: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {why}", FieldError("body", why))


def _fault(message: str) -> FieldError:
    """A field error from what msgspec says, such as ``Expected `int`, got `str` - at `$.a```."""
    where = _WHERE.search(message)
    path = where["path"] if where else ""
    text = _WHERE.sub("", message)
    named = _FIELD.match(text)
    if named:
        path = f"{path}.{named['name']}".lstrip(".")
        text = "is missing" if "missing" in text else "is not known"
    return FieldError(path[:_LONGEST_NAME] or "body", text[: 4 * _LONGEST_NAME])
