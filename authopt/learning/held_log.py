"""A log that is read several times: from its file once, where it fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from authopt.batch import Categorical, LoggedBatch

MOST_BYTES = 512 << 20
"""What is held at most: about 1.5 million decisions of five actions."""


@dataclass(slots=True, eq=False)
class HeldLog:
    """Reads the log's chunks from its start as often as asked.

    Decoding and checking a log again costs as much as the first time. What the first reading gave
    is kept where all of it fits; of a longer log nothing is kept, and it is read from its file each
    time.

    Attributes
    ----------
    read
        gives the chunks of the log.
    most_bytes
        that are held.
    """

    read: Callable[[], Iterable[LoggedBatch]]
    most_bytes: int = MOST_BYTES
    _held: list[LoggedBatch] | None = field(default=None, init=False)
    _too_long: bool = field(default=False, init=False)

    def batches(self) -> Iterator[LoggedBatch]:
        """The log, chunk by chunk."""
        if self._held is not None:
            yield from self._held
            return
        kept: list[LoggedBatch] = []
        size = 0
        for batch in self.read():
            if not self._too_long:
                size += _bytes_of(batch)
                kept.append(batch)
                if size > self.most_bytes:
                    self._too_long = True
                    kept.clear()
            yield batch
        # Only a reading that went to the end saw all of the log.
        if not self._too_long:
            self._held = kept


def _bytes_of(batch: LoggedBatch) -> int:
    return sum(_size(getattr(batch, each.name)) for each in fields(batch))


def _size(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_size(each) for each in value.values())
    if isinstance(value, Categorical):
        return int(value.codes.nbytes)
    return int(getattr(value, "nbytes", 0))
