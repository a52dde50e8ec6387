"""Policies by a short text, as they are named on the command line.

A spec is ``NAME``, ``NAME:FILE``, ``NAME:key=value,...`` or ``NAME:FILE,key=value,...``. A comma
followed by something that is no key of the policy belongs to the value before it, so that
``priority:routes=a,b,c`` is one list of three.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from authopt.errors import UserError
from authopt.policies.best_route import BestRoute
from authopt.policies.logged import LoggedPolicy
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.table import TablePolicy
from authopt.policies.uniform import Uniform

EPSILON = "epsilon"
"""Key that every policy but ``logged`` and ``uniform`` has: mix it with that much of uniform."""


class SpecError(UserError):
    """A spec that is not understood, whatever the files say."""


@dataclass(frozen=True, slots=True)
class _Family:
    """How one family of policies is written and made."""

    form: str
    make: Callable[[Path | None, _Options], Policy]
    keys: tuple[str, ...] = ()
    takes_file: bool = False
    needs_file: bool = False


@dataclass(frozen=True, slots=True)
class _Options:
    """Keys and values of one spec, with errors that quote it."""

    spec: str
    values: Mapping[str, str]

    def text(self, key: str) -> str | None:
        return self.values.get(key)

    def number(self, key: str, default: float) -> float:
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
        value = float(self.number(key, default))
        if not value.is_integer():
            raise SpecError(
                f"policy {self.spec!r}: {key} is {self.values[key]!r}; expected a whole number"
            )
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        text = self.values.get(key)
        if text is None:
            return default
        if text not in ("yes", "no"):
            raise SpecError(f"policy {self.spec!r}: {key} is {text!r}; expected yes or no")
        return text == "yes"

    def list(self, key: str, separator: str) -> tuple[str, ...] | None:
        text = self.values.get(key)
        if text is None:
            return None
        return tuple(part.strip() for part in text.split(separator) if part.strip())


def load_policy(text: str) -> Policy:
    """The policy that a spec names.

    ============ ==================================================================================
    uniform      every eligible action alike
    priority     ``priority:routes=a,b,c``: the waterfall; ``cascade=no`` starts a retry at the top
    logged       the policy that made the log (for ``authopt evaluate``)
    best-route   ``best-route:best.json``: the best single route
    success-rate ``success-rate`` (knows nothing yet, and learns), ``success-rate:rate.json``;
                 ``window=200``, ``hedging=0.05``, ``dimensions=network+currency``, ``strength=10``
    table        ``table:router.csv``: probabilities by columns of the context, route and delay
    vw           ``vw:model.vw``: a model that ``authopt train`` made
    ============ ==================================================================================

    With ``epsilon=0.05`` any of them is mixed with that much of uniform.

    Raises
    ------
    SpecError
        If the spec is not understood.
    UserError
        If its file is missing or unsound.
    """
    name, _, rest = text.strip().partition(":")
    family = _FAMILIES.get(name)
    if family is None:
        forms = "\n  ".join(each.form for each in _FAMILIES.values())
        raise SpecError(f"policy {text!r} is not known. Expected one of\n  {forms}")
    file, values = _parts(text, name, family, rest)
    options = _Options(text, values)
    policy = family.make(file, options)
    if EPSILON in values:
        epsilon = options.number(EPSILON, 0.0)
        if not 0.0 <= epsilon <= 1.0:
            raise SpecError(f"policy {text!r}: epsilon is {epsilon:g}; expected 0 to 1")
        return mixed(policy, epsilon) if epsilon else policy
    return policy


def _parts(text: str, name: str, family: _Family, rest: str) -> tuple[Path | None, dict[str, str]]:
    """The file, if any, and the values by key."""
    file: Path | None = None
    values: dict[str, str] = {}
    last: str | None = None
    for number, piece in enumerate(rest.split(",") if rest else ()):
        key, equals, value = piece.partition("=")
        key = key.strip()
        if equals and key in family.keys:
            if key in values:
                raise SpecError(f"policy {text!r}: {key} is given twice")
            values[key] = value.strip()
            last = key
        elif last is not None and not (equals and _looks_like_key(key)):
            values[last] += "," + piece
        elif number == 0 and family.takes_file and not _is_wrong_key(key, equals, piece):
            file = Path(piece.strip())
        elif file is not None and last is None and not equals:
            file = Path(f"{file},{piece}")
        else:
            known = ", ".join(family.keys) or "none"
            raise SpecError(
                f"policy {text!r}: {piece.strip()!r} is not understood. The keys of {name!r} are: "
                f"{known}. Expected {family.form}"
            )
    if family.needs_file and file is None:
        raise SpecError(f"policy {text!r} needs a file. Expected {family.form}")
    return file, values


def _is_wrong_key(key: str, equals: str, piece: str) -> bool:
    return bool(equals) and _looks_like_key(key) and not Path(piece).exists()


def _looks_like_key(key: str) -> bool:
    return re.fullmatch(r"[a-z_-]+", key) is not None


def _uniform(_: Path | None, options: _Options) -> Policy:
    return Uniform()


def _logged(_: Path | None, options: _Options) -> Policy:
    return LoggedPolicy()


def _priority(_: Path | None, options: _Options) -> Policy:
    routes = options.list("routes", ",")
    if not routes:
        raise SpecError(f"policy {options.spec!r} needs routes, best first: priority:routes=a,b,c")
    return Priority(routes, options.flag("cascade", True))


def _best_route(file: Path | None, options: _Options) -> Policy:
    return BestRoute() if file is None else BestRoute.load(file)


def _success_rate(file: Path | None, options: _Options) -> Policy:
    if file is None:
        fresh = SuccessRate()
        dimensions = options.list("dimensions", "+")
        return SuccessRate(
            options.whole("window", fresh.window),
            options.number("hedging", fresh.hedging),
            fresh.dimensions if dimensions is None else dimensions,
            options.number("strength", fresh.strength),
        )
    fixed = [key for key in ("window", "dimensions", "strength") if options.text(key) is not None]
    if fixed:
        raise SpecError(
            f"policy {options.spec!r}: {', '.join(fixed)} cannot be changed on a trained policy. "
            "Train another with: authopt train LOG --policy success-rate --out FILE.json"
        )
    policy = SuccessRate.load(file)
    hedging = options.number("hedging", policy.hedging)
    if not 0.0 <= hedging <= 1.0:
        raise SpecError(f"policy {options.spec!r}: hedging is {hedging:g}; expected 0 to 1")
    policy.hedging = hedging
    return policy


def _table(file: Path | None, options: _Options) -> Policy:
    assert file is not None
    return TablePolicy.load(file)


def _vw(file: Path | None, options: _Options) -> Policy:
    # Vowpal Wabbit takes a third of a second to import, and only this policy needs it.
    from authopt.policies.vw import VwPolicy

    assert file is not None
    return VwPolicy.load(file)


_FAMILIES: Mapping[str, _Family] = {
    "uniform": _Family("uniform", _uniform),
    "priority": _Family(
        "priority:routes=a,b,c[,cascade=no][,epsilon=0.05]",
        _priority,
        ("routes", "cascade", EPSILON),
    ),
    "logged": _Family("logged", _logged),
    "best-route": _Family(
        "best-route[:FILE.json][,epsilon=0.05]", _best_route, (EPSILON,), takes_file=True
    ),
    "success-rate": _Family(
        "success-rate[:FILE.json or window=200,hedging=0.05,dimensions=network+currency]",
        _success_rate,
        ("window", "hedging", "dimensions", "strength", EPSILON),
        takes_file=True,
    ),
    "table": _Family(
        "table:FILE.csv[,epsilon=0.05]", _table, (EPSILON,), takes_file=True, needs_file=True
    ),
    "vw": _Family("vw:FILE.vw[,epsilon=0.05]", _vw, (EPSILON,), takes_file=True, needs_file=True),
}
