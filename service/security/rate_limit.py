"""How many requests a key may make: a token bucket for each, in each worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimits:
    """Buckets by key. Workers do not speak of them: each grants its part of what a key may do.

    A bucket holds what a second grants, and at least one request; so a burst of that size is served
    at once. Where the kernel spreads connections unevenly, a key gets less than it may, never more.

    Parameters
    ----------
    workers
        processes that share the limits.
    clock
        seconds, never going back.
    """

    def __init__(self, workers: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, key_id: str, per_second: float) -> float:
        """Take one request of a key: 0 if it is granted, else the seconds until one would be."""
        rate = per_second / self._workers
        most = max(1.0, rate)
        now = self._clock()
        with self._lock:
            left, since = self._left.get(key_id, (most, now))
            left = min(most, left + (now - since) * rate)
            granted = left >= 1.0
            self._left[key_id] = (left - 1.0 if granted else left), now
        return 0.0 if granted else (1.0 - left) / rate
