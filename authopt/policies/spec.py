"""Policies by a short text, as they are named on the command line.

A spec is ``NAME``, ``NAME:FILE``, ``NAME:key=value,...`` or ``NAME:FILE,key=value,...``. A comma
followed by something that is no key of the policy belongs to the value before it, so that
``priority:routes=a,b,c`` is one list of three. ``WRAPPER+SPEC`` wraps the policy of a spec.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.mixed import mixed
from authopt.policies.protocol import Policy

FAMILIES: Mapping[str, str] = {
    "uniform": "authopt.policies.uniform",
    "priority": "authopt.policies.priority",
    "schedule": "authopt.policies.schedule",
    "random-split": "authopt.policies.random_split",
    "lowest-cost": "authopt.policies.lowest_cost",
    "best-time": "authopt.policies.best_time",
    "apprentice": "authopt.policies.apprentice",
    "logged": "authopt.policies.logged",
    "best-route": "authopt.policies.best_route",
    "success-rate": "authopt.policies.success_rate",
    "success-rate-elimination": "authopt.policies.success_rate_elimination",
    "ucb": "authopt.policies.bandits.ucb",
    "thompson": "authopt.policies.bandits.thompson",
    "hierarchical-thompson": "authopt.policies.bandits.hierarchical",
    "guarded": "authopt.policies.guard",
    "expected-money": "authopt.policies.expected_money",
    "spibb": "authopt.policies.spibb",
    "table": "authopt.policies.table",
    "vw": "authopt.policies.vw",
    "online": "authopt.policies.online.specs",
    "recommended": "authopt.policies.online.recommended",
}
"""The module of each family; its ``FAMILY`` says how specs are written and made. Modules are
imported when they are asked for: Vowpal Wabbit alone takes a third of a second."""

WRAPPERS: Mapping[str, str] = {
    "guarded": "authopt.policies.guard",
    "scheduled": "authopt.policies.schedule",
}
"""The module of each wrapper; its ``wrap`` makes a policy from a policy."""


def family_of(name: str) -> Family:
    """The family of a name in ``FAMILIES``."""
    family = import_module(FAMILIES[name]).FAMILY
    assert isinstance(family, Family)
    return family


def load_policy(text: str) -> Policy:
    """The policy that a spec names.

    ============ ==================================================================================
    uniform      every eligible action alike
    priority     ``priority:routes=a,b,c``: the waterfall; ``cascade=no`` starts a retry at the top
    schedule     ``schedule:routes=a+b+c,days=1+3+5+7``: the waterfall, its retries on a timetable
    random-split ``random-split:weights=a:3+b:1``: routes by their share of the traffic
    lowest-cost  ``lowest-cost:prices.toml``: the route of the lowest fee; ``approval=0.9``
    apprentice   ``apprentice:a.json,acting=0.1``: as the merchant's router, and better by and by
    best-time    ``best-time:best-time.json``: boosted trees of approval by route and time, greedily
    logged       the policy that made the log (for ``authopt evaluate``)
    best-route   ``best-route:best.json``: the best single route
    success-rate ``success-rate`` (knows nothing yet, and learns), ``success-rate:rate.json``;
                 ``window=200``, ``hedging=0.05``, ``dimensions=network+currency``, ``strength=10``
                 ``start=full`` and ``hedge=others`` as Juspay's decision engine does it
    success-rate-elimination
                 the same engine's, with elimination of routes that are down; ``normal=0.85``,
                 ``down=0.4``, ``deviations=5``, ``elimination_dimensions=network``
    ucb          upper confidence bounds: ``discount=0.9999`` or ``window=1000``,
                 ``exploration=0.0005``, ``dimensions=previous_response_code+issuer``
    thompson     Thompson sampling with exact probabilities: the same keys but exploration
    hierarchical-thompson
                 ``segments=previous_response_code+currency+issuer``, the widest first: segments
                 with little traffic lean on wider ones; ``half_life_days=60``, ``strength=50``
    guarded      ``guarded+SPEC``: any policy, kept off routes that are down; ``guarded:FILE.json``
    expected-money
                 ``expected-money:money.json,reward=FILE.toml``: chance of approval by a model of
                 each route, times what an approval is worth
    spibb        ``spibb:safe.json``: a candidate where the log supports it, else the live policy
    table        ``table:router.csv``: probabilities by columns of the context, route and delay
    vw           ``vw:model.vw``: a model that ``authopt train`` made
    online       ``online``: Vowpal Wabbit that starts knowing nothing and learns; ``online:FILE``
                 goes on from a saved one, or from a model that ``authopt train`` made
    recommended  ``recommended``: the learner, guarded, with exploration at a price; what we use
    ============ ==================================================================================

    With ``epsilon=0.05`` any of them is mixed with that much of uniform.

    Raises
    ------
    SpecError
        If the spec is not understood.
    UserError
        If its file is missing or unsound.
    """
    wrapper, plus, wrapped = text.strip().partition("+")
    if plus and wrapper in WRAPPERS:
        policy = import_module(WRAPPERS[wrapper]).wrap(load_policy(wrapped))
        assert isinstance(policy, Policy)
        return policy
    name, _, rest = text.strip().partition(":")
    if name not in FAMILIES:
        forms = "\n  ".join(family_of(each).form for each in FAMILIES)
        raise SpecError(f"policy {text!r} is not known. Expected one of\n  {forms}")
    family = family_of(name)
    file, values = _parts(text, name, family, rest)
    options = Options(text, values)
    policy = family.make(file, options)
    if EPSILON in values and not family.own_epsilon:
        epsilon = options.number(EPSILON, 0.0)
        if not 0.0 <= epsilon <= 1.0:
            raise SpecError(f"policy {text!r}: epsilon is {epsilon:g}; expected 0 to 1")
        return mixed(policy, epsilon) if epsilon else policy
    return policy


def _parts(text: str, name: str, family: Family, rest: str) -> tuple[Path | None, dict[str, str]]:
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
