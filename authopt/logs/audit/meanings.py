"""What each kind of fault means for whoever uses the log, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.logs.audit import sequence
from authopt.logs.audit.checks import CHECKS
from authopt.logs.audit.faults import FOREIGN_ROUTE, RULE_BROKEN
from authopt.logs.audit.report import Level


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a fault is worth.

    Attributes
    ----------
    level
        how bad it is.
    text, advice
        what to say after ``COUNT of N``, and what to do.
    tolerated
        share of the rows looked at up to which it is worth a note only.
    examples_of
        as in ``report.Finding``.
    """

    level: Level
    text: str
    advice: str
    tolerated: float = 0.0
    examples_of: str = "decision"


MEANINGS = {
    check.name: Meaning(check.level, check.text, check.advice, check.tolerated) for check in CHECKS
} | {
    RULE_BROKEN: Meaning(
        Level.WARNING,
        "attempts break a rule of the networks",
        "authopt never offers such an action; a policy is judged on what the rules allow.",
        0.001,
    ),
    FOREIGN_ROUTE: Meaning(
        Level.WARNING,
        "retries name a previous route that is eligible nowhere in the log",
        "Write routes the same way in 'previous_route' and 'eligible_route'.",
        0.01,
        examples_of="route",
    ),
    sequence.DECISION_TWICE: Meaning(
        Level.PROBLEM,
        "rows repeat a decision_id that was there before",
        "Remove the repeated rows: each counts as a further decision.",
    ),
    sequence.ATTEMPT_TWICE: Meaning(
        Level.PROBLEM,
        "rows repeat an attempt number of their payment",
        "Number the attempts of a payment from 1, and remove duplicates.",
        examples_of="payment",
    ),
    sequence.ATTEMPTS_MISSING: Meaning(
        Level.WARNING,
        "retries follow a gap in their payment's attempt numbers",
        "Bring in the attempts between; values per payment need all of them.",
        examples_of="payment",
    ),
    sequence.STARTS_LATE: Meaning(
        Level.WARNING,
        "payments begin with a later attempt than the first",
        "Bring in their first attempts, or leave these payments out.",
        0.01,
        examples_of="payment",
    ),
    sequence.OUT_OF_ORDER: Meaning(
        Level.WARNING,
        "retries were decided before the attempt that they follow",
        "Number attempts by time; check the clocks of 'decided_at'.",
        examples_of="payment",
    ),
    sequence.AFTER_APPROVAL: Meaning(
        Level.WARNING,
        "retries follow an approval of the same payment",
        "Check 'payment_id' (one id for several purchases?) and duplicate charges.",
        0.001,
        examples_of="payment",
    ),
}
