"""After the sign-in nobody is led to another site."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.people.way_back import way_back

PIECES = st.lists(
    st.sampled_from(
        ["/", "//", "\\", "console", "/console", "..", "@", ":", "?", "#", "evil.example"]
    )
    | st.text(max_size=4),
    max_size=8,
)


@pytest.mark.parametrize("asked", ["/console", "/console/payments?q=a%20b&page=2", "/console/x#y"])
def test_a_page_of_the_console_is_gone_back_to(asked: str) -> None:
    assert way_back(asked, "/elsewhere") == asked


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "",
        "console",
        "https://evil.example/console",
        "//evil.example/console",
        "/\\evil.example",
        "/console\\..\\..",
        "/console/../v1/keys",
        "/console//evil.example",
        "/consoles",
        "/v1/decisions",
        "/console\n",
        "/console/\t/evil",
        "javascript:alert(1)",
        "/console/" + "x" * 3000,
    ],
)
def test_anything_else_leads_home(asked: str | None) -> None:
    assert way_back(asked, "/home") == "/home"


@given(PIECES)
def test_whatever_is_asked_for_stays_in_the_console(pieces: list[str]) -> None:
    where = way_back("".join(pieces), "/console")
    to = urlsplit(urljoin("https://pay.example/console/sign-in", where))
    assert to.netloc == "pay.example"
    assert to.path == "/console" or to.path.startswith("/console/")
