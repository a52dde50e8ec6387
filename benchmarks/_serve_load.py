"""Load for a server on this machine: wrk where it is installed, else a generator of our own.

Every request has an id of its own. At a rate, each connection waits for its answer and then a
while before it asks again.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import partial

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests per second, 99th percentile of the time to an answer, and how many there were."""

    per_second: float
    p99_ms: float
    requests: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: a JSON body in which ``@`` stands for an id, as often as ``items`` says.

    Attributes
    ----------
    path
        of the address.
    item
        JSON text.
    items
        how many of them a body holds; 0 where the item is the body.
    connections
        that ask at the same time.
    """

    path: str
    item: str
    items: int = 0
    connections: int = CONNECTIONS


def body(request: Request, name: str) -> str:
    """One body; ``name`` makes its ids distinct."""
    if not request.items:
        return request.item.replace("@", name)
    rows = (request.item.replace("@", f"{name}-{at}") for at in range(request.items))
    return '{"decisions":[' + ",".join(rows) + "]}"


def load(port: int, request: Request, seconds: float, per_second: float | None = None) -> Measured:
    """Ask as fast as answers come, or at a rate.

    Raises
    ------
    SystemExit
        If the server refuses a request or closes a connection.
    """
    measure = _wrk if shutil.which("wrk") else _own
    return measure(port, request, seconds, per_second)


_SCRIPT = """
local head = {["Content-Type"] = "application/json"}
local item, items, path, name = %(item)s, %(items)d, %(path)s, %(name)s
local pieces, from = {}, 1
while true do
  local at = item:find("@", from, true)
  pieces[#pieces + 1] = item:sub(from, (at or 0) - 1)
  if not at then break end
  from = at + 1
end
local asked = 0
function request()
  asked = asked + 1
  local id = name .. asked
  local body
  if items == 0 then
    body = table.concat(pieces, id)
  else
    local rows = {}
    for at = 1, items do rows[at] = table.concat(pieces, id .. "-" .. at) end
    body = '{"decisions":[' .. table.concat(rows, ",") .. "]}"
  end
  return wrk.format("POST", path, head, body)
end
%(delay)s
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\\n{"requests":%%d,"us":%%d,"p99_us":%%d,"refused":%%d,"broken":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""

_DELAY = """
local pause = %f
function delay()
  local ms = 2 * pause * math.random()
  local whole = math.floor(ms)
  if math.random() < ms - whole then whole = whole + 1 end
  return whole
end
"""


def _wrk(port: int, request: Request, seconds: float, per_second: float | None) -> Measured:
    pause_ms = 0.0 if per_second is None else 1000 * request.connections / per_second
    script = _SCRIPT % {
        "item": json.dumps(request.item),
        "items": request.items,
        "path": json.dumps(request.path),
        "name": json.dumps(f"{os.getpid()}-{time.time_ns()}-"),
        "delay": "" if per_second is None else _DELAY % (_PAUSING * pause_ms),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{request.connections}", f"-d{max(1, round(seconds))}s"]
        command += ["--latency", "--timeout", "30s", "-s", file.name, f"http://127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        said = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise SystemExit(f"wrk failed:\n{done.stdout}{done.stderr}") from None
    if said["refused"] or said["broken"] or not said["requests"]:
        raise SystemExit(f"the server refused or failed: {said}")
    return Measured(said["requests"] / said["us"] * 1e6, said["p99_us"] / 1000, said["requests"])


_PAUSING = 0.6
"""Of the time from request to request at the rate; the rest is about what an answer takes then."""


def _own(port: int, request: Request, seconds: float, per_second: float | None) -> Measured:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_ask, (port, request, seconds, per_second))


def _ask(port: int, request: Request, seconds: float, per_second: float | None) -> Measured:
    latencies = asyncio.run(_ask_from_all(port, request, seconds, per_second))
    if len(latencies) < 2:
        raise SystemExit("the server gave no answer")
    p99 = statistics.quantiles(latencies, n=100)[98]
    return Measured(len(latencies) / seconds, 1000 * p99, len(latencies))


async def _ask_from_all(
    port: int, request: Request, seconds: float, per_second: float | None
) -> list[float]:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    pause = None if per_second is None else request.connections / per_second
    run = f"{os.getpid()}-{time.time_ns()}"
    clients = [
        _Client(request, f"{run}-{at}", until, pause, latencies) for at in range(CONNECTIONS)
    ]
    for client in clients:
        await loop.create_connection(partial(_same, client), "127.0.0.1", port)
    await asyncio.gather(*(client.ended for client in clients))
    return latencies


def _same(client: _Client) -> _Client:
    return client


class _Client(asyncio.Protocol):
    """One connection, which asks again when it is answered."""

    def __init__(
        self, request: Request, name: str, until: float, pause: float | None, latencies: list[float]
    ) -> None:
        self._request, self._name, self._until = request, name, until
        self._pause, self._latencies = pause, latencies
        self._loop = asyncio.get_running_loop()
        self._got = b""
        self._number = 0
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._loop.call_later((self._pause or 0.0) * random.random(), self._ask)

    def _ask(self) -> None:
        if time.perf_counter() >= self._until:
            self._transport.close()
            return
        self._number += 1
        text = body(self._request, f"{self._name}-{self._number}").encode()
        head = (
            f"POST {self._request.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        )
        self._asked = time.perf_counter()
        self._transport.write(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._got) < end + 4 + length:
            return
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            self.ended.set_exception(SystemExit(f"the server refused: {self._got[:500]!r}"))
            self._transport.close()
            return
        self._got = b""
        took = time.perf_counter() - self._asked
        self._latencies.append(took)
        if self._pause is None:
            self._ask()
        else:
            self._loop.call_later(max(0.0, 2 * self._pause * random.random() - took), self._ask)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
