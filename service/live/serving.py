"""What a merchant's decisions are made with at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authopt.rules import Rules
from service.active_policy import ActivePolicy

if TYPE_CHECKING:
    from service.trials.running import RunningTrial


@dataclass(frozen=True, slots=True)
class Serving:
    """One state, swapped whole: a request that has begun keeps the one that it began with.

    Attributes
    ----------
    tenant
        the merchant.
    active
        the policy, with the weights of the routes in it.
    routes
        the merchant's routes, best first: the static priority on which a decision falls back.
    delays
        seconds.
    rules
        what the networks and the merchant allow.
    down
        those that were taken down; they are removed from the actions, with that as the reason.
    weights
        by route, where an operator gave one.
    killed
        why the static priority decides whatever the policy says; None where it does not.
    candidate
        what should be live but could not be loaded, and why; what was live before decides.
    change
        number of the last change that is in it.
    trial
        the one that the merchant's payments are in; it says what a decision is made with.
    experiment, arm
        of the state that an arm's decisions are made with: which one it is.
    lane
        decisions with policies of different lanes do not wait for each other.
    """

    tenant: str
    active: ActivePolicy
    routes: tuple[str, ...]
    delays: tuple[int, ...]
    rules: Rules
    down: frozenset[str] = frozenset()
    weights: Mapping[str, float] = field(default_factory=dict)
    killed: str | None = None
    candidate: str | None = None
    change: int = 0
    trial: RunningTrial | None = None
    experiment: str | None = None
    arm: str | None = None
    lane: int = 0
