"""Refuse a request that holds a card number anywhere, before anything else looks at it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus

from authopt.card_numbers import contains_card_number
from service.api.problems import FieldError, Problem

_MESSAGE = "looks like a card number; send the BIN (6 to 8 digits) and an opaque reference instead"
_HEADERS = ("HTTP_", "CONTENT_")
_WITH_FILES = "multipart/form-data"
_SHORTEST = 13
_SMALLEST = 10 ** (_SHORTEST - 1)
# Digits as 0 without what people put between them: a long run of them, or an exponent, whose digits
# do not all stand there, is worth a search. Hundreds of times faster than a pattern.
_AS_ZEROS = bytes.maketrans(b"123456789E", b"000000000e")
_BETWEEN = b" -."
_LONG = b"0" * _SHORTEST
_EXPONENTS = b"0e0", b"0e+"


def refuse_in_head(environ: Mapping[str, Any], path: str, query: bytes) -> None:
    """Check the address, the query and the values of the headers.

    Parameters
    ----------
    environ
        of the request, as WSGI has it.
    path, query
        decoded, and as it was sent.

    Raises
    ------
    Problem
        422, naming where the card number stands.
    """
    # The environment, since the headers made of it cost as much again as the check.
    values = [value for key, value in environ.items() if key.startswith(_HEADERS)]
    head = "\n".join([path, *values])
    if not query and head.isascii() and not _may_hold_any(head.encode()):
        return
    if query and _suspect(unquote_plus(query.decode("latin-1"))):
        raise _refusal("query")
    if _suspect(path):
        raise _refusal("path")
    for key, value in environ.items():
        if key == "CONTENT_TYPE" and value.startswith(_WITH_FILES):
            # A form's boundary is drawn by the browser, often of digits, and is kept nowhere.
            value = value.partition("boundary=")[0]
        if key.startswith(_HEADERS) and len(value) >= _SHORTEST and _suspect(value):
            name = key.removeprefix("HTTP_").replace("_", "-").title()
            raise _refusal("header" if _suspect(name) else f"header {name}")


def refuse_in_body(text: bytes, body: Any) -> None:
    """Check every string, number and key of a JSON body.

    Parameters
    ----------
    text
        as it was sent.
    body
        decoded.

    Raises
    ------
    Problem
        422, naming the field.
    """
    # Neither escapes nor digits of other scripts: what is written is what it says.
    if text.isascii() and b"\\" not in text and not _may_hold_any(text):
        return
    # A list instead of recursion: how deep a body is nested is up to its sender.
    waiting: list[tuple[str, Any]] = [("", body)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                if len(key) >= _SHORTEST and _suspect(key):
                    raise _refusal(f"{path}.(key)".lstrip("."))
                if _worth_a_look(item):
                    waiting.append((f"{path}.{key}".lstrip("."), item))
        elif isinstance(value, list):
            waiting += [(f"{path}[{at}]", item) for at, item in enumerate(value)]
        elif _suspect(_digits(value)):
            raise _refusal(path or "body")


def _may_hold_any(text: bytes) -> bool:
    """Whether ASCII text could hold a card number, or a JSON number that is one."""
    zeros = text.translate(_AS_ZEROS, _BETWEEN)
    return _LONG in zeros or _EXPONENTS[0] in zeros or _EXPONENTS[1] in zeros


def _worth_a_look(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) >= _SHORTEST
    if isinstance(value, int | float):
        return bool(abs(value) >= _SMALLEST)
    return value is not None


def _digits(value: Any) -> str:
    if isinstance(value, float):
        # The digits behind the point are a measurement's, not a card's.
        return f"{value:.0f}" if value.is_integer() else ""
    return str(value) if isinstance(value, str | int) else ""


def _suspect(text: str) -> bool:
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(letter, letter)) for letter in text)
    return contains_card_number(text)


def _refusal(field: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{field[:64]} {_MESSAGE}. Nothing of the request was kept.",
        FieldError(field[:64], _MESSAGE),
    )
