"""What a policy does with the payments of a log, by segment, and how it departs from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authopt.policies.logged import LoggedPolicy


@dataclass(frozen=True, slots=True)
class Movement:
    """Traffic that one policy takes from a route, or a delay, and gives to another.

    Attributes
    ----------
    source, target
        names.
    share
        of the segment's decisions; of a decision where several routes lose and several gain, each
        that gains is taken to gain from each that loses in proportion.
    decisions
        the same as an expected count.
    """

    source: str
    target: str
    share: float
    decisions: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Payments of one kind, under a policy and under the live one.

    Attributes
    ----------
    name
        of the segment.
    decisions
        of the log.
    share
        of all decisions.
    routes, live_routes
        mean probability of each route.
    delays, live_delays
        mean probability of each delay; ``stop`` has none, and is among the routes.
    changed
        share of decisions whose action differs if both policies are drawn as alike as can be: the
        mean total variation distance.
    choice_changed
        share of decisions whose likeliest action differs.
    value, live_value
        mean of what the policy expects, by its own model, of what it and of what the live policy
        does; None where it has no such model.
    movements, delay_movements
        the largest first.
    """

    name: str
    decisions: int
    share: float
    routes: Mapping[str, float]
    live_routes: Mapping[str, float]
    delays: Mapping[str, float]
    live_delays: Mapping[str, float]
    changed: float
    choice_changed: float
    value: float | None
    live_value: float | None
    movements: tuple[Movement, ...]
    delay_movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a policy does.

    Attributes
    ----------
    policy, live
        names.
    live_is_observed
        decisions of which the log has the action taken but not all probabilities, so that the live
        policy is known by what it did alone.
    decisions
        of the log.
    meaning
        of ``value``; None where the policy has no model that says what it expects.
    overall
        all decisions.
    by
        segments by column, the largest first.
    """

    policy: str
    live: str
    live_is_observed: int
    decisions: int
    meaning: str | None
    overall: Segment
    by: Mapping[str, tuple[Segment, ...]]


def live_name(said: Behaviour) -> str:
    """The live policy in words."""
    return "the log's own policy" if said.live == LoggedPolicy().name else said.live
