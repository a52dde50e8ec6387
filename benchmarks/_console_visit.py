"""A person who goes through the console: signs in, follows links, and asks for pages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

_LINK = re.compile(r'href="(/console[^"#]*)')
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(slots=True)
class Visit:
    """A browser of sorts, with its cookies and one connection.

    Attributes
    ----------
    port
        of the service, on this machine.
    """

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: HTTPConnection | None = None

    def sign_in(self, username: str, password: str) -> None:
        """Fill in the form.

        Raises
        ------
        SystemExit
            If that does not let one in.
        """
        form, _ = self.get("/console/sign-in")
        found = _TOKEN.search(form)
        fields = {"csrf": found[1] if found else "", "username": username, "password": password}
        answer, _ = self._ask("POST", "/console/sign-in", urlencode(fields))
        if answer.status != 303:
            raise SystemExit(f"nobody is let in: {answer.status}")

    def get(self, address: str) -> tuple[str, float]:
        """A page, and how many seconds it took until the last byte was here.

        Raises
        ------
        SystemExit
            If there is none.
        """
        start = time.perf_counter()
        answer, body = self._ask("GET", address)
        took = time.perf_counter() - start
        if answer.status != 200:
            raise SystemExit(f"{address}: {answer.status}\n{body[-2000:]}")
        return body, took

    def _ask(self, method: str, address: str, body: str | None = None) -> tuple[Any, str]:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": pairs, "Origin": f"http://127.0.0.1:{self.port}"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, address, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        self._keep_cookies(answer)
        return answer, text

    def _keep_cookies(self, answer: HTTPResponse) -> None:
        for given in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value


class Pages:
    """Tells kinds of pages apart by their addresses.

    Parameters
    ----------
    app
        with the console.
    """

    def __init__(self, app: Flask) -> None:
        self._map = app.url_map.bind("127.0.0.1")

    def kind(self, address: str) -> str | None:
        """What a page is a case of; None for what is no page that one may look at."""
        parts = urlsplit(address)
        try:
            endpoint, _ = self._map.match(parts.path, method="GET")
        except HTTPException:
            return None
        endpoint = endpoint.removeprefix("console.")
        asked = dict(parse_qsl(parts.query))
        if endpoint in ("style", "root", "nothing") or "format" in asked:
            return None
        return f"{endpoint}, as asked" if asked else endpoint


def crawled(visit: Visit, pages: Pages, starts: Sequence[str], most: int) -> dict[str, list[str]]:
    """Addresses by the kind of page, some of each, as links lead from the first ones to others.

    Parameters
    ----------
    visit, pages
        who goes, and how kinds are told apart.
    starts
        where to begin.
    most
        addresses of a kind.
    """
    found: dict[str, list[str]] = {}
    waiting = list(starts)
    seen = set(waiting)
    while waiting:
        address = waiting.pop(0)
        kind = pages.kind(address)
        if kind is None or len(found.setdefault(kind, [])) >= most:
            continue
        found[kind].append(address)
        if len(found[kind]) > 2:
            # More pages of a kind lead to nothing else.
            continue
        for link in _links(visit.get(address)[0]):
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    return found


def _links(html: str) -> Iterator[str]:
    for match in _LINK.finditer(html):
        yield unescape(match[1])
