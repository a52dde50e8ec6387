"""Headers of every answer, and heads that are too large."""

from __future__ import annotations

import pytest
from flask import Flask

from service.security.headers import MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL
from tests.service.in_process import problem


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/docs"),
        ("GET", "/nothing/here"),
        ("DELETE", "/v1/decisions"),
        ("POST", "/v1/outcomes"),
        ("GET", "/healthz?card=4111111111111111"),
    ],
)
def test_every_answer_forbids_what_a_browser_could_do_with_it(
    lasting_app: Flask, method: str, path: str
) -> None:
    headers = lasting_app.test_client().open(path, method=method).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers.getlist("Server") == ["authopt"]


def test_an_address_that_is_too_long_is_refused(lasting_app: Flask) -> None:
    assert lasting_app.test_client().get(f"/healthz?x={'a' * (MAX_URL - 20)}").status_code == 200
    problem(lasting_app.test_client().get(f"/healthz?x={'a' * MAX_URL}"), 414)


def test_too_many_headers_are_refused(lasting_app: Flask) -> None:
    problem(
        lasting_app.test_client().get(
            "/healthz", headers=[(f"X-{i}", "a") for i in range(MAX_HEADERS)]
        ),
        431,
    )


def test_headers_that_are_too_large_are_refused(lasting_app: Flask) -> None:
    problem(
        lasting_app.test_client().get("/healthz", headers={"X-Large": "a" * MAX_HEADER_BYTES}), 431
    )
