"""One writer for many requests: whatever waits is written in one transaction."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from queue import Empty, SimpleQueue

from sqlalchemy.exc import SQLAlchemyError

from service.store.records import DecisionRecord, Kept, Record
from service.store.spool import Spool
from service.store.store import Store

_log = logging.getLogger(__name__)

MAX_GROUP = 256

_Waiting = tuple[Record, "Future[Kept]"]


class GroupCommit:
    """Takes records from many threads and answers each when it is on disk.

    While one group is being committed, the next one gathers; nobody waits for a timer. What the
    store refuses goes to the spool, and from there into the store as soon as that works again.

    Parameters
    ----------
    store, spool
        where records go, and where they go while the store fails.
    answer_within_s
        how long :meth:`keep` waits.
    retry_store_s
        after how long without a record a store that has failed is tried again.
    """

    def __init__(
        self,
        store: Store,
        spool: Spool,
        answer_within_s: float = 10.0,
        retry_store_s: float = 5.0,
    ) -> None:
        self.store = store
        self.spool = spool
        self.failing = False
        self._answer_within_s = answer_within_s
        self._retry_store_s = retry_store_s
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def keep(self, record: Record) -> Kept:
        """Record, and return once that is done or has failed; never raises."""
        waiting: Future[Kept] = Future()
        self._queue.put((record, waiting))
        try:
            return waiting.result(self._answer_within_s)
        except FutureTimeoutError:
            _log.error("a record was not on disk after %g s", self._answer_within_s)
        if waiting.cancel():
            return Kept(False)
        if waiting.done():
            return waiting.result()
        return Kept(False, record if isinstance(record, DecisionRecord) else None)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """The decision that is kept under an id; None also where the store does not answer."""
        try:
            return self.spool.decision(decision_id) or self.store.decision(decision_id)
        except SQLAlchemyError:
            _log.exception("the store could not be read")
            return None

    def close(self) -> None:
        """Write what waits, then end the writer and close the store."""
        self._queue.put(None)
        self._thread.join()
        self.store.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            group: list[_Waiting] = []
            try:
                item = self._queue.get(timeout=self._retry_store_s if self.failing else None)
            except Empty:
                self._empty_spool()
                continue
            while item is not None:
                group.append(item)
                if len(group) == MAX_GROUP:
                    break
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            closing = item is None
            if group:
                self._write(group)

    def _write(self, group: list[_Waiting]) -> None:
        # Those who waited too long have been told that nothing was recorded; so nothing is.
        group = [each for each in group if each[1].set_running_or_notify_cancel()]
        records = [record for record, _ in group]
        try:
            kept = self._kept(records)
        except Exception:
            _log.exception("neither the store nor the spool could take %d records", len(group))
            kept = [Kept(False)] * len(records)
        for (_, waiting), each in zip(group, kept, strict=True):
            waiting.set_result(each)

    def _kept(self, records: list[Record]) -> list[Kept]:
        spooled = [self._spooled(record) for record in records]
        rest = [record for record, known in zip(records, spooled, strict=True) if known is None]
        if not rest:
            return [known for known in spooled if known is not None]
        try:
            written = iter(self.store.keep(rest))
            if self.failing:
                self._empty_spool()
        except (SQLAlchemyError, OSError):
            if not self.failing:
                _log.exception("the store failed; records go to %s", self.spool.path)
            self.failing = True
            written = iter(self.spool.keep(rest))
        return [next(written) if known is None else known for known in spooled]

    def _empty_spool(self) -> None:
        """Move into the store what went to the spool while the store failed."""
        try:
            self.spool.load_into(self.store)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("the spool cannot be moved into the store yet: %s", type(error).__name__)
        else:
            self.failing = False

    def _spooled(self, record: Record) -> Kept | None:
        """The decision that waits in the spool under the same id."""
        if not isinstance(record, DecisionRecord):
            return None
        known = self.spool.decision(record.decision_id)
        return None if known is None else Kept(True, known)
