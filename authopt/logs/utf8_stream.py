"""A stream of bytes that is UTF-8 throughout, so that one bad byte costs one row, not the file."""

from __future__ import annotations

import codecs
import io
from typing import IO

from authopt.logs.csv_cells import ESCAPE

_ERRORS = "authopt.escape"


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return "".join(f"{ESCAPE}{byte:02x}" for byte in wrong), error.end


codecs.register_error(_ERRORS, _escape)


class Utf8Stream(io.RawIOBase):
    """The bytes of another stream, with ``ESCAPE`` and two digits for a byte that is not UTF-8."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")(_ERRORS)
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        wanted = size if size >= 0 else 1 << 62
        while len(self._left) < wanted and not self._ended:
            raw = self._stream.read(1 << 20)
            self._ended = not raw
            self._left += self._decoder.decode(raw, self._ended).encode()
        taken, self._left = self._left[:wanted], self._left[wanted:]
        return taken
