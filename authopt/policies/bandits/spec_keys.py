"""The keys that the specs of all bandits share: what is kept apart, and how it is forgotten."""

from __future__ import annotations

from typing import TypeVar

from authopt.policies.bandits.memory import Memory, new_memory
from authopt.policies.family import Options, SpecError

T = TypeVar("T", bound=str)

FORGETTING = ("discount", "window")
KEYS = (*FORGETTING, "dimensions")


def given_memory(options: Options, discount: float) -> Memory:
    """The memory that a spec asks for; ``discount`` is taken where it says nothing.

    Raises
    ------
    SpecError
        If both ways to forget are given.
    """
    if all(options.text(key) is not None for key in FORGETTING):
        raise SpecError(
            f"policy {options.spec!r}: a discount and a window are two ways to forget; give one"
        )
    if options.text("window") is not None:
        return new_memory(None, options.whole("window", 0))
    return new_memory(options.number("discount", discount), None)


def given_dimensions(options: Options, dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """The dimensions that a spec names; ``dimensions`` where it says nothing."""
    given = options.list("dimensions", "+")
    return dimensions if given is None else given


def one_of(options: Options, key: str, values: tuple[T, ...]) -> T:
    """One of some values; the first where the key is not given.

    Raises
    ------
    SpecError
        If it is something else.
    """
    given = options.text(key)
    for value in values:
        if given in (value, None):
            return value
    raise SpecError(f"policy {options.spec!r}: {key} is {given!r}; expected {' or '.join(values)}")
