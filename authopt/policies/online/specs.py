"""How the learner is written as a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.online.policy import OnlineVw
from authopt.policies.vw_options import Optimiser, Weighting

_NUMBERS = (
    *(EPSILON, "gamma", "tries", "most_tries", "lost_per_day"),
    *("learning_rate", "power_t", "l2"),
)
_WORDS = {"optimiser": get_args(Optimiser), "weighting": get_args(Weighting)}
_OTHERS = (*_WORDS, "bits", "seed", "merchant_own", "plan")
_FIXED = (*_NUMBERS[2:], *_OTHERS)


def _make(file: Path | None, options: Options) -> OnlineVw:
    if file is not None:
        options.refuse(_FIXED)
        policy = OnlineVw.load(file)
        policy.epsilon = options.number(EPSILON, policy.epsilon)
        policy.gamma = options.number("gamma", policy.gamma)
        policy.check()
        return policy
    fresh = OnlineVw()
    values: dict[str, Any] = {name: options.number(name, getattr(fresh, name)) for name in _NUMBERS}
    for name, allowed in _WORDS.items():
        values[name] = options.text(name) or getattr(fresh, name)
        if values[name] not in allowed:
            raise SpecError(
                f"policy {options.spec!r}: {name} is {values[name]!r}; expected "
                f"{' or '.join(allowed)}"
            )
    return OnlineVw(
        **values,
        bits=options.whole("bits", fresh.bits),
        seed=options.whole("seed", fresh.seed),
        plan=options.flag("plan", fresh.plan),
        merchant_own=options.flag("merchant_own", fresh.merchant_own),
    )


FAMILY = Family(
    "online[:FILE.json or MODEL.vw][,epsilon=0.02][,gamma=0][,learning_rate=0.05]",
    _make,
    (*_NUMBERS, *_OTHERS),
    takes_file=True,
    own_epsilon=True,
)
