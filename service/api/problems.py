"""Errors as ``application/problem+json`` (RFC 9457), which name the field and echo no value."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

_log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request; ``field`` is its path, such as ``context.bin``."""

    field: str
    message: str


class ProblemBody(msgspec.Struct, frozen=True):
    """The body of every error."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    errors: list[FieldError] = []


class Problem(Exception):
    """An error that the client is told about."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *errors: FieldError,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address does not take this method; see the Allow header",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too large",
    HTTPStatus.BAD_REQUEST: "the request could not be read",
}
_INTERNAL = "the service failed; its log says why"


def response(status: HTTPStatus, detail: str, errors: list[FieldError]) -> Response:
    """The response for a problem."""
    body = ProblemBody(status.phrase, status.value, detail, errors=errors)
    return Response(msgspec.json.encode(body), status.value, content_type=PROBLEM_JSON)


def register(app: Flask) -> None:
    """Answer every error of the app as a problem."""

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        answer = response(error.status, error.detail, list(error.errors))
        answer.headers.update(error.headers)
        return answer

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        # Werkzeug's own descriptions may quote the request.
        answer = response(status, _DETAILS.get(status, status.phrase), [])
        allowed = dict(error.get_headers()).get("Allow")
        if allowed:
            answer.headers["Allow"] = allowed
        return answer

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        _log.error("a request failed", exc_info=error)
        return response(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL, [])
