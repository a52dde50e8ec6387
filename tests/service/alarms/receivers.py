"""A web server and a mail server that take messages, and can be told to refuse them."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Inbox:
    """What has come, and how the server answers."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.port: int = server.server_address[1]
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.hang = threading.Event()
        self.hangs = False


@contextmanager
def _running(server: Any) -> Iterator[Inbox]:
    server.inbox = inbox = Inbox(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield inbox
    finally:
        inbox.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Web(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        inbox = self.server.inbox
        body = self.rfile.read(int(self.headers["Content-Length"]))
        inbox.taken.append((dict(self.headers), body))
        if inbox.hangs:
            # A byte now and then, so that the socket's own limit never comes.
            while not inbox.hang.wait(0.05):
                try:
                    self.wfile.write(b"H")
                except OSError:
                    return
            return
        self.send_response(inbox.status)
        if 300 <= inbox.status < 400:
            self.send_header("Location", f"http://127.0.0.1:{inbox.port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _Mail(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        self._say(220, "ready")
        for line in self.rfile:
            verb = line.split()[0].upper().decode()
            if verb == "DATA":
                self._say(354, "go on")
                lines = []
                while (data := self.rfile.readline()) != b".\r\n":
                    lines.append(data)
                self.server.inbox.taken.append(({}, b"".join(lines)))
                self._say(250, "taken")
            elif verb == "QUIT":
                self._say(221, "bye")
                return
            elif verb == "MAIL" and self.server.inbox.status != 200:
                self._say(self.server.inbox.status, "go away")
            else:
                self._say(250, "fine")

    def _say(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())


class _MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@contextmanager
def web_server() -> Iterator[Inbox]:
    """Takes what is posted."""
    with _running(HTTPServer(("127.0.0.1", 0), _Web)) as inbox:
        yield inbox


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """Takes mail, without encryption."""
    with _running(_MailServer(("127.0.0.1", 0), _Mail)) as inbox:
        yield inbox
