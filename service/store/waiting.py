"""One request that waits for its records to be on disk."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from service.store.records import Kept, Record


class Waiting:
    """Records on their way from the thread that asked to the one that writes, and back.

    Bare locks, since a future with its condition costs ten times as much, once per request.

    Parameters
    ----------
    records
        to be written in the same transaction.
    """

    __slots__ = ("_answered", "_claimed", "fault", "kept", "records")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.kept: list[Kept] = []
        self.fault: str | None = None
        self._claimed = Lock()
        self._answered = Lock()
        self._answered.acquire()

    def claim(self) -> bool:
        """For the writer, before it begins, or for the one who asked and gives up: who is first."""
        return self._claimed.acquire(blocking=False)

    def answer(self, kept: list[Kept], fault: str | None = None) -> None:
        """Say what became of the records; once."""
        self.kept = kept
        self.fault = fault
        self._answered.release()

    def wait(self, seconds: float) -> bool:
        """Whether the answer has come in time; may be called again."""
        if not self._answered.acquire(timeout=seconds):
            return False
        self._answered.release()
        return True
