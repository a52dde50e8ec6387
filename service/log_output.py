"""How the service's log lines look: to standard error, never with a card number or a key's secret.

As text for people, or as one JSON object a line for machines.
"""

from __future__ import annotations

import logging
import unicodedata
from datetime import UTC, datetime

import msgspec

from authopt.card_numbers import redact
from service.security.key_text import hide_secrets

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")

_ENCODER = msgspec.json.Encoder()


def clean(text: str) -> str:
    """``text`` without whatever looks like a card number, in any script, or a key's secret."""
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(letter, letter)) for letter in text)
    return hide_secrets(redact(text))


class _Text(logging.Formatter):
    """Cleans the whole line, traceback and all."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


class _Json(logging.Formatter):
    """One object a line: time (UTC), level, logger, message and, of an error, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "thread": record.threadName,
            "message": clean(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = clean(self.formatException(record.exc_info))
        return _ENCODER.encode(line).decode()


def formatter(style: str) -> logging.Formatter:
    """The formatter of one of :data:`FORMATS`."""
    if style == "json":
        return _Json()
    return _Text("%(asctime)s %(levelname)s %(name)s: %(message)s")


def start_logging(level: str, style: str = "text") -> None:
    """Log to standard error from a level on, one of :data:`LEVELS`, in one of :data:`FORMATS`."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=level.upper(), handlers=[handler])
