"""The text of an API key: ``ak_<key_id>_<secret>``."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

_SECRET_BYTES = 32
_ID_BYTES = 6
_KEY = re.compile(r"ak_(?P<key_id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
_IN_TEXT = re.compile(r"ak_(?P<key_id>[0-9a-f]{1,12})(?:_[A-Za-z0-9_-]*)?")


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key in its two halves.

    Attributes
    ----------
    key_id
        the public half, by which a key is looked up and spoken of.
    secret
        256 random bits in base64url.
    """

    key_id: str
    secret: str

    @property
    def sha256(self) -> str:
        """What is kept of the secret. No salt and no slow hash: 256 bits cannot be guessed."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def __str__(self) -> str:
        return f"ak_{self.key_id}_{self.secret}"

    def __repr__(self) -> str:
        return f"KeyText(key_id={self.key_id!r})"


def new_key() -> KeyText:
    """A key that nobody has seen."""
    return KeyText(secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES))


def read_key(text: str) -> KeyText | None:
    """The halves of a key; None if the text is none."""
    found = _KEY.fullmatch(text)
    return None if found is None else KeyText(found["key_id"], found["secret"])


def hide_secrets(text: str) -> str:
    """``text`` with the secret half of every key replaced by ``[secret]``."""
    if "ak_" not in text:
        return text
    return _IN_TEXT.sub(lambda found: f"ak_{found['key_id']}_[secret]", text)
