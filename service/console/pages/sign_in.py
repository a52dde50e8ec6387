"""Sign in, sign out, and the colours of the page, which need nobody to be signed in."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, g, redirect, request

from service.api.operating import refusals
from service.console.backing import Backing
from service.console.frame import THEME, home, page
from service.console.stylesheet import THEMES
from service.people.admission import SIGN_IN, signed_in
from service.people.cookies import FORM, SESSION, new_token
from service.people.needs import needs
from service.people.sessions import end
from service.people.sign_in import FREE_TRIES, sign_in
from service.people.way_back import way_back
from service.security.caller import Scope
from service.store.changes import writing

_THEME_S = 365 * 86_400
_REFUSED = (
    "Not signed in: the name or the password is wrong, or there were too many tries. "
    f"After {FREE_TRIES} wrong passwords in a row a name must wait, longer each time."
)


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    @blueprint.get("/sign-in", endpoint="sign_in")
    @needs(None)
    def form() -> Response:
        if signed_in() is not None:
            return _go(way_back(request.args.get("next"), home()))
        return _form(request.args.get("next"))

    @blueprint.post("/sign-in", endpoint="sign_in_sent")
    @needs(None)
    def sent() -> Response:
        name = request.form.get("username", "").strip().lower()
        password = request.form.get("password", "")
        with refusals("form"):
            token = sign_in(backing.engine, name, password, SESSION.token(request))
        if token is None:
            return _form(request.form.get("next"), _REFUSED)
        answer = _go(way_back(request.form.get("next"), home()))
        SESSION.write(request, answer, token, None)
        FORM.clear(request, answer)
        return answer

    @blueprint.post("/sign-out")
    @needs(Scope.READ)
    def sign_out() -> Response:
        found = signed_in()
        assert found is not None
        with refusals("form"), writing(backing.engine) as connection:
            end(connection, found.token)
        answer = _go(SIGN_IN)
        SESSION.clear(request, answer)
        return answer

    @blueprint.post("/theme")
    @needs(None)
    def theme() -> Response:
        chosen = request.form.get("theme")
        answer = _go(way_back(request.form.get("next"), home()))
        THEME.write(request, answer, chosen if chosen in THEMES else THEMES[0], _THEME_S)
        return answer


def _form(back: str | None, refused: str | None = None) -> Response:
    bound = FORM.token(request)
    if bound is None:
        bound = g.form_secret = new_token()
    answer = page(
        "sign_in.html",
        title="Sign in",
        here="sign-in",
        status=HTTPStatus.OK if refused is None else HTTPStatus.UNAUTHORIZED,
        back=way_back(back, ""),
        refused=refused,
    )
    FORM.write(request, answer, bound, None)
    return answer


def _go(where: str) -> Response:
    answer = redirect(where, HTTPStatus.SEE_OTHER)
    assert isinstance(answer, Response)
    return answer
