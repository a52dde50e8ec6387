"""Adds up the spans of a log, in this process or in several, and goes on where a run was cut off.

What is added up is not known here: any object that merges with ``+``. The spans' sums are merged in
the order of the spans, whoever computed them, so that the answer is the same to the last bit
whatever the number of processes and however often the run was interrupted.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from authopt.errors import UserError
from authopt.evaluation.freed_memory import keep_freed_memory
from authopt.evaluation.sums_file import Checkpoint, Sums

S = TypeVar("S")
T = TypeVar("T", bound=Sums)

_AHEAD = 2
"""Spans per process that are under way or wait to be merged; bounds the memory of this one."""

_BETWEEN_WRITES = 10
"""Time between two writes of a checkpoint, as a multiple of what a write takes."""


def add_up(
    spans: Sequence[S],
    prepare: Callable[[], Callable[[S], T]],
    *,
    workers: int = 1,
    checkpoint: Checkpoint[T] | None = None,
    track: Callable[[Iterable[S]], Iterable[S]] = iter,
) -> T:
    """The sums over all spans.

    Parameters
    ----------
    spans
        parts of the log, at least one; they are pickled to the processes.
    prepare
        called once in every process that adds up (opens the log, loads the policies); it gives the
        function that adds up one span. With several processes it is pickled in memory: an instance
        of a dataclass with ``__call__``, or a function of a module, perhaps in a ``partial``.
    workers
        processes. With one, or with one span to do, all is done in this process. A script that asks
        for more needs the usual guard ``if __name__ == "__main__"``, as the processes import it.
    checkpoint
        where the sums are kept after a span, as often as it costs less than a tenth of the time,
        and when the run ends, in whatever way; what it holds already is not computed again.
    track
        passes the spans on as they are done, to show the progress.

    Raises
    ------
    UserError
        If a process is killed, or the checkpoint is of another run or cannot be written; and
        whatever adding up a span raises, of the first span that fails.
    ValueError
        If there is no span.
    """
    if not spans:
        raise ValueError("there is nothing to add up")
    kept = None if checkpoint is None else checkpoint.read()
    known, total = (0, None) if kept is None else kept
    keeping = _Keeping(checkpoint)

    def merged(parts: Iterator[T]) -> Iterator[S]:
        nonlocal total
        yield from spans[:known]
        for done, part in enumerate(parts, start=known + 1):
            if total is None:
                total = part
            else:
                keeping.changing()
                total += part
            keeping.done(done, total)
            yield spans[done - 1]

    try:
        with _computed(spans[known:], prepare, workers) as parts:
            for _ in track(merged(parts)):
                pass
    finally:
        keeping.close()
    assert total is not None
    return total


class _Keeping(Generic[T]):
    """Writes the checkpoint after a span, unless that would take a good part of the time."""

    def __init__(self, checkpoint: Checkpoint[T] | None) -> None:
        self._checkpoint = checkpoint
        self._unwritten: tuple[int, T] | None = None
        self._next = 0.0

    def done(self, spans: int, total: T) -> None:
        """The sums of the first spans are complete."""
        self._unwritten = spans, total
        if time.monotonic() >= self._next:
            self.close()

    def changing(self) -> None:
        """The sums are about to change, perhaps in place: what is not written is lost."""
        self._unwritten = None

    def close(self) -> None:
        """Write what is not written yet."""
        if self._checkpoint is None or self._unwritten is None:
            return
        start = time.monotonic()
        self._checkpoint.write(*self._unwritten)
        self._unwritten = None
        end = time.monotonic()
        self._next = end + _BETWEEN_WRITES * (end - start)


@contextmanager
def _computed(
    spans: Sequence[S], prepare: Callable[[], Callable[[S], T]], workers: int
) -> Iterator[Iterator[T]]:
    """The sums of each span, in the order of the spans, as they come."""
    workers = min(workers, len(spans))
    if workers < 1:
        yield iter(())
    elif workers == 1:
        keep_freed_memory()
        yield map(prepare(), spans)
    else:
        with _processes(prepare, workers) as pool:
            yield _in_order(pool, spans, workers)


def _in_order(pool: ProcessPoolExecutor, spans: Sequence[S], workers: int) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    try:
        with _interrupts_held_back():
            # The processes are started here, and inherit that they do not hear of interrupts.
            waiting.extend(pool.submit(_sums_of, span) for span in spans[:workers])
        for span in spans[workers:]:
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_sums_of, span))
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a process that was adding up a part of the log was killed before it was done; often "
            "by the system, for lack of memory. Run again with fewer processes"
        ) from error


@contextmanager
def _processes(prepare: Callable[[], Any], workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end at once when this one is done with them, or ends in whatever way."""
    context = multiprocessing.get_context("spawn")
    leash, hand = context.Pipe(duplex=False)
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, context, _begin, (leash, prepare, threads))
    try:
        yield pool
    finally:
        hand.close()
        pool.shutdown(cancel_futures=True)
        leash.close()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """An interrupt (Ctrl-C) waits until the end; processes started meanwhile never get any."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """What a process that adds up holds from span to span."""

    prepare: Callable[[], Callable[[Any], Any]]
    sums_of: Callable[[Any], Any] | None = None
    threads: int


def _begin(leash: Connection, prepare: Callable[[], Any], threads: int) -> None:
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    _Worker.prepare, _Worker.threads = prepare, threads


def _end_with(leash: Connection) -> None:
    # Nothing is ever sent: this returns when the other end is closed, by its process or its end.
    try:
        leash.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _sums_of(span: Any) -> Any:
    # Not when the process begins: an error there would not reach the user.
    if _Worker.sums_of is None:
        keep_freed_memory()
        pa.set_cpu_count(_Worker.threads)
        _Worker.sums_of = _Worker.prepare()
        threadpool_limits(_Worker.threads)
    return _Worker.sums_of(span)
