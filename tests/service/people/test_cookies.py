"""How cookies are named and sent."""

from __future__ import annotations

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from service.people.cookies import FORM, SESSION, is_local, new_token


def asked(url: str, **headers: str) -> Request:
    return Request(EnvironBuilder(base_url=url, headers=headers).get_environ())


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_a_browser_on_this_machine_needs_no_tls(host: str) -> None:
    assert is_local(asked(f"http://{host}"))


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://pay.example", {}),
        ("http://10.0.0.5:8000", {}),
        ("https://localhost", {}),
        ("http://localhost.example", {}),
        ("http://127.0.0.1:8000", {"X-Forwarded-Proto": "https"}),
        ("http://127.0.0.1:8000", {"Forwarded": "proto=https"}),
        ("http://127.0.0.1:8000", {"X-Forwarded-For": "203.0.113.7"}),
    ],
)
def test_everywhere_else_cookies_are_for_tls_alone(url: str, headers: dict[str, str]) -> None:
    answer = Response()
    request = asked(url, **headers)
    assert not is_local(request)
    SESSION.write(request, answer, "x", None)
    sent = answer.headers["Set-Cookie"]
    assert sent.startswith("__Host-authopt-session=x;")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(sent.split("; "))
    assert "Domain" not in sent


def test_a_name_without_its_prefix_counts_for_nothing_where_there_is_tls() -> None:
    token = new_token()
    plain = asked("https://pay.example", Cookie=f"authopt-session={token}")
    whole = asked("https://pay.example", Cookie=f"__Host-authopt-session={token}")
    assert [SESSION.token(plain), SESSION.token(whole)] == [None, token]


@pytest.mark.parametrize("text", ["", "x", "é" * 43, "a" * 44, "a" * 42 + "="])
def test_what_is_no_token_is_not_looked_up(text: str) -> None:
    assert SESSION.token(asked("http://localhost", Cookie=f"authopt-session={text}")) is None


def test_tokens_differ_and_are_long() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}


def test_the_form_of_the_sign_in_is_bound_to_a_cookie_that_no_other_site_sends() -> None:
    answer = Response()
    FORM.write(asked("http://localhost"), answer, "x", None)
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
