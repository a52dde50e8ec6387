"""What the fields of bodies mean, wherever they stand."""

from __future__ import annotations

from authopt.payments import OUTCOME_FIELDS

MEANINGS: dict[str, str] = {field.name: field.meaning for field in OUTCOME_FIELDS} | {
    "decision_id": "of the decision; yours, or made where you name none",
    "payment_id": "of the payment; the same for all of its attempts",
    "attempt": "1 for the first of the payment, 2 for its first retry, and so on",
    "decided_at": "when the attempt is decided; now, where you name no time",
    "actions": "what may be done; every configured route and delay, where you name none",
    "route": "one of the configured routes, or stop",
    "delay_s": "seconds to wait before the attempt",
    "action": "what to do",
    "propensity": "probability with which it was chosen",
    "probability": "probability with which it is chosen",
    "policy": "which one answered",
    "sha256": "of the model's file, where there is one",
    "fallback": "why the static priority decided instead of the policy, or null",
    "removed": "actions that the rules took away, and why",
    "recorded": "whether it is on disk",
    "reason": "why",
    "deferred": "counts only once it is activated",
}
