"""How the service's log lines look: to standard error, and never with a card number in them."""

from __future__ import annotations

import logging

from authopt.card_numbers import redact

LEVELS = ("debug", "info", "warning", "error")


class _Redacting(logging.Formatter):
    """Takes card numbers out of the whole line, traceback and all."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def start_logging(level: str) -> None:
    """Log to standard error from a level on, one of :data:`LEVELS`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
