"""Forms of other sites are refused."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from service.api.problems import Problem
from service.people.cookies import new_token
from service.people.csrf import check_form, form_token

SECRET = new_token()


def sent(token: str | None = None, **headers: str) -> Request:
    data = {} if token is None else {"csrf": token}
    builder = EnvironBuilder(
        method="POST", base_url="http://127.0.0.1:8000", data=data, headers=headers
    )
    return Request(builder.get_environ())


def refused(request: Request, secret: str | None = SECRET) -> bool:
    try:
        check_form(request, secret)
    except Problem as problem:
        return problem.status == 403
    return False


def test_the_token_of_the_cookie_is_taken() -> None:
    assert not refused(sent(form_token(SECRET)))


@pytest.mark.parametrize(
    "token",
    [None, "", "é", SECRET, form_token(new_token()), form_token(SECRET)[:-1]],
    ids=["none", "empty", "not ASCII", "the secret", "of another secret", "cut short"],
)
def test_any_other_is_refused(token: str | None) -> None:
    assert refused(sent(token))


def test_without_a_cookie_no_token_is_right() -> None:
    assert refused(sent(form_token(SECRET)), None)


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://127.0.0.1:8000"}, True),
        ({"Origin": "http://127.0.0.1:8001"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://[["}, False),
    ],
)
def test_where_a_form_comes_from_counts_beside_its_token(
    headers: dict[str, str], taken: bool
) -> None:
    assert refused(sent(form_token(SECRET), **headers)) is not taken
