"""Take a payment with authopt in between: ``python examples/checkout.py URL [KEY]``."""

import sys
from datetime import UTC, datetime

from service.client import Client


def charge(route: str, amount_minor: int) -> tuple[bool, str]:
    """Your call to the payment provider; this one approves what is below 50.00."""
    return (True, "00") if amount_minor < 5000 else (False, "51")


def pay(client: Client, payment_id: str, amount_minor: int) -> str:
    context = {"network": "visa", "bin": "411111", "currency": "EUR", "amount_minor": amount_minor}
    decision = client.decide(payment_id, context=context)
    approved, code = charge(decision.route, amount_minor)
    now = datetime.now(UTC)
    client.outcome(decision.decision_id, approved=approved, response_code=code, outcome_at=now)
    return f"{payment_id}: {'approved' if approved else 'declined'} by {decision.route}"


if __name__ == "__main__":
    with Client(*sys.argv[1:3], fallback=["adyen", "checkout"]) as client:
        for number, amount_minor in enumerate((1999, 7500)):
            print(pay(client, f"order-{number}", amount_minor))
