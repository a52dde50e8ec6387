"""Threads that send requests to the service, each over a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from queue import Empty, SimpleQueue
from ssl import SSLContext
from threading import Thread
from typing import Any

import httpx

CONNECT_RETRIES = 2
"""Times that a connection is tried again."""

TRIES = 3
"""Times that a request is sent while there is no answer, or one that asks to send it again."""

WAIT_S = 0.1
"""Before a request is sent again; twice as long before the next time."""

TIMEOUT_S = 30.0

_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Job:
    """A request to send; ``about`` is for whoever reads the answer."""

    path: str
    body: bytes
    about: Any


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a job.

    Attributes
    ----------
    job
        the request.
    status, body
        of the answer; 0 and empty where there was none.
    error
        why there was none.
    started
        by ``time.monotonic``, when it was first sent.
    seconds
        from the last time it was sent to the answer.
    retried
        how many times it was sent again.
    """

    job: Job
    status: int
    body: bytes
    error: str
    started: float
    seconds: float
    retried: int


@dataclass(slots=True, eq=False)
class Senders:
    """Some threads with a queue of jobs before them and one of results behind."""

    _jobs: SimpleQueue[Job | None] = field(default_factory=SimpleQueue)
    _sent: SimpleQueue[Sent] = field(default_factory=SimpleQueue)

    def put(self, job: Job) -> None:
        """Let a thread that is free send a request."""
        self._jobs.put(job)

    def take(self, wait_s: float | None) -> list[Sent]:
        """All results that are there; waits for the first one, for ever where None."""
        found: list[Sent] = []
        try:
            found.append(self._sent.get(timeout=wait_s))
            while True:
                found.append(self._sent.get_nowait())
        except Empty:
            return found

    def work(self, client: httpx.Client) -> None:
        """Send jobs until there is a None among them."""
        with client:
            while (job := self._jobs.get()) is not None:
                self._sent.put(_sent(client, job))

    def end(self, threads: list[Thread]) -> None:
        """Let the threads end once their present requests are answered; drop other jobs."""
        try:
            while True:
                self._jobs.get_nowait()
        except Empty:
            pass
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()


@contextmanager
def senders(url: str, count: int, key: str | None = None) -> Iterator[Senders]:
    """So many threads that send, with an API key where there is one, until the block is left."""
    team = Senders()
    # Reading the certificates takes longer than many a request: once for all of them.
    context = httpx.create_ssl_context()
    threads = [
        Thread(target=team.work, args=(_client(url, context, key),), daemon=True)
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield team
    finally:
        team.end(threads)


def bearing(key: str | None) -> dict[str, str]:
    """The header that a key is sent in."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _client(url: str, context: SSLContext, key: str | None) -> httpx.Client:
    transport = httpx.HTTPTransport(verify=context, retries=CONNECT_RETRIES)
    headers = _HEADERS | bearing(key)
    return httpx.Client(base_url=url, transport=transport, timeout=TIMEOUT_S, headers=headers)


def _sent(client: httpx.Client, job: Job) -> Sent:
    first = time.monotonic()
    status, body, error, retried = 0, b"", "", 0
    while True:
        started = time.monotonic()
        try:
            answer = client.post(job.path, content=job.body)
            status, body, error = answer.status_code, answer.content, ""
        except Exception as failed:
            # Whatever it is: a thread that ends would leave the replay waiting for ever.
            status, body, error = 0, b"", f"{type(failed).__name__}: {failed}"
        seconds = time.monotonic() - started
        if (status and status not in _AGAIN) or retried == TRIES - 1:
            return Sent(job, status, body, error, first, seconds, retried)
        time.sleep(WAIT_S * 2**retried)
        retried += 1
