"""What a person must be good for to see a page or send a form: said where the page is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from service.security.caller import Scope

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "authopt_needs"


def needs(scope: Scope | None) -> Callable[[View], View]:
    """Mark a view with the scope that it needs; None: it is open to all.

    A view without a mark needs ``read`` for a look, and ``operate`` for everything else.
    """

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, scope)
        return view

    return mark


def needed(view: Callable[..., Any], method: str) -> Scope | None:
    """What a view needs."""
    usual = Scope.READ if method in ("GET", "HEAD") else Scope.OPERATE
    found = getattr(view, _ATTRIBUTE, usual)
    assert found is None or isinstance(found, Scope)
    return found
