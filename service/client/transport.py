"""Requests over HTTP with one limit of time over all tries, on connections that stay open.

Built on ``http.client``: the standard library has all that is needed here (one connection per
thread, time-outs), and a further package would have to be installed, watched and updated in the
process that takes payments.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
import zlib
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from service.client.decision import Refused, Unavailable

_BACKOFF_S = 0.02
_AGAIN = frozenset({429, 502, 503, 504})
_SERVICE_SHARE = 0.8
_LARGEST_ANSWER = 16 * 1024 * 1024


class Transport:
    """Sends JSON to one service.

    Parameters
    ----------
    url
        such as ``https://authopt.internal:8000``.
    key
        API key, or None where the service asks for none.
    retries
        further tries after the first.
    """

    def __init__(self, url: str, key: str | None, retries: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError(f"{url!r} is no address of a service; expected http(s)://host[:port]")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._retries = retries
        self._local = threading.local()

    def post(self, path: str, body: Mapping[str, Any], within_s: float) -> Any:
        """The answer to a body that may be sent more than once.

        Parameters
        ----------
        within_s
            seconds for all tries together.

        Raises
        ------
        Unavailable
            If no try brought an answer in time.
        Refused
            If the service will not answer this.
        """
        data = json.dumps(body).encode()
        end = time.monotonic() + within_s
        why = "no time was left"
        for number in range(self._retries + 1):
            left_s = end - time.monotonic()
            if left_s <= 0.0:
                break
            wait_s = _BACKOFF_S * 2**number * (0.5 + _share(data, number))
            try:
                status, headers, text = self._send(path, data, left_s)
            except (OSError, HTTPException) as error:
                self._drop()
                why = f"{type(error).__name__}: {error}"
            else:
                if status < 400:
                    return _decoded(text)
                if status < 500 and status not in _AGAIN:
                    raise Refused(status, _problem(text))
                why = f"the service answered {status}"
                if status not in _AGAIN:
                    break
                wait_s = max(wait_s, _seconds(headers.get("retry-after")))
            if number == self._retries or time.monotonic() + wait_s >= end:
                break
            time.sleep(wait_s)
        raise Unavailable(f"{path}: {why}")

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def _send(self, path: str, data: bytes, left_s: float) -> tuple[int, dict[str, str], bytes]:
        end = time.monotonic() + left_s
        connection = self._connection(left_s)
        # The service is told to be done before this side gives up.
        limit = {"X-Deadline-Ms": str(min(100_000, max(1, int(left_s * 1000 * _SERVICE_SHARE))))}
        connection.request("POST", self._base + path, data, self._headers | limit)
        assert connection.sock is not None
        connection.sock.settimeout(max(0.001, end - time.monotonic()))
        answer = connection.getresponse()
        text = answer.read(_LARGEST_ANSWER)
        headers = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            self._drop()
        return answer.status, headers, text

    def _connection(self, left_s: float) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._secure:
                context = ssl.create_default_context()
                connection = HTTPSConnection(
                    self._host, self._port, timeout=left_s, context=context
                )
            else:
                connection = HTTPConnection(self._host, self._port, timeout=left_s)
            self._local.connection = connection
        elif connection.sock is not None:
            connection.sock.settimeout(left_s)
        else:
            connection.timeout = left_s
        return connection

    def _drop(self) -> None:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def _share(data: bytes, number: int) -> float:
    """A number from 0 to 1 that differs by request, so that clients do not come back at once."""
    return zlib.crc32(data, number) / 2**32


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Unavailable("the answer is no JSON; is this address the service's?") from None


def _problem(text: bytes) -> Mapping[str, Any]:
    try:
        problem = json.loads(text)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
