"""What the description says of one operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.security.caller import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A part of the path or of the query.

    Attributes
    ----------
    place
        ``path``, ``query`` or ``header``.
    schema
        JSON Schema.
    """

    name: str
    place: str
    about: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes
    ----------
    method, path
        such as ``GET`` and ``/v1/payments/{payment_id}``.
    name
        unique; ``operationId``.
    group
        heading under which it stands.
    summary, about
        a line, and what else there is to know.
    scope
        what a key must be good for; None: open to all.
    request, answer
        structs of the bodies; None: there is none, or none in JSON.
    media
        of the answer.
    status
        of the answer.
    example, answer_example
        bodies; of the answer, None where it follows from the struct alone.
    problems
        statuses of refusals beside those that all of its kind share.
    """

    method: str
    path: str
    name: str
    group: str
    summary: str
    scope: Scope | None
    about: str = ""
    parameters: tuple[Parameter, ...] = ()
    request: Any = None
    answer: Any = None
    media: str = "application/json"
    status: int = 200
    example: Any = None
    answer_example: Any = None
    problems: tuple[int, ...] = ()
