"""A request for a decision that has been checked, with everything that its answer depends on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from service.api.context import check_context
from service.api.forms import DecisionRequest
from service.api.moments import in_utc
from service.deciding.offered import Offered, offered_by
from service.live.serving import Serving


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is to be decided.

    Attributes
    ----------
    serving
        the merchant's state as it was when the request came, with the policy of the arm that the
        payment is in.
    request
        as it was asked.
    decision_id
        of the request, or made for it.
    decided_at
        UTC.
    offered
        the actions, before the rules.
    ranked
        whether the caller decides, and wants every action's score.
    """

    serving: Serving
    request: DecisionRequest
    decision_id: str
    decided_at: datetime
    offered: Offered
    ranked: bool = False


def question_of(
    serving: Serving, request: DecisionRequest, decision_id: str, ranked: bool = False
) -> Question:
    """Check what the form of a request leaves open.

    Raises
    ------
    Problem
        422 if the moment, the context or the actions are unsound.
    """
    moment = request.decided_at
    decided_at = datetime.now(UTC) if moment is None else in_utc("decided_at", moment)
    offered = offered_by(serving, request.actions, request.attempt > 1)
    check_context(request.context)
    if serving.trial is not None:
        serving = serving.trial.serving(serving, request)
    return Question(serving, request, decision_id, decided_at, offered, ranked)
