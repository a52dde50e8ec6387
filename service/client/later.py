"""What could not be sent: kept in memory, and sent by a thread until it arrives."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from service.client.decision import Refused, Unavailable

_log = logging.getLogger(__name__)

Send = Callable[[], None]


class Later:
    """A queue of calls that may be made more than once, in their order.

    It is lost with the process. When it is full, the oldest call is given up.

    Parameters
    ----------
    most
        calls that it holds.
    every_s
        seconds between two tries.
    """

    def __init__(self, most: int = 10_000, every_s: float = 2.0) -> None:
        self.given_up = 0
        self._most = most
        self._every_s = every_s
        self._waiting: deque[Send] = deque()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, send: Send) -> None:
        """Send this as soon as it goes."""
        with self._lock:
            if len(self._waiting) == self._most:
                self._waiting.popleft()
                self.given_up += 1
            self._waiting.append(send)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="authopt-client", daemon=True
                )
                self._thread.start()

    def flush(self) -> int:
        """Try now; how many still wait."""
        with self._sending:
            for _ in range(len(self._waiting)):
                try:
                    send = self._waiting[0]
                except IndexError:
                    break
                try:
                    send()
                except Unavailable:
                    break
                except Refused as error:
                    self.given_up += 1
                    _log.error("a report was refused and is given up: %s", error)
                with self._lock:
                    if self._waiting and self._waiting[0] is send:
                        self._waiting.popleft()
        return len(self._waiting)

    def close(self) -> int:
        """Try once more and stop; how many were not sent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        return self.flush()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            if self._waiting:
                self.flush()
