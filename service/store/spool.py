"""A local file that takes the records while the store cannot, and gives them to it later."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from service.store.records import DecisionRecord, Kept, Record
from service.store.store import Store

_log = logging.getLogger(__name__)
_DECODER = msgspec.json.Decoder(Record)


class Spool:
    """Records as lines of JSON, appended and on disk when :meth:`keep` returns.

    A lock file beside it keeps processes that share it apart. A decision that is in the spool
    counts as decided: :meth:`decision` finds it, so that a repeated request gets its answer.

    Parameters
    ----------
    path
        of the file; it exists only while it holds something.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._decisions: dict[str, DecisionRecord] = {}
        self._guard = threading.Lock()

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """The decision that this process has put into the spool under an id."""
        return self._decisions.get(decision_id)

    @property
    def holds_any(self) -> bool:
        """Whether something waits for the store."""
        return self.path.exists()

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
        with self._guard:
            new: list[Record] = []
            decided = dict[str, DecisionRecord]()
            for record in records:
                if isinstance(record, DecisionRecord):
                    known = self._decisions.get(record.decision_id)
                    kept = decided.setdefault(record.decision_id, known or record)
                    if kept is not record:
                        continue
                new.append(record)
            # A torn line of an earlier failure ends at the line break that comes first.
            lines = b"".join(b"\n" + msgspec.json.encode(record) + b"\n" for record in new)
            with self._locked():
                is_new = not self.path.exists()
                _append(self.path, lines)
                if is_new:
                    _sync_folder(self.path.parent)
            self._decisions |= decided
        return [
            Kept(True, decided[record.decision_id] if isinstance(record, DecisionRecord) else None)
            for record in records
        ]

    def recall(self) -> None:
        """Take the decisions of an earlier process, so that :meth:`decision` finds them too."""
        with self._guard, self._locked():
            if self.path.exists():
                for record in _read(self.path):
                    if isinstance(record, DecisionRecord):
                        self._decisions.setdefault(record.decision_id, record)

    def load_into(self, store: Store) -> int:
        """Move everything into the store; what is there already is not written again.

        Returns
        -------
        int
            how many records the file held.

        Raises
        ------
        OSError, sqlalchemy.exc.SQLAlchemyError
            If that fails; the file then stays as it was.
        """
        if not self.path.exists():
            return 0
        with self._locked():
            if not self.path.exists():
                return 0
            records = list(_read(self.path))
            store.keep(records)
            self.path.unlink()
            _sync_folder(self.path.parent)
        _log.warning("%s: %d spooled records are now in the store", self.path, len(records))
        return len(records)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


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


def _read(path: Path) -> Iterator[Record]:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line:
            continue
        try:
            yield _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Never answered: a record is answered only after its line is whole and on disk.
            _log.warning("%s: line %d is torn and was never answered; left out", path, number)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
