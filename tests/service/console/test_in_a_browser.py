"""In Chromium: nothing is refused by the pages' own policy, and axe finds no serious fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.service.console.browsing import browsing, faults, served
from tests.service.console.sample_page import with_sample
from tests.service.console.visits import PASSWORD, add
from tests.service.in_process import running, settings_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(settings_in(tmp_path_factory.mktemp("site"))) as app, served(app) as address:
        add(with_sample(app), "kim")
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


def signed_in(page: Page, site: str) -> None:
    page.goto(f"{site}/console/sample")
    page.fill("#field-username", "kim")
    page.fill("#field-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/console/sample")


def test_without_a_script_one_signs_in_by_the_keyboard_chooses_colours_and_leaves(
    browser: Browser, site: str
) -> None:
    context = browser.new_context(java_script_enabled=False, color_scheme="light")
    page = context.new_page()
    signed_in(page, site)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the page"
    page.click("button[value=dark]")
    assert page.url == f"{site}/console/sample"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.click("text=Sign out")
    page.goto(f"{site}/console/sample")
    assert page.url.startswith(f"{site}/console/sign-in?next=")
    context.close()


@pytest.mark.parametrize(("scheme", "path"), [("light", "password"), ("dark", "nowhere")])
def test_axe_finds_no_serious_fault_and_the_browser_refuses_nothing(
    browser: Browser, site: str, scheme: str, path: str
) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{site}/console/sign-in")
    found = faults(page)
    signed_in(page, site)
    found += faults(page)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 27)" if scheme == "dark" else "rgb(255, 255, 255)")
    page.goto(f"{site}/console/{path}")
    found += faults(page)
    assert found == []
    assert [line for line in said if "404" not in line] == []
    context.close()
