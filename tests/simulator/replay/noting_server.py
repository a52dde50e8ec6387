"""A small HTTP server with the service's two requests, which notes what comes and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Scripted = tuple[int, dict[str, Any] | bytes]


@dataclass
class Noted:
    """What came, in the order of its coming.

    ``script`` says what to answer to the n-th request from 0, where it is not the usual answer: the
    first action asked for, with probability 1.
    """

    script: dict[int, Scripted] = field(default_factory=dict)
    always: Scripted | None = None
    came: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, path: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, body) for at, where, body in self.came if where == path]

    def answer(self, path: str, body: dict[str, Any]) -> Scripted:
        with self.lock:
            number = len(self.came)
            self.came.append((time.monotonic(), path, body))
        scripted = self.script.get(number, self.always)
        if scripted is not None:
            return scripted
        if path == "/v1/outcomes":
            return 200, {"decision_id": body["decision_id"], "recorded": True}
        others = [{**each, "probability": 0.0} for each in body["actions"][1:]]
        first = body["actions"][0]
        return 200, {
            "action": first,
            "propensity": 1.0,
            "actions": [{**first, "probability": 1.0}, *others],
            "policy": {"name": "the first", "sha256": None},
            "fallback": None,
            "recorded": True,
        }


@contextmanager
def noting_server(noted: Noted) -> Iterator[Noted]:
    """Serve until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = noted.answer(self.path, body)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    noted.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield noted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
