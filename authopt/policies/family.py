"""How a family of policies is written as a spec, and made from one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from authopt.errors import UserError
from authopt.policies.protocol import Policy

EPSILON = "epsilon"
"""Key of the families that may be mixed with that much of uniform."""


class SpecError(UserError):
    """A spec that is not understood, whatever the files say."""


@dataclass(frozen=True, slots=True)
class Options:
    """Keys and values of one spec, with errors that quote it."""

    spec: str
    values: Mapping[str, str]

    def text(self, key: str) -> str | None:
        """The value as it was written; None where it is not given."""
        return self.values.get(key)

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        text = self.values.get(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise SpecError(f"policy {self.spec!r}: {key} is {text!r}; expected a number")
        return value

    def whole(self, key: str, default: int) -> int:
        """A whole number."""
        value = float(self.number(key, default))
        if not value.is_integer():
            raise SpecError(
                f"policy {self.spec!r}: {key} is {self.values[key]!r}; expected a whole number"
            )
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """``yes`` or ``no``."""
        text = self.values.get(key)
        if text is None:
            return default
        if text not in ("yes", "no"):
            raise SpecError(f"policy {self.spec!r}: {key} is {text!r}; expected yes or no")
        return text == "yes"

    def refuse(self, keys: Iterable[str]) -> None:
        """Refuse keys that would change what a policy of a file has learned.

        Raises
        ------
        SpecError
            If one of them is given.
        """
        if fixed := [key for key in keys if key in self.values]:
            raise SpecError(
                f"policy {self.spec!r}: {', '.join(fixed)} cannot be changed on what has learned. "
                "Leave out the key, or begin anew without the file"
            )

    def list(self, key: str, separator: str) -> tuple[str, ...] | None:
        """The parts between the separators, without blanks around them and without empty ones."""
        text = self.values.get(key)
        if text is None:
            return None
        return tuple(part.strip() for part in text.split(separator) if part.strip())


@dataclass(frozen=True, slots=True)
class Family:
    """One family of policies.

    Attributes
    ----------
    form
        how its specs look, for errors.
    make
        from the file of the spec, if any, and its options.
    keys
        keys that its specs may have. With ``EPSILON`` among them, and no ``own_epsilon``, the
        policy is mixed with uniform from outside.
    takes_file, needs_file
        whether a file may, or must, be named.
    own_epsilon
        whether ``epsilon`` is an option of the policy itself.
    """

    form: str
    make: Callable[[Path | None, Options], Policy]
    keys: tuple[str, ...] = ()
    takes_file: bool = False
    needs_file: bool = False
    own_epsilon: bool = False
