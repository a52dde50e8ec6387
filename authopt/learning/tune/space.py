"""What is tuned: options by name with the values to try, and how candidates are drawn from them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import msgspec
import numpy as np

from authopt.errors import UserError
from authopt.policies.vw_options import VwOptions

Value: TypeAlias = str | float | int
Space: TypeAlias = Mapping[str, tuple[Value, ...]]

TRAINING = ("targets", "later", "interactions")
"""Options of the training that are none of VW's."""

DEFAULTS: Mapping[str, Value] = {
    "targets": "observed",
    "later": "observed",
    "interactions": "declared",
}

CHOICES: Mapping[str, tuple[str, ...]] = {
    "targets": ("observed", "dr"),
    "later": ("observed", "fitted"),
    "interactions": ("declared", "route", "none"),
}

SPACE: Space = {
    "explorer": ("epsilon", "bag", "cover"),
    "weighting": ("regression", "ips"),
    "learning_rate": (0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    "power_t": (0.0, 0.25, 0.5),
    "l2": (0.0, 1e-7, 1e-6),
    "later": ("observed", "fitted"),
    "interactions": ("declared", "route"),
}
"""What is tried unless told otherwise. ``squarecb``, ``regcb``, ``softmax`` and ``rnd`` are not in
it: played greedily they are ``epsilon``, and what they explore does not show in one log."""

_LARGEST_GRID = 2_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to train.

    Attributes
    ----------
    values
        the options that are tried, by name, in the order of the space.
    """

    values: tuple[tuple[str, Value], ...]

    @property
    def label(self) -> str:
        """The options in words; ``default`` where nothing differs from the defaults."""
        told = [f"{name}={_text(value)}" for name, value in self.values if value != default(name)]
        return " ".join(told) or "default"

    @property
    def key(self) -> str:
        """A short text that differs between candidates, for names of files."""
        return hashlib.sha256(msgspec.json.encode(self.values)).hexdigest()[:16]

    def vw_options(self, base: VwOptions) -> VwOptions:
        """VW's options: those of ``base``, with what is tried in their place.

        Raises
        ------
        UserError
            If they do not go together.
        """
        changed = {name: value for name, value in self.values if name not in TRAINING}
        known: dict[str, Any] = {item.name: getattr(base, item.name) for item in fields(base)}
        return VwOptions(**{**known, **changed})

    def training(self, name: str) -> Value:
        """The value of one of ``TRAINING``."""
        return dict(self.values).get(name, DEFAULTS[name])


def default(name: str) -> Value:
    """The value of an option that nobody has tuned."""
    found: Value = DEFAULTS[name] if name in DEFAULTS else getattr(VwOptions(), name)
    return found


def parse_over(texts: Iterable[str]) -> dict[str, tuple[Value, ...]]:
    """Dimensions from ``NAME=VALUE,VALUE,...``.

    Raises
    ------
    UserError
        If a name or a value is not understood.
    """
    space: dict[str, tuple[Value, ...]] = {}
    tunable = [item.name for item in fields(VwOptions) if item.name not in _NOT_TUNED]
    for text in texts:
        name, equals, given = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in (*tunable, *TRAINING):
            raise UserError(
                f"--over {text!r} is not understood; expected NAME=VALUE,VALUE,... with one of "
                f"{', '.join((*tunable, *TRAINING))}"
            )
        space[name] = tuple(_value(name, part.strip()) for part in given.split(","))
    return space


_NOT_TUNED = ("epsilon", "passes", "seed", "cost_range")


def _value(name: str, text: str) -> Value:
    if name in CHOICES:
        if text not in CHOICES[name]:
            raise UserError(f"--over {name}={text}: expected {', '.join(CHOICES[name])}")
        return text
    kind = type(getattr(VwOptions(), name))
    try:
        value: Value = text if kind is str else kind(text)
    except ValueError:
        raise UserError(f"--over {name}={text}: expected a number") from None
    return value


def draw(space: Space, base: VwOptions, count: int, seed: int) -> list[Candidate]:
    """The defaults and ``count - 1`` others, drawn evenly; fewer where the space has no more.

    Combinations that do not go together are passed over.
    """
    found = dict.fromkeys([Candidate(tuple((name, default(name)) for name in space))])
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x7475]))
    names = list(space)
    # Enough draws to exhaust a small space, and an end where it has been.
    for _ in range(50 * count):
        if len(found) >= count:
            break
        values = tuple((name, space[name][rng.integers(len(space[name]))]) for name in names)
        candidate = _simplest(Candidate(values))
        if _sound(candidate, base):
            found[candidate] = None
    return list(found)


def grid(space: Space, base: VwOptions) -> list[Candidate]:
    """The defaults and every combination that goes together.

    Raises
    ------
    UserError
        If there are more than 2,000.
    """
    size = int(np.prod([len(values) for values in space.values()]))
    if size > _LARGEST_GRID:
        raise UserError(
            f"the grid has {size:,} combinations; expected at most {_LARGEST_GRID:,}. Try fewer "
            "values (--over), or draw from them (--candidates)"
        )
    found = {Candidate(tuple((name, default(name)) for name in space)): None}
    for combination in itertools.product(*space.values()):
        candidate = _simplest(Candidate(tuple(zip(space, combination, strict=True))))
        if _sound(candidate, base):
            found[candidate] = None
    return list(found)


def _simplest(candidate: Candidate) -> Candidate:
    """The same way to train with options that have no part in it at their defaults."""
    given = dict(candidate.values)
    idle: Sequence[str] = ()
    if given.get("targets") == "dr":
        idle = ("weighting", "cb_type")
    return Candidate(
        tuple((name, default(name) if name in idle else value) for name, value in given.items())
    )


def _sound(candidate: Candidate, base: VwOptions) -> bool:
    try:
        candidate.vw_options(base)
    except UserError:
        return False
    return True


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
