"""Whether a webhook comes from whom it says: HMACs, compared in constant time.

A secret may be one of several, so that it can be changed without losing what was signed before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

WINDOW_S = 300
"""How far the time of a signed webhook may be from ours: Stripe's own default
(docs.stripe.com/webhooks)."""

_ADYEN = (
    ("pspReference",),
    ("originalReference",),
    ("merchantAccountCode",),
    ("merchantReference",),
    ("amount", "value"),
    ("amount", "currency"),
    ("eventCode",),
    ("success",),
)
"""What Adyen signs, in this order, joined by colons; what is missing counts as empty
(docs.adyen.com/development-resources/webhooks/verify-hmac-signatures)."""


def timestamped(header: str, body: bytes, secrets: Sequence[str], now_s: float) -> bool:
    """Of ``t=SECONDS,v1=HEX``: the HMAC-SHA256 of ``SECONDS.BODY``, made within the window.

    Parameters
    ----------
    header
        may hold several ``v1``, of several secrets.
    body
        as it was sent.
    secrets
        any of them may have signed.
    now_s
        seconds since 1970.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 16):
        return False
    if abs(now_s - int(times[0])) > WINDOW_S:
        return False
    signed = times[0].encode() + b"." + body
    return any(_is_one_of(_digest(secret, signed).hex(), signatures) for secret in secrets)


def hex_of_body(header: str, body: bytes, secrets: Sequence[str]) -> bool:
    """The HMAC-SHA256 of the body in hexadecimal digits; it says nothing of the time."""
    given = [header.strip().lower()]
    return any(_is_one_of(_digest(secret, body).hex(), given) for secret in secrets)


def adyen(item: Mapping[str, Any], secrets: Sequence[str]) -> bool:
    """``additionalData.hmacSignature`` of one notification; keys are hexadecimal digits."""
    more = item.get("additionalData")
    given = more.get("hmacSignature") if isinstance(more, Mapping) else None
    if not isinstance(given, str):
        return False
    signed = ":".join(_text(item, path) for path in _ADYEN).encode()
    found = False
    for secret in secrets:
        try:
            key = bytes.fromhex(secret)
        except ValueError:
            continue
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        found |= _is_one_of(base64.b64encode(digest).decode(), [given])
    return found


def is_adyen_secret(secret: str) -> bool:
    """Whether a secret has the form of one of Adyen's."""
    try:
        return bool(binascii.unhexlify(secret))
    except (binascii.Error, ValueError):
        return False


def _text(item: Mapping[str, Any], path: Sequence[str]) -> str:
    value: Any = item
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _digest(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def _is_one_of(expected: str, given: Sequence[str]) -> bool:
    return any(hmac.compare_digest(expected.encode(), each.encode()) for each in given)
