"""Operations that decide."""

from __future__ import annotations

from service.api.batch import DecisionBatchAnswer, DecisionBatchRequest
from service.api.explain import ExplanationAnswer
from service.api.forms import (
    ActivationAnswer,
    ActivationRequest,
    DecisionAnswer,
    DecisionRequest,
    RankAnswer,
)
from service.openapi.examples import DECISION, DECISION_ANSWER
from service.openapi.operation import Operation, Parameter
from service.security.caller import Scope

IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    about="stands for decision_id where the body names none; of a batch, KEY/0, KEY/1, ...",
    schema={"type": "string", "pattern": "^[!-~]{1,100}$"},
)
DEADLINE = Parameter(
    name="X-Deadline-Ms",
    place="header",
    about="milliseconds within which the caller needs the answer; shortens the service's own limit",
    schema={"type": "integer", "minimum": 1, "maximum": 100_000},
)

DECISIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/v1/decisions",
        name="decide",
        group="Decisions",
        summary="Ask which route to try, and when",
        about="The answer is given once it is on disk. The same decision_id with the same body "
        "gets the same bytes; with another body it is refused. Where the policy fails, the static "
        "priority answers, `fallback` says why, and the propensity is still the true one.",
        scope=Scope.DECIDE,
        parameters=(IDEMPOTENCY_KEY, DEADLINE),
        request=DecisionRequest,
        answer=DecisionAnswer,
        example=DECISION,
        answer_example=DECISION_ANSWER,
    ),
    Operation(
        method="POST",
        path="/v1/decisions/batch",
        name="decide_all",
        group="Decisions",
        summary="Ask for many decisions at once",
        about="Up to 1,000, recorded together; one item for each, in their order. What is wrong "
        "with one is answered in its place as a problem and takes no other with it.",
        scope=Scope.DECIDE,
        parameters=(IDEMPOTENCY_KEY, DEADLINE),
        request=DecisionBatchRequest,
        answer=DecisionBatchAnswer,
        example={"decisions": [DECISION]},
        answer_example={"items": [{"decision": DECISION_ANSWER}]},
    ),
    Operation(
        method="POST",
        path="/v1/rank",
        name="rank",
        group="Decisions",
        summary="Ask what speaks for each action, and decide yourself",
        about="All eligible actions with the policy's score, the probability, and the one that was "
        "drawn. It counts as done only once its activation says what was done.",
        scope=Scope.DECIDE,
        parameters=(IDEMPOTENCY_KEY, DEADLINE),
        request=DecisionRequest,
        answer=RankAnswer,
        example={**DECISION, "decision_id": "d-7002"},
    ),
    Operation(
        method="POST",
        path="/v1/decisions/{decision_id}/activation",
        name="activate",
        group="Decisions",
        summary="Say what was done after a ranking",
        about="The drawn action, whose probability is on record, or another eligible one, with the "
        "probability with which it was chosen; without one the decision can judge no policy, and "
        "an export leaves it out. The first activation stays.",
        scope=Scope.DECIDE,
        parameters=(
            Parameter(
                name="decision_id",
                place="path",
                about="of the ranking",
                schema={"type": "string", "minLength": 1, "maxLength": 128},
            ),
        ),
        request=ActivationRequest,
        answer=ActivationAnswer,
        problems=(404, 503),
    ),
    Operation(
        method="GET",
        path="/v1/decisions/{decision_id}/explanation",
        name="explain",
        group="Decisions",
        summary="Why a decision on record was made",
        about="What the policy that made it thinks of every action, what of its probability is "
        "exploration, and what each feature adds to the difference between the best actions.",
        scope=Scope.READ,
        parameters=(
            Parameter(
                name="decision_id",
                place="path",
                about="of the decision",
                schema={"type": "string", "maxLength": 128},
            ),
        ),
        answer=ExplanationAnswer,
        problems=(404, 503),
    ),
)
