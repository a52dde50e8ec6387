"""How the learner is written as a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.online.policy import OnlineVw

_NUMBERS = (
    *(EPSILON, "gamma", "tries", "most_tries", "lost_per_day"),
    *("learning_rate", "power_t", "l2"),
)
_FIXED = (*_NUMBERS[2:], "optimiser", "weighting", "bits", "seed", "merchant_own", "plan")


def _make(file: Path | None, options: Options) -> OnlineVw:
    if file is not None:
        options.refuse(_FIXED)
        policy = OnlineVw.load(file)
        policy.epsilon = options.number(EPSILON, policy.epsilon)
        policy.gamma = options.number("gamma", policy.gamma)
        policy.check()
        return policy
    fresh = OnlineVw()
    weighting = options.text("weighting") or fresh.weighting
    if weighting not in ("regression", "ips"):
        raise SpecError(
            f"policy {options.spec!r}: weighting is {weighting!r}; expected regression or ips"
        )
    optimiser = options.text("optimiser") or fresh.optimiser
    if optimiser not in ("adaptive", "coin"):
        raise SpecError(
            f"policy {options.spec!r}: optimiser is {optimiser!r}; expected adaptive or coin"
        )
    numbers: dict[str, Any] = {
        name: options.number(name, getattr(fresh, name)) for name in _NUMBERS
    }
    return OnlineVw(
        **numbers,
        optimiser=optimiser,  # type: ignore[arg-type]
        weighting=weighting,  # type: ignore[arg-type]
        bits=options.whole("bits", fresh.bits),
        seed=options.whole("seed", fresh.seed),
        plan=options.flag("plan", fresh.plan),
        merchant_own=options.flag("merchant_own", fresh.merchant_own),
    )


FAMILY = Family(
    "online[:FILE.json or MODEL.vw][,epsilon=0.02][,gamma=0][,learning_rate=0.05]",
    _make,
    (*_NUMBERS, "optimiser", "weighting", "bits", "seed", "merchant_own", "plan"),
    takes_file=True,
    own_epsilon=True,
)
