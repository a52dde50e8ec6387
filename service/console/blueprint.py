"""The console: pages for people, at ``/console``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias

from flask import Blueprint, Response, redirect
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from service.api.problems import Problem
from service.console.backing import Backing
from service.console.frame import home, refusal
from service.console.pages import (
    alarms,
    audit,
    canary,
    experiment_start,
    experiments,
    models,
    overview,
    password,
    payment,
    payments,
    policies,
    report_add,
    reports,
    route_changes,
    routes,
    shadows,
    sign_in,
    users,
)
from service.console.stylesheet import stylesheet
from service.people.admission import CONSOLE
from service.people.needs import needs

_log = logging.getLogger(__name__)

Register: TypeAlias = Callable[[Blueprint, Backing], None]
"""Adds a page, or a few that belong together, to the console."""

PAGES: tuple[Register, ...] = (
    sign_in.register,
    password.register,
    overview.register,
    routes.register,
    route_changes.register,
    payments.register,
    payment.register,
    policies.register,
    models.register,
    canary.register,
    shadows.register,
    experiment_start.register,
    experiments.register,
    report_add.register,
    reports.register,
    alarms.register,
    audit.register,
    users.register,
)
"""Of the modules of ``service.console.pages``."""

_YEAR_S = 365 * 86_400


def console_blueprint(backing: Backing, pages: tuple[Register, ...] = PAGES) -> Blueprint:
    """The pages, for an app; the guard of the service admits people to them."""
    blueprint = Blueprint("console", __name__, url_prefix=CONSOLE)
    _answer_errors(blueprint)

    @blueprint.get("/style.css")
    @needs(None)
    def style() -> Response:
        sheet, _ = stylesheet()
        answer = Response(sheet, content_type="text/css; charset=utf-8")
        answer.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        # Its address changes with its content.
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
        return answer

    @blueprint.get("/")
    def root() -> AnyResponse:
        return redirect(home())

    @blueprint.get("/<path:elsewhere>")
    def nothing(elsewhere: str) -> Response:
        return refusal(HTTPStatus.NOT_FOUND, "Not here", f"There is no page {elsewhere!r}.")

    for register in pages:
        register(blueprint, backing)
    return blueprint


def _answer_errors(blueprint: Blueprint) -> None:
    """Say what is refused on a page of its own."""

    @blueprint.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        answer = refusal(error.status, error.status.phrase, error.detail, error.errors)
        answer.headers.update(error.headers)
        return answer

    @blueprint.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        return refusal(status, status.phrase, f"{status.description or status.phrase}.")

    @blueprint.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        _log.error("a page failed", exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return refusal(status, status.phrase, "The service failed; its log says why.")
