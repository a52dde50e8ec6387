"""A person's own password."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, request

from authopt.errors import UserError
from service.api.operating import refusals
from service.console.backing import Backing
from service.console.frame import done, home, page
from service.people.admission import signed_in
from service.people.cookies import SESSION
from service.people.needs import needs
from service.people.passwords import LEAST, MOST, check_password
from service.people.sign_in import change_password, is_password_of
from service.security.caller import Scope

_CHANGED = "Your password is changed. Wherever else you were signed in, you no longer are."


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the page."""

    @blueprint.get("/password", endpoint="password")
    def form() -> Response:
        return _form()

    @blueprint.post("/password", endpoint="password_sent")
    @needs(Scope.READ)
    def sent() -> Response:
        found = signed_in()
        assert found is not None
        new = request.form.get("new", "")
        if new != request.form.get("again"):
            return _form("The new password was not typed the same twice.")
        try:
            check_password(new, found.username)
        except UserError as error:
            return _form(f"{error}.")
        with refusals("form"):
            if not is_password_of(backing.engine, found.username, request.form.get("present", "")):
                return _form("The present password is wrong, or was wrong too often; wait a while.")
            token = change_password(backing.engine, found.username, new)
        answer = done(_CHANGED, home())
        SESSION.write(request, answer, token, None)
        return answer


def _form(refused: str | None = None) -> Response:
    return page(
        "password.html",
        title="Your password",
        here="password",
        status=HTTPStatus.OK if refused is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        refused=refused,
        least=LEAST,
        most=MOST,
        back=home(),
    )
