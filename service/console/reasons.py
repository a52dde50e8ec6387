"""The reason that every form of a change asks for."""

from __future__ import annotations

from http import HTTPStatus

from flask import request

from authopt.errors import UserError
from service.api.problems import FieldError, Problem
from service.store.changes import check_reason

_MISSING = "say why: it stands in the audit log"


def given_reason() -> str:
    """Why a change is made, as the form says.

    Raises
    ------
    Problem
        422, where it says nothing, or what may not be kept.
    """
    reason = request.form.get("reason", "").strip()
    try:
        check_reason(reason)
    except UserError as error:
        raise _refused(str(error)) from None
    if not reason:
        raise _refused(_MISSING)
    return reason


def _refused(message: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message, FieldError("reason", message))
