"""Watch until told to stop: wait for the lease, and do one duty after another every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.store.changes import writing
from service.store.lease import LeaseLost, RowLease
from service.store.records import microseconds
from service.watch.duties import Duty

_log = logging.getLogger(__name__)

_RENEWALS = 3
"""Times that the lease is renewed within its length."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a process that watches was told.

    Attributes
    ----------
    lease
        of the merchant's row among the watchers, and who this process is.
    duties
        by name, in their order.
    every_s
        seconds between two rounds.
    is_once
        whether to end once no duty wants another turn at once.
    """

    lease: RowLease
    duties: Mapping[str, Duty]
    every_s: float
    is_once: bool = False

    @property
    def tenant(self) -> str:
        """The merchant."""
        return self.lease.key["tenant"]


@dataclass(slots=True)
class Watched:
    """What came of it.

    Attributes
    ----------
    held
        whether this process was ever the one that watches.
    rounds
        how often every duty had its turn.
    failed
        how often each duty failed, by its name.
    """

    held: bool
    rounds: int
    failed: dict[str, int]


def run(
    engine: Engine,
    watch: Watch,
    stop: threading.Event,
    say: Callable[[str], None],
    tell_how_far: Callable[[], None],
) -> Watched:
    """Watch.

    A duty that fails, or a store that does, ends nothing: it has its turn again.

    Parameters
    ----------
    engine
        of the store.
    watch
        what to do.
    stop
        ends it after the duty that it is in.
    say
        takes what happens, for people.
    tell_how_far
        is called after every round of which a duty wants another at once.
    """
    watched = Watched(False, 0, dict.fromkeys(watch.duties, 0))
    renewed_us: int | None = None
    while not stop.is_set():
        wants_more = False
        try:
            if renewed_us is None and _is_taken(engine, watch):
                renewed_us, watched.held = _now_us(), True
                say(f"watching over {watch.tenant}")
            if renewed_us is not None:
                wants_more, renewed_us = _round(engine, watch, stop, renewed_us, watched)
            if wants_more:
                tell_how_far()
        except LeaseLost as lost:
            _log.warning("%s", lost)
            renewed_us = None
        except SQLAlchemyError as error:
            _log.error("the store fails: %s", type(error).__name__)
            renewed_us = None
        if watch.is_once and not wants_more:
            break
        if not wants_more:
            stop.wait(watch.every_s)
    if renewed_us is not None:
        _release(engine, watch.lease)
    return watched


def _is_taken(engine: Engine, watch: Watch) -> bool:
    return watch.lease.take(engine, _now_us()) is not None


def _round(
    engine: Engine, watch: Watch, stop: threading.Event, renewed_us: int, watched: Watched
) -> tuple[bool, int]:
    """Every duty's turn: whether one wants another at once, and when the lease was renewed."""
    wants_more = False
    for name, duty in watch.duties.items():
        if stop.is_set():
            break
        now_us = _now_us()
        if now_us - renewed_us > watch.lease.length_us // _RENEWALS:
            with writing(engine) as connection:
                watch.lease.write(connection, {}, now_us)
            renewed_us = now_us
        try:
            wants_more |= bool(duty(engine, watch.tenant, now_us))
        except Exception as error:
            # Whatever a duty runs into, the others go on, alarms above all.
            watched.failed[name] += 1
            _log.error("%s failed: %s: %s", name, type(error).__name__, _first_line(error))
            _log.debug("%s failed", name, exc_info=True)
    watched.rounds += 1
    return wants_more, renewed_us


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _release(engine: Engine, lease: RowLease) -> None:
    try:
        lease.release(engine)
    except SQLAlchemyError as error:
        _log.warning("the lease runs out by itself: %s", type(error).__name__)


def _now_us() -> int:
    return microseconds(datetime.now(UTC))
