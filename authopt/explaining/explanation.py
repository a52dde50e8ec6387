"""What there is to say about one decision, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature, or features together, add to the difference of two actions' scores."""

    feature: str
    value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Why one action has a higher score than another.

    Attributes
    ----------
    better, than
        positions of the two actions in :attr:`DecisionExplained.actions`.
    difference
        of their scores.
    parts
        the largest first; parts that are 0 are left out.
    """

    better: int
    than: int
    difference: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ActionExplained:
    """One eligible action.

    Attributes
    ----------
    route, delay_s
        the action.
    score
        what the policy thinks that it is worth; None where it does not say.
    evidence
        what the score rests on, such as attempts and successes.
    probability
        with which the policy takes it.
    shares
        what of the probability is due to what; they sum to it.
    drawn_from, drawn_below
        the action is drawn where the decision's uniform lies between them.
    is_drawn
        whether this policy draws it.
    is_logged
        whether the log says that it was taken.
    logged_probability
        with which the logging policy took it; None where the log does not say.
    """

    route: str
    delay_s: int
    score: float | None
    evidence: Mapping[str, float]
    probability: float
    shares: Mapping[str, float]
    drawn_from: float
    drawn_below: float
    is_drawn: bool
    is_logged: bool
    logged_probability: float | None


@dataclass(frozen=True, slots=True)
class OtherAction:
    """An action that the log does not have among the eligible ones.

    Attributes
    ----------
    route, delay_s
        the action.
    rule
        the rule that removes it; None where no rule that is known does.
    allowed_at
        when that rule lets its route through, UTC; None where it does not within the longest delay
        or no rule removes it.
    """

    route: str
    delay_s: int
    rule: str | None
    allowed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log says of the decision.

    Attributes
    ----------
    action
        position of the logged action.
    propensity
        None where the log does not say.
    is_redrawn
        whether the log's own probabilities draw the logged action with this salt; None where it has
        not all of them.
    reward
        None while it is not known.
    outcome
        what came back, where it is known.
    """

    action: int
    propensity: float | None
    is_redrawn: bool | None
    reward: float | None
    outcome: Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class DecisionExplained:
    """One decision under one policy.

    Attributes
    ----------
    decision_id, payment_id, attempt, decided_at
        which one.
    policy
        name of the policy.
    actions
        eligible ones, in the log's order.
    others
        those that were offered, as far as that is known, and are not eligible.
    uniform, salt
        what drew the action: a hash of the decision id and the salt, in [0, 1).
    score
        what scores mean; None where the policy has none.
    segment
        the kind of payments whose outcomes count for the scores; None where there are no kinds.
    method
        how the parts of a difference were found; None where there are no parts.
    adds_up
        whether the parts of a difference sum to it.
    comparisons
        of the action of the highest score with the next ones, and with the logged one.
    logged
        what the log says.
    """

    decision_id: str
    payment_id: str
    attempt: int
    decided_at: datetime | None
    policy: str
    actions: tuple[ActionExplained, ...]
    others: tuple[OtherAction, ...]
    uniform: float
    salt: str
    score: str | None
    segment: str | None
    method: str | None
    adds_up: bool
    comparisons: tuple[Comparison, ...]
    logged: Logged
