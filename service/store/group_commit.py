"""One writer for many requests: whatever waits is written in one transaction."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from service.store.on_record import OnRecord
from service.store.records import DecisionRecord, Kept, Key, Record
from service.store.spool import Spool
from service.store.store import Store
from service.store.waiting import Waiting
from service.tenants import DEFAULT_TENANT

_log = logging.getLogger(__name__)

MAX_GROUP = 256
MAX_STUCK = 3
LINGER_S = 0.001
HANGS = "does not answer in time"

_MOST_PATIENCE_S = 1.0
_CALMING = 0.01
"""By how much of the way patience returns to what is asked for, at each group in time."""


class Writer(Protocol):
    """What writes: the store itself, or the way to the process that writes for all."""

    def keep(self, records: Sequence[Record]) -> list[Kept]:
        """Write records in one transaction, each once (``Store.keep``)."""

    def close(self) -> None:
        """Let go of it."""


class _Abandoned(Exception):
    """This thread hung for so long that another one has taken its place."""


class GroupCommit:
    """Takes records from many threads and answers each when it is on disk.

    While one group is being committed, the next one gathers; nobody waits for a timer. What the
    store refuses, or does not take in time, goes to the spool, and from there into the store as
    soon as that works again.

    Parameters
    ----------
    store, spool
        where records go, and where they go while the store fails.
    answer_within_s
        how long :meth:`keep` waits.
    retry_store_s
        how often a store that has failed is tried again.
    store_within_s
        how long the store may take for a group before the spool takes its place; longer while it
        proves to be slow rather than away. The thread that hangs in it is left behind; what it may
        yet write is the same as what the spool holds.
    read_within_s
        how long a store that is not written may take to say which decisions it has.
    writer
        what writes; the store itself by default.
    """

    def __init__(
        self,
        store: Store,
        spool: Spool,
        answer_within_s: float = 10.0,
        retry_store_s: float = 5.0,
        store_within_s: float = 0.05,
        read_within_s: float = 0.25,
        writer: Writer | None = None,
    ) -> None:
        self.store = store
        self.spool = spool
        self.failing = False
        self._answer_within_s = answer_within_s
        self._on_record = OnRecord(store, spool, read_within_s)
        self._retry_store_s = retry_store_s
        self._store_within_s = self._patience_s = store_within_s
        self._most_patience_s = max(store_within_s, _MOST_PATIENCE_S)
        self._writer: Writer = store if writer is None else writer
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._closing = False
        # Whether the last group was of several requests: then more will come in a moment.
        self._crowded = False
        self._ended = threading.Event()
        # Whether the store has failed, or the spool holds what it has missed.
        self._behind = spool.holds_any
        self._retry_at = time.monotonic() + retry_store_s
        self._stuck: set[_Turn] = set()
        self._turn: _Turn | None = None
        self._start_writer()
        threading.Thread(target=self._watch, name="group-commit-watch", daemon=True).start()

    def keep(self, record: Record) -> Kept:
        """Record, and return once that is done or has failed; never raises."""
        return self.keep_all([record])[0]

    def keep_all(self, records: Sequence[Record]) -> list[Kept]:
        """Record, all in the same transaction; one answer for each, in their order."""
        waiting = Waiting(records)
        self.submit(waiting)
        if waiting.wait(self._answer_within_s):
            return waiting.kept
        _log.error("a record was not on disk after %g s", self._answer_within_s)
        if waiting.claim():
            return [Kept(False)] * len(records)
        return waiting.kept or [
            Kept(False, record if isinstance(record, DecisionRecord) else None)
            for record in records
        ]

    def submit(self, waiting: Waiting) -> None:
        """Have records written; returns at once, and ``waiting`` is answered later."""
        self._queue.put(waiting)

    def decision(self, decision_id: str, tenant: str = DEFAULT_TENANT) -> DecisionRecord | None:
        """The decision that is kept under an id; None also where the store does not answer."""
        try:
            known = self.spool.decision(decision_id, tenant)
            return known or self.store.decision(decision_id, tenant)
        except SQLAlchemyError:
            _log.exception("the store could not be read")
            return None

    def fault(self) -> str | None:
        """Why the store cannot be written; None if it can. Asked through the writer."""
        waiting = Waiting(())
        self.submit(waiting)
        if waiting.wait(2 * self._store_within_s):
            return waiting.fault
        waiting.claim()
        return HANGS

    def close(self) -> None:
        """Write what waits, then end the writer and close the store."""
        self._queue.put(None)
        self._ended.wait()
        self.spool.close()
        self._writer.close()
        self.store.close()

    def _start_writer(self) -> None:
        threading.Thread(target=self._run, name="group-commit", daemon=True).start()

    def _run(self) -> None:
        try:
            while not self._closing:
                pause = max(0.0, self._retry_at - time.monotonic()) if self._behind else None
                self._serve(self._gathered(pause))
                if self._behind and time.monotonic() >= self._retry_at:
                    self._catch_up()
        except _Abandoned:
            return
        self._ended.set()

    def _gathered(self, pause: float | None) -> list[Waiting]:
        """Whatever waits; the first of it is waited for, for ever if ``pause`` is None."""
        group: list[Waiting] = []
        rows = 0
        try:
            item = self._queue.get(timeout=pause) if pause != 0 else self._queue.get_nowait()
            if self._crowded:
                time.sleep(LINGER_S)
            while item is not None:
                # Those who waited too long have been told that nothing was recorded; so nothing is.
                if item.claim():
                    group.append(item)
                    rows += len(item.records)
                if rows >= MAX_GROUP:
                    return group
                item = self._queue.get_nowait()
            self._closing = True
        except Empty:
            pass
        return group

    def _serve(self, group: list[Waiting]) -> None:
        self._crowded = len(group) > 1
        asked = [waiting for waiting in group if waiting.records]
        if asked:
            _answer(asked, self._kept([each for one in asked for each in one.records], asked))
        for waiting in group:
            if not waiting.records:
                waiting.answer([], self._fault(waiting))

    def _kept(self, records: list[Record], group: list[Waiting]) -> list[Kept]:
        """What becomes of the records of a group."""
        try:
            self.spool.catch_up()
        except OSError:
            _log.exception("the spool cannot be read")
        # A decision that waits in the spool is decided; the store does not know it yet.
        known = [self._on_record.known(record) for record in records]
        rest = [record for record, found in zip(records, known, strict=True) if found is None]
        kept: list[Kept] | None = None if rest else []
        if rest and not self.failing:
            try:
                kept = self._written(rest, group)
            except _Abandoned:
                raise
            except Exception as error:
                self._has_failed(error)
        kept = self._to_spool(rest) if kept is None else kept
        self._on_record.remember(kept)
        written = iter(kept)
        return [next(written) if found is None else found for found in known]

    def _written(self, records: Sequence[Record], group: list[Waiting]) -> list[Kept]:
        """Write into the store, unless it hangs: then :meth:`_watch` answers the group."""
        # Many rows take longer, without anything being wrong.
        turn = self._turn = _Turn(group, self._patience_s * (1 + len(records) / MAX_GROUP))
        try:
            kept = self._writer.keep(records)
        except BaseException:
            if turn.end():
                raise
            self._stuck.discard(turn)
            raise _Abandoned from None
        if turn.end():
            self._patience_s += _CALMING * (self._store_within_s - self._patience_s)
            return kept
        # Slow, but it works: no need to wait before it is tried again, and more patience is called
        # for, as a busy machine is not made faster by writing everything twice.
        self._patience_s = min(2 * self._patience_s, self._most_patience_s)
        self._stuck.discard(turn)
        self._retry_at = 0.0
        self.submit(Waiting(()))
        raise _Abandoned

    def _watch(self) -> None:
        """Leave a writer behind that hangs in the store, and put another one in its place."""
        while not self._ended.wait(self._store_within_s / 4):
            turn = self._turn
            if turn is None or time.monotonic() < turn.until:
                continue
            if turn.end():
                self._stuck.add(turn)
                self._has_failed(None)
                _answer(turn.group, self._left_behind(turn.group), HANGS)
                self._start_writer()

    def _left_behind(self, group: list[Waiting]) -> list[Kept]:
        """What becomes of a group whose writer hangs: what is known of it, and the spool."""
        records = [each for one in group for each in one.records]
        known = [self._on_record.known(record) for record in records]
        rest = [record for record, found in zip(records, known, strict=True) if found is None]
        kept = self._to_spool(rest) if rest else []
        self._on_record.remember(kept)
        spooled = iter(kept)
        return [next(spooled) if found is None else found for found in known]

    def _to_spool(self, records: Sequence[Record]) -> list[Kept]:
        try:
            known = self._on_record.in_store(records)
            rest = iter(self.spool.keep([each for each in records if not _is_in(known, each)]))
            return [
                Kept(True, known[each.key]) if _is_in(known, each) else next(rest)
                for each in records
            ]
        except Exception:
            _log.exception("neither the store nor the spool could take %d records", len(records))
            return [Kept(False)] * len(records)

    def _has_failed(self, error: Exception | None) -> None:
        if error is None:
            _log.warning("the store %s; records go to %s", HANGS, self.spool.path)
        elif not self.failing:
            _log.error("the store failed; records go to %s", self.spool.path, exc_info=error)
        self.failing = self._behind = True
        self._retry_at = time.monotonic() + self._retry_store_s

    def _catch_up(self) -> None:
        """Try a store that has failed, and move into it what went to the spool meanwhile."""
        self._retry_at = time.monotonic() + self._retry_store_s
        try:
            if self._fault(None) is not None:
                return
            self.failing = False
            for _ in self.spool.load_in_parts(lambda records: self._written(records, [])):
                self._serve(self._gathered(0))
                if self.failing:
                    return
            self._behind = False
        except (SQLAlchemyError, OSError) as error:
            _log.warning("the spool cannot be moved into the store yet: %s", type(error).__name__)

    def _fault(self, waiting: Waiting | None) -> str | None:
        if len(self._stuck) >= MAX_STUCK:
            return HANGS
        try:
            self._written((), [] if waiting is None else [waiting])
        except (SQLAlchemyError, OSError) as error:
            return f"cannot be written: {type(error).__name__}"
        return None


class _Turn:
    """A group that is being written."""

    __slots__ = ("_ended", "group", "until")

    def __init__(self, group: list[Waiting], within_s: float) -> None:
        self.group = group
        self.until = time.monotonic() + within_s
        self._ended = threading.Lock()

    def end(self) -> bool:
        """For the writer, when it is done, or for the one that lost patience: who is first."""
        return self._ended.acquire(blocking=False)


def _is_in(known: Mapping[Key, DecisionRecord], record: Record) -> bool:
    return isinstance(record, DecisionRecord) and record.key in known


def _answer(group: Sequence[Waiting], kept: list[Kept], fault: str | None = None) -> None:
    start = 0
    for waiting in group:
        end = start + len(waiting.records)
        waiting.answer(kept[start:end], fault)
        start = end
