"""Which decisions are on record already, as far as that can be known while the store is away."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from service.store.records import DecisionRecord, Kept, Key, Record
from service.store.spool import Spool
from service.store.store import Store

_REMEMBERED = 10_000


class OnRecord:
    """Finds the decision that a repeated request was answered with.

    Parameters
    ----------
    store, spool
        what may hold it.
    read_within_s
        how long a store that is not written may take to say which decisions it has.
    """

    def __init__(self, store: Store, spool: Spool, read_within_s: float) -> None:
        self._store = store
        self._spool = spool
        self._read_within_s = read_within_s
        self._reading: threading.Thread | None = None
        self._recent: OrderedDict[Key, DecisionRecord] = OrderedDict()

    def known(self, record: Record) -> Kept | None:
        """The decision that waits in the spool under the same id, or was recorded here lately."""
        if not isinstance(record, DecisionRecord):
            return None
        known = self._spool.decision(record.decision_id, record.tenant)
        known = known or self._recent.get(record.key)
        return None if known is None else Kept(True, known)

    def remember(self, kept: Iterable[Kept]) -> None:
        """Keep the last decisions in mind, for repeats while the store cannot be asked."""
        for each in kept:
            if each.durable and each.decision is not None:
                self._recent[each.decision.key] = each.decision
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def in_store(self, records: Sequence[Record]) -> dict[Key, DecisionRecord]:
        """The decisions among these that the store has; it may be read where it is not written.

        One that does not say so in a moment is not asked again before it has answered.
        """
        keys = [each.key for each in records if isinstance(each, DecisionRecord)]
        if not keys or (self._reading is not None and self._reading.is_alive()):
            return {}
        found: dict[Key, DecisionRecord] = {}

        def read() -> None:
            with suppress(SQLAlchemyError):
                found.update(self._store.decisions(keys))

        self._reading = threading.Thread(target=read, name="group-commit-read", daemon=True)
        self._reading.start()
        self._reading.join(self._read_within_s)
        return {} if self._reading.is_alive() else found
