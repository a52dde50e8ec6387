"""The page that asks before something is changed: what will be done, what speaks for and against
it, a reason, and a way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, request

from service.console.frame import page


@dataclass(frozen=True, slots=True)
class Told:
    """A remark on the page: ``tone`` is empty, ``good``, ``warning`` or ``alarm``."""

    text: str
    tone: str = ""
    points: Sequence[str] = ()


def asking(
    title: str,
    *,
    here: str,
    what: str,
    button: str,
    back: str,
    fields: Sequence[Mapping[str, Any]] = (),
    told: Sequence[Told] = (),
    danger: bool = False,
    possible: bool = True,
    refused: str | None = None,
    wide: bool = False,
) -> Response:
    """The page.

    Parameters
    ----------
    title, here
        as of :func:`service.console.frame.page`.
    what
        will be done, in a sentence.
    button
        what it says.
    back
        address of the page that led here.
    fields
        of the form, beside the reason; as the macro ``field`` takes them.
    told
        what should be known before.
    danger
        whether it may cost payments.
    possible
        whether there is a form; without one, ``told`` says why.
    refused
        why what was sent was not done; what was filled in then stands in the fields again.
    wide
        whether fields stand side by side.
    """
    filled = [dict(each) | _sent(each["name"]) for each in fields]
    return page(
        "asking.html",
        title=title,
        here=here,
        status=HTTPStatus.OK if refused is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        what=what,
        button=button,
        back=back,
        fields=filled,
        told=told,
        danger=danger,
        possible=possible,
        refused=refused,
        wide=wide,
    )


def _sent(name: str) -> dict[str, str]:
    return {"value": request.form[name]} if name in request.form else {}
