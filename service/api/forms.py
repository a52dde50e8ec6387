"""The bodies of requests and answers, as structs.

Those that batches hold by the thousand are kept from the garbage collector: JSON has no cycles.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from authopt.actions import MAX_DELAY_S
from service.settings import MAX_ACTIONS, MAX_NAME

_LARGEST_EXACT = 2**53

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
Code = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
Moment = Annotated[datetime, Meta(tz=True)]
Whole = Annotated[int, Meta(ge=-_LARGEST_EXACT, le=_LARGEST_EXACT)]


class RequestedAction(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An action that the caller offers. Its features: see ``service.api.action_features``."""

    route: Name
    delay_s: Annotated[int, Meta(ge=0, le=MAX_DELAY_S)] = 0
    features: dict[str, Any] = {}


class DecisionRequest(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """``POST /v1/decisions``. What ``context`` may hold is checked by ``service.api.context``."""

    payment_id: Name
    attempt: Annotated[int, Meta(ge=1, le=10_000)]
    decision_id: Name | None = None
    decided_at: Moment | None = None
    context: dict[str, Any] = {}
    actions: Annotated[list[RequestedAction], Meta(min_length=1, max_length=MAX_ACTIONS)] | None = (
        None
    )


class ChosenAction(Struct, frozen=True, gc=False):
    """The action that was drawn."""

    route: str
    delay_s: int


class EligibleAction(Struct, frozen=True, gc=False):
    """An action that the rules left, with the probability with which it was drawn."""

    route: str
    delay_s: int
    probability: float


class RemovedAction(Struct, frozen=True, gc=False):
    """An action that the rules removed, and why."""

    route: str
    delay_s: int
    reason: str


class PolicyName(Struct, frozen=True, gc=False):
    """Which policy answered; ``sha256`` is of the model's file, where there is one."""

    name: str
    sha256: str | None


class DecisionAnswer(Struct, frozen=True, gc=False):
    """What is answered, and stored, for a decision.

    ``experiment`` and ``arm`` are there only where the payment is part of a trial.
    """

    decision_id: str
    payment_id: str
    attempt: int
    action: ChosenAction
    propensity: float
    policy: PolicyName
    fallback: str | None
    actions: list[EligibleAction]
    removed: list[RemovedAction]
    decided_at: datetime
    recorded: bool = True
    experiment: str | UnsetType = UNSET
    arm: str | UnsetType = UNSET


class RankedAction(Struct, frozen=True, gc=False):
    """An eligible action with what the policy thinks of it: null where it says nothing."""

    route: str
    delay_s: int
    probability: float
    score: float | None


class RankAnswer(Struct, frozen=True, gc=False):
    """What is answered, and stored, for a ranking; ``action`` is the one that was drawn.

    ``scores`` says what the scores are; null where the policy has none. Nothing counts as done
    before its activation. ``experiment`` and ``arm`` as of :class:`DecisionAnswer`.
    """

    decision_id: str
    payment_id: str
    attempt: int
    action: ChosenAction
    propensity: float
    policy: PolicyName
    fallback: str | None
    scores: str | None
    actions: list[RankedAction]
    removed: list[RemovedAction]
    decided_at: datetime
    recorded: bool = True
    experiment: str | UnsetType = UNSET
    arm: str | UnsetType = UNSET


class ActivationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/decisions/{decision_id}/activation``: what the caller did after a ranking.

    ``propensity`` is the probability with which the caller's own way of choosing took the action;
    left out where it took the drawn one, or does not know it.
    """

    route: Name
    delay_s: Annotated[int, Meta(ge=0, le=MAX_DELAY_S)] = 0
    propensity: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None


class ActivationAnswer(Struct, frozen=True):
    """What is on record as done; without a propensity it can judge no policy."""

    decision_id: str
    route: str
    delay_s: int
    propensity: float | None


class OutcomeRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``POST /v1/outcomes``: the fields of ``authopt.payments.OUTCOME_FIELDS``."""

    decision_id: Name
    approved: bool | None = None
    response_code: Code | None = None
    advice_code: Code | None = None
    latency_ms: Annotated[float, Meta(ge=0.0, le=1e9)] | None = None
    fee_minor: Whole | None = None
    outcome_at: Moment | None = None
    refunded_minor: Whole | None = None
    charged_back: bool | None = None
    corrected_at: Moment | None = None
    reward: Annotated[float, Meta(ge=-1e15, le=1e15)] | None = None


class OutcomeAnswer(Struct, frozen=True):
    """The same for the same outcome, however often it is sent."""

    decision_id: str
    recorded: bool
