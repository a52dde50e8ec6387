"""Files that come with a form: taken where the page is made for them, and only so large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "authopt_takes_file"


def takes_file(most_bytes: int) -> Callable[[View], View]:
    """Mark a view whose form brings a file of at most so many bytes."""

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, most_bytes)
        return view

    return mark


def largest_file(view: Callable[..., Any]) -> int | None:
    """How large the file of a view's form may be, bytes; None where it takes none."""
    found = getattr(view, _ATTRIBUTE, None)
    assert found is None or isinstance(found, int)
    return found
