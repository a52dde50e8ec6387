"""People do their work in a real browser, on a service as it is started in production."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks._console_demo import REPORT, Demo, make_demo
from benchmarks.console_pages import faults, served, sign_in
from service.store.changes import Change, history
from service.store.engine import open_engine
from tests.service.console.browsing import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.acceptance

PAYMENTS = 2_000


@dataclass(frozen=True, slots=True)
class Site:
    """A service in a process of its own, and what its store holds."""

    demo: Demo
    address: str

    def last(self, kind: str, subject: str) -> Change:
        """The change that holds, by the store."""
        engine = open_engine(self.demo.url)
        with engine.connect() as connection:
            told = history(connection, "default", kind, subject)
        engine.dispose()
        return told[-1]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # After the browser: without one, there is nothing to serve for.
    folder = tmp_path_factory.mktemp("site")
    demo = make_demo(folder, PAYMENTS)
    with served(demo, folder) as address:
        yield Site(demo, address)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Of an operator, in a browser that runs no script of the console: there is none."""
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    page.set_default_timeout(20_000)
    sign_in(page, site.address, "olaf")
    yield page
    context.close()


def confirm(page: Page, button: str, reason: str) -> str:
    """Give a reason, send the form, and read what was done."""
    page.fill("#field-reason", reason)
    page.click(f"button:has-text('{button}')")
    return page.inner_text("[role=status]")


def test_a_payment_is_found_and_its_decisions_are_read(page: Page, site: Site) -> None:
    page.click("nav >> text=Payments")
    page.fill("input[name=q]", site.demo.payment)
    page.keyboard.press("Enter")
    page.click(f"main a:has-text('{site.demo.payment}') >> nth=0")
    told = page.inner_text("main")
    assert site.demo.payment in told
    assert "0.4000" in told
    assert "0.1500" in told


def test_a_route_is_taken_down_and_up_again(page: Page, site: Site) -> None:
    page.click("nav >> text=Routes")
    page.click("main a[href*='/routes/down?route=adyen']")
    confirm(page, "down", "it is down for all")
    change = site.last("route", "adyen")
    assert (change.actor, change.reason) == ("olaf", "it is down for all")
    assert change.value["state"] == "down"
    page.click("main a[href*='/routes/up?route=adyen']")
    confirm(page, "up", "it is back")
    assert site.last("route", "adyen").value["state"] == "up"


def test_a_model_is_promoted_as_the_gate_says(page: Page, site: Site) -> None:
    page.click("nav >> text=Policies")
    page.click(f"main a:has-text('{site.demo.refused[:12]}')")
    page.click("text=Promote")
    assert "it must exceed" in page.inner_text("main")
    assert page.locator("main form").count() == 0
    page.click("nav >> text=Policies")
    page.click(f"main a:has-text('{site.demo.admitted[:12]}')")
    page.click("text=Promote")
    assert "better than logged" in page.inner_text("main")
    assert "is live" in confirm(page, "Promote", "the gate passed")
    assert site.last("policy", "live").value["sha256"] == site.demo.admitted


def test_an_experiment_is_stopped_and_another_one_started(page: Page, site: Site) -> None:
    page.click("nav >> text=Experiments")
    page.click("main a:has-text('summer')")
    page.click("text=Stop")
    page.select_option("#field-verdict", "keep")
    assert "stopped" in confirm(page, "Stop it", "long enough")
    page.click("nav >> text=Experiments")
    page.click("text='Start one'")
    page.fill("#field-name", "autumn")
    page.fill("#field-arm_2", "even")
    page.fill("#field-spec_2", "uniform")
    assert "runs" in confirm(page, "Start it", "does it pay?")
    assert site.last("experiment", "autumn").value["state"] == "running"
    assert site.last("experiment", "summer").value["decision"]["verdict"] == "keep"


def test_a_report_is_read_and_its_script_has_no_rights(page: Page, site: Site) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.click("nav >> text=Reports")
    page.click(f"main a:has-text('{REPORT}')")
    frame = page.frame_locator("iframe")
    frame.locator("#of-routes .main-svg").first.wait_for()
    assert said == []
    inside = page.frames[-1]
    assert inside.evaluate("origin") == "null"
    reaches = "fetch('/console/audit').then(() => 'reached', () => 'refused')"
    assert inside.evaluate(reaches) == "refused"
    with pytest.raises(Exception, match="sandboxed"):
        inside.evaluate("document.cookie")


def test_a_viewer_is_offered_nothing_to_change(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site.address, "vera")
    for path in ("/policies", "/experiments", "/experiments/summer", "/policies/canary"):
        page.goto(f"{site.address}/console{path}")
        assert page.locator("main form[method=post], main a[href$='/stop']").count() == 0
    context.close()


def test_axe_finds_no_serious_fault_on_any_page_light_or_dark(browser: Browser, site: Site) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, site.address, "ann")
    found = {}
    for name, path in site.demo.pages().items():
        page.emulate_media(color_scheme="light")
        answer = page.goto(f"{site.address}/console{path}", wait_until="domcontentloaded")
        assert answer is not None
        found[name] = faults(page) if answer.status == 200 else [f"answered {answer.status}"]
        if "-" not in name:
            # Forms, whose names have a hyphen, have the colours of the other pages.
            page.emulate_media(color_scheme="dark")
            found[name] += faults(page, ["color-contrast"])
    assert {name: each for name, each in found.items() if each} == {}
    context.close()


def test_a_report_is_added_and_whoever_an_admin_adds_reads_it(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "june.html"
    file.write_text(
        "<!doctype html><title>June</title><p class=verdict>All is well.</p>"
        "<script>document.body.append('drawn by its script')</script>"
    )
    visits = [browser.new_context(java_script_enabled=False), browser.new_context()]
    admin, reader = (visit.new_page() for visit in visits)
    sign_in(admin, site.address, "ann")
    admin.click("nav >> text=Reports")
    admin.click("text='Add a report'")
    admin.set_input_files("#field-file", file)
    assert "June is in the archive" in confirm(admin, "Add it", "for the board")
    admin.click("nav >> text=Users")
    admin.click("text='Add a user'")
    admin.fill("#field-username", "june@shop.example")
    confirm(admin, "Add", "she reads reports")
    password = admin.inner_text(".password")
    sign_in(reader, site.address, "june@shop.example", password)
    assert reader.locator("nav >> text=Users").count() == 0
    reader.click("nav >> text=Reports")
    reader.click("main a:has-text('June')")
    assert "drawn by its script" in reader.frame_locator("iframe").locator("body").inner_text()
    for visit in visits:
        visit.close()
