"""What the endpoints that operate the service share: the store as they use it, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from msgspec import Meta
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.api.problems import FieldError, Problem
from service.models.refusals import Conflict, NotThere
from service.security.caller import Scope, caller
from service.store.changes import MAX_REASON

Reason = Annotated[str, Meta(max_length=MAX_REASON, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
"""Why a change is made, in the words of who makes it."""


def refuse_unless_admin() -> None:
    """Refuse to override the gate, unless the caller may.

    Raises
    ------
    Problem
        403.
    """
    if Scope.ADMIN not in caller().scopes:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "only an admin may override the gate",
            FieldError("override", "needs the scope admin"),
        )


@contextmanager
def refusals(field: str) -> Iterator[None]:
    """Answer what is refused as a problem: 404, 409 or 422, and 503 where the store fails.

    Parameters
    ----------
    field
        of the request, to name where the request itself is at fault.
    """
    try:
        yield
    except NotThere as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error), FieldError(field, "names none")) from None
    except Conflict as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from None
    except UserError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {error}", FieldError(field, str(error))
        ) from None
    except SQLAlchemyError:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer; nothing was changed"
        ) from None
