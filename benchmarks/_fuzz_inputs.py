"""Requests for the fuzz: the examples of the description, damaged; and card numbers to put in."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from authopt.card_numbers import passes_luhn
from service.openapi.operation import Operation
from service.openapi.operations import OPERATIONS

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
CONTENT_TYPES = ("application/json",) * 6 + ("text/plain", "", "application/json; charset=x", "*")
_BROKEN = (
    b"NaN", b"-Infinity", b"1e999", b"-0", b"1" * 400, b'"\\u0000"', b'"\\ud800"', b"\xff\xfe",
    b"\xc0\x80", b"[" * 3000, b'{"a":' * 500, b'"' + b"a" * 5000 + b'"', b"null", b"{}", b"[]",
    b'"attempt":1,"attempt":2,', b"true", b"9007199254740993", b'"2026-13-45T99:99:99Z"', b"\x00",
    b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59.999999999+14:00"', b"\xef\xbb\xbf", b",",
)  # fmt: skip
_APART = (" ", "-", "/", "_", "x", "#", ", ")
_PREFIXES = (("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("36", 14), ("6011", 16), ("62", 19))


@dataclass(frozen=True, slots=True)
class Raw:
    """A request as it is sent."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def card_number(draw: random.Random) -> str:
    """A number that could be of a card."""
    prefix, length = draw.choice(_PREFIXES)
    body = prefix + "".join(draw.choices("0123456789", k=length - 1 - len(prefix)))
    return next(f"{body}{check}" for check in range(10) if passes_luhn(f"{body}{check}"))


@cache
def bodies() -> tuple[tuple[Operation, bytes], ...]:
    """An example of every operation, empty where it has none."""
    return tuple(
        (each, b"" if each.request is None else json.dumps(each.example or {}).encode())
        for each in OPERATIONS
    )


def raw_request(draw: random.Random, pan: str | None) -> Raw:
    """A damaged request; ``pan`` stands somewhere in it."""
    operation, body = draw.choice(bodies())
    path = operation.path.replace("{", "").replace("}", "")
    headers = {"Content-Type": draw.choice(CONTENT_TYPES)}
    method = draw.choice(METHODS) if draw.random() < 0.05 else operation.method
    data = bytearray(_renamed(body, draw))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 8))):
        _damage(data, draw)
    if draw.random() < 0.2:
        name, value = _header(draw)
        headers[name] = value
    if draw.random() < 0.1:
        path += draw.choice(
            ("?after=-1", "?limit=9e9", "?%00=%ff", "/", "/..%2f..", "?kind=%C3%28")
        )
    if pan is not None:
        place = draw.randrange(4)
        if place == 0:
            path += f"?card={pan}"
        elif place == 1:
            headers["X-Note"] = f"card {pan}"
        else:
            at = draw.randrange(len(data) + 1)
            # Apart from other digits by something that a number in JSON cannot have.
            apart = draw.choice(_APART)
            data[at:at] = f'"{pan}"'.encode() if place == 2 else f"{apart}{pan}{apart}".encode()
    return Raw(method, path, bytes(data), headers)


def _renamed(body: bytes, draw: random.Random) -> bytes:
    """With an id that few others have, so that most decisions are new."""
    return body.replace(b"d-700", b"f-%d-" % draw.randrange(10**6))


def _header(draw: random.Random) -> tuple[str, str]:
    value: Any = draw.choice(("", "-1", "0", "1", "x" * 200, "1e3", "99999999999", "\x7f", "é"))
    name = draw.choice(
        ("Idempotency-Key", "X-Deadline-Ms", "Authorization", "Accept", "Content-Encoding", "Range")
    )
    return name, value


def _damage(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.randrange(1, 12))
    kind = draw.randrange(6)
    if kind == 0:
        data[at:end] = b""
    elif kind == 1:
        data[at:at] = draw.choice(_BROKEN)
    elif kind == 2:
        data[at:end] = draw.choice(_BROKEN)
    elif kind == 3:
        data[at:at] = data[at:end]
    elif kind == 4 and data:
        data[draw.randrange(len(data))] = draw.randrange(256)
    else:
        del data[at:]
