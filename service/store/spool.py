"""A local file that takes the records while the store cannot, and gives them to it later."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from service.store.records import DecisionRecord, Kept, Key, Record
from service.tenants import DEFAULT_TENANT

_log = logging.getLogger(__name__)
_DECODER = msgspec.json.Decoder(Record)
_PART = 500

LOOK_EVERY_S = 0.01


class Spool:
    """Records as lines of JSON, appended and on disk when :meth:`keep` returns.

    Processes may share it: a lock file beside it keeps them apart. A decision that is in the spool
    counts as decided: :meth:`decision` finds it, so that a repeated request gets its answer.

    Parameters
    ----------
    path
        of the file; it exists only while it holds something.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._leaving = path.with_name(path.name + ".loading")
        self._decisions: dict[Key, DecisionRecord] = {}
        self._readers: dict[int, int] = {}
        self._look_at = 0.0
        self._guard = threading.Lock()

    def decision(self, decision_id: str, tenant: str = DEFAULT_TENANT) -> DecisionRecord | None:
        """The decision that was in the spool under an id of a merchant when it was last read."""
        return self._decisions.get((tenant, decision_id))

    def of_payment(self, payment_id: str, tenant: str = DEFAULT_TENANT) -> list[DecisionRecord]:
        """The decisions of a payment that were in the spool when it was last read."""
        # A copy, as other threads add to it.
        every = list(self._decisions.values())
        return [each for each in every if (each.tenant, each.payment_id) == (tenant, payment_id)]

    @property
    def holds_any(self) -> bool:
        """Whether something waits for the store."""
        return self.path.exists() or self._leaving.exists()

    def keep(self, records: Sequence[Record]) -> list[Kept]:
        """Append records.

        Returns
        -------
        list of Kept
            one for each record, in their order.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        with self._guard, self._locked():
            self._read_on()
            new: list[Record] = []
            decided = dict[Key, DecisionRecord]()
            for record in records:
                if isinstance(record, DecisionRecord):
                    known = self._decisions.get(record.key)
                    kept = decided.setdefault(record.key, known or record)
                    if kept is not record:
                        continue
                new.append(record)
            # A torn line of an earlier failure ends at the line break that comes first.
            lines = b"".join(b"\n" + msgspec.json.encode(record) + b"\n" for record in new)
            if lines:
                is_new = not self.path.exists()
                _append(self.path, lines)
                if is_new:
                    _sync_folder(self.path.parent)
            self._decisions |= decided
        return [
            Kept(True, decided[record.key] if isinstance(record, DecisionRecord) else None)
            for record in records
        ]

    def catch_up(self) -> None:
        """Take the decisions that others have put here, so that :meth:`decision` finds them too.

        Where there were none, it looks again after 10 ms at the earliest: it is called for every
        group, and would cost a busy process its turn each time.

        Raises
        ------
        OSError
            If the file is there and cannot be read.
        """
        now = time.monotonic()
        if not self._decisions and now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        if self._decisions or self.holds_any:
            with self._guard, self._locked():
                self._read_on()

    def close(self) -> None:
        """Close what is open; it is opened again where it is needed."""
        while self._readers:
            os.close(self._readers.popitem()[1])

    def load_into(self, keep: Callable[[Sequence[Record]], list[Kept]]) -> int:
        """Move everything into the store, as :meth:`load_in_parts` does, at one go.

        Returns
        -------
        int
            how many records there were.
        """
        return sum(self.load_in_parts(keep))

    def load_in_parts(self, keep: Callable[[Sequence[Record]], list[Kept]]) -> Iterator[int]:
        """Move everything into the store; what is there already is not written again.

        Others may append meanwhile: what they append is for a later load. Where another process
        is loading already, there is nothing to do.

        Parameters
        ----------
        keep
            writes records, each once (``Store.keep``).

        Yields
        ------
        int
            how many records were moved since the last one.

        Raises
        ------
        OSError, sqlalchemy.exc.SQLAlchemyError
            If that fails; the file then stays as it was.
        """
        if not self.holds_any:
            return
        with self._leaving.with_name(self._leaving.name + ".lock").open("a") as alone:
            try:
                fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            moved = differing = 0
            # One that an earlier process had begun to load comes first.
            while self._leaving.exists() or self._set_apart():
                records = list(_read(self._leaving.read_bytes(), self._leaving))
                for start in range(0, len(records), _PART):
                    part = records[start : start + _PART]
                    differing += _differing(part, keep(part))
                    moved += len(part)
                    yield len(part)
                with self._locked():
                    self._leaving.unlink()
                    _sync_folder(self.path.parent)
            _log.warning("%s: %d spooled records are now in the store", self.path, moved)
            if differing:
                _log.error(
                    "%s: %d decisions had been made before with another answer, which stays",
                    self.path,
                    differing,
                )

    def _set_apart(self) -> bool:
        """Put the file where nobody appends to it; False if there is none."""
        with self._locked():
            if not self.path.exists():
                return False
            self.path.rename(self._leaving)
            _sync_folder(self.path.parent)
        return True

    def _read_on(self) -> None:
        """Read what has been appended since the last time; forget what the store has."""
        # An open file keeps its number, so that a later one cannot be taken for it.
        readers: dict[int, int] = {}
        for path in (self._leaving, self.path):
            try:
                number = path.stat().st_ino
            except FileNotFoundError:
                continue
            if number not in self._readers:
                self._readers[number] = os.open(path, os.O_RDONLY)
            readers[number] = self._readers.pop(number)
            for record in _read(_rest(readers[number]), path):
                if isinstance(record, DecisionRecord):
                    self._decisions.setdefault(record.key, record)
        self.close()
        self._readers = readers
        if not readers:
            self._decisions.clear()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _differing(records: Sequence[Record], kept: Sequence[Kept]) -> int:
    """How many decisions the store has with another answer: repeats while it could not be asked."""
    return sum(
        isinstance(record, DecisionRecord)
        and each.decision is not None
        and each.decision.answer != record.answer
        for record, each in zip(records, kept, strict=True)
    )


def _append(path: Path, lines: bytes) -> None:
    """Append, all or nothing; on disk when it returns."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            if file.write(lines) != len(lines):
                raise OSError(f"{path}: the disk is full")
            os.fsync(file.fileno())
        except OSError:
            # What is answered as not recorded may not turn up at the next start.
            file.truncate(size)
            raise


def _rest(handle: int) -> bytes:
    """From where it was read last to its end."""
    pieces = []
    while piece := os.read(handle, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _read(data: bytes, path: Path) -> Iterator[Record]:
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            yield _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Never answered: a record is answered only after its line is whole and on disk.
            _log.warning("%s: a line is torn and was never answered; left out", path)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
