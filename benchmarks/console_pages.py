"""Pictures of every page of the console, light and dark, and what axe finds on them.

``python -m benchmarks.console_pages DIR [--decisions N] [--only NAME ...]`` makes a store with some
of everything, serves it, signs in as an admin, and walks through all pages in Debian's chromium.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._console_demo import PASSWORD, Demo, make_demo, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

_WIDTH, _HEIGHT = 1280, 800
_START_LIMIT_S = 60.0
_SERIOUS = ("serious", "critical")

GIVEN = "user-password-given"
"""Name of the one page that only a form leads to."""


@contextmanager
def served(demo: Demo, folder: Path) -> Iterator[str]:
    """The address of a service on the store, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(serving(demo, port), stdout=log, stderr=log, cwd=folder)
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def sign_in(page: Page, address: str, name: str, password: str = PASSWORD) -> None:
    """As a person does."""
    page.goto(f"{address}/console/sign-in")
    page.fill("#field-username", name)
    page.fill("#field-password", password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)


def faults(page: Page, only: Sequence[str] = ()) -> list[str]:
    """The rules that axe finds broken and calls serious or critical, with an element of each.

    Parameters
    ----------
    only
        rules that are tried; by default all.
    """
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    # Nobody reads the rest, which takes as long again.
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = list(only)
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]}"
        for each in Axe().run(page, options=options).response["violations"]
        if each["impact"] in _SERIOUS
    ]


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the service did not start; see server.log")


def _give_password(page: Page, address: str) -> None:
    page.goto(f"{address}/console/users/vera/password")
    page.fill("#field-reason", "it was forgotten")
    page.click("main button")
    page.wait_for_selector(".password")


def _walk(address: str, demo: Demo, out: Path, only: list[str]) -> list[str]:
    from playwright.sync_api import sync_playwright

    pages = {name: path for name, path in demo.pages().items() if not only or name in only}
    found = []
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        for scheme in ("light", "dark"):
            context = browser.new_context(
                color_scheme=scheme, viewport={"width": _WIDTH, "height": _HEIGHT}
            )
            page = context.new_page()
            page.goto(f"{address}/console/sign-in")
            page.screenshot(path=out / f"sign-in-{scheme}.png")
            sign_in(page, address, "ann")
            for name, path in pages.items():
                start = time.perf_counter()
                answer = page.goto(f"{address}/console{path}", wait_until="load")
                took_ms = 1000 * (time.perf_counter() - start)
                page.screenshot(path=out / f"{name}-{scheme}.png", full_page=True)
                status = 0 if answer is None else answer.status
                wrong = [f"answered {status}"] if status != 200 else faults(page)
                found += [f"{name} ({scheme}): {each}" for each in wrong]
                print(f"{name:<20} {scheme:<6} {took_ms:6.0f} ms  {len(wrong)} faults", flush=True)
            if not only or GIVEN in only:
                _give_password(page, address)
                page.screenshot(path=out / f"{GIVEN}-{scheme}.png", full_page=True)
                found += [f"{GIVEN} ({scheme}): {each}" for each in faults(page)]
            context.close()
        browser.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--decisions", type=int, default=20_000)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="authopt-") as name:
        demo = make_demo(Path(name), asked.decisions)
        with served(demo, Path(name)) as address:
            found = _walk(address, demo, asked.out, asked.only)
    for each in found:
        print(each)
    print(f"console_pages: {len(found)} faults (bar 0)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
