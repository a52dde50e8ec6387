"""In Chromium: a payment is found, a route is taken down, and axe finds no serious fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.service.console.browsing import browsing, faults, served
from tests.service.console.some_payments import add_up, many
from tests.service.console.visits import PASSWORD, add
from tests.service.in_process import running, settings_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(settings_in(tmp_path_factory.mktemp("site"))) as app, served(app) as address:
        add(app, "kim")
        many(app, 480)
        add_up(app)
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


def opened(browser: Browser, site: str, scheme: str = "light", script: bool = True) -> Page:
    """The overview, for somebody who has signed in."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", java_script_enabled=script
    )
    page = context.new_page()
    page.goto(f"{site}/console")
    page.fill("#field-username", "kim")
    page.fill("#field-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/console")
    return page


def test_a_payment_is_found_and_read_without_a_script(browser: Browser, site: str) -> None:
    page = opened(browser, site, script=False)
    page.click("nav >> text=Payments")
    page.fill("#field-q", "order-17")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="order-17", exact=True).click()
    assert page.locator("h1").inner_text() == "Payment order-17"
    assert page.locator(".steps > li").count() == 1
    page.click("text=Why this route")
    assert page.locator("h2 >> text=What was known").count() == 1
    page.context.close()


def test_a_route_is_taken_down_and_up_by_the_keyboard(browser: Browser, site: str) -> None:
    page = opened(browser, site)
    page.click("nav >> text=Routes")
    for word, state in (("down", "down"), ("up", "up")):
        page.get_by_label(f"Take adyen {word}", exact=True).focus()
        page.keyboard.press("Enter")
        page.fill("#field-reason", "it hangs")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site}/console/routes")
        assert page.get_by_role("status").inner_text() == f"adyen is {state}."
        row = page.locator("#routes tr", has_text="adyen")
        assert row.locator(".tag").inner_text() == state
    page.context.close()


@pytest.mark.parametrize(
    ("scheme", "paths"),
    [
        ("light", ["routes?by=issuer&span=24h", "payments/order-3"]),
        ("dark", ["routes", "payments?outcome=declined&issuer=Bank+1", "decisions/4"]),
    ],
)
def test_axe_finds_no_serious_fault_and_the_browser_refuses_nothing(
    browser: Browser, site: str, scheme: str, paths: list[str]
) -> None:
    page = opened(browser, site, scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    found = faults(page)
    for path in paths:
        answer = page.goto(f"{site}/console/{path}")
        assert answer is not None
        assert answer.status == 200
        found += faults(page)
    assert found == []
    assert said == []
    page.context.close()
