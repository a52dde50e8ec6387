"""Operations that tell what came of decisions."""

from __future__ import annotations

from typing import Any

from service.api.forms import (
    OutcomeAnswer,
    OutcomeRequest,
)
from service.api.outcomes import OutcomeBatch, OutcomeBatchAnswer
from service.api.payments import Payment
from service.api.webhooks import WebhookAnswer
from service.openapi.examples import OUTCOME
from service.openapi.operation import Operation, Parameter
from service.security.caller import Scope

OUTCOMES: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/v1/outcomes",
        name="tell",
        group="Outcomes",
        summary="Say what came of a decision",
        about="At least once, in any order, also before the decision is known here: the same "
        "outcome counts once. A correction (refund, chargeback) is a further outcome.",
        scope=Scope.OUTCOME,
        request=OutcomeRequest,
        answer=OutcomeAnswer,
        example=OUTCOME,
        answer_example={"decision_id": "d-7001", "recorded": True},
        problems=(503,),
    ),
    Operation(
        method="POST",
        path="/v1/outcomes/batch",
        name="tell_all",
        group="Outcomes",
        summary="Say what came of many decisions",
        about="Up to 1,000, recorded together or not at all; otherwise as one by one.",
        scope=Scope.OUTCOME,
        request=OutcomeBatch,
        answer=OutcomeBatchAnswer,
        example={"outcomes": [OUTCOME]},
        answer_example={"outcomes": [{"decision_id": "d-7001", "recorded": True}]},
        problems=(503,),
    ),
    Operation(
        method="POST",
        path="/v1/webhooks/{source}",
        name="receive",
        group="Outcomes",
        summary="Outcomes as a provider tells them itself",
        about="For Stripe, Adyen, Checkout.com and any other whose events a table describes. The "
        "provider's signature stands in for a key. Events that tell no outcome are answered with "
        "the reason, so that they are not sent again.",
        scope=None,
        parameters=(
            Parameter(
                name="source",
                place="path",
                about="name of the section [webhooks.NAME] of the configuration",
                schema={"type": "string", "maxLength": 64},
            ),
        ),
        request=dict[str, Any],
        answer=WebhookAnswer,
        problems=(401, 404, 503),
    ),
    Operation(
        method="GET",
        path="/v1/payments/{payment_id}",
        name="payment",
        group="Payments",
        summary="All that is known of a payment",
        about="Every decision with the actions it had, their probabilities, what the rules removed "
        "and why, what was done, and every outcome in the order in which it arrived.",
        scope=Scope.READ,
        parameters=(
            Parameter(
                name="payment_id",
                place="path",
                about="as it was asked with",
                schema={"type": "string", "maxLength": 128},
            ),
        ),
        answer=Payment,
        problems=(404, 503),
    ),
)
