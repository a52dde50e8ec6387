"""What is counted, in files that all workers share (``service.metrics.folder``)."""

from __future__ import annotations

from collections import Counter as Tally
from functools import cache

from prometheus_client import Counter, Histogram

from service.deciding.timely import Told

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0)

REQUEST_SECONDS = Histogram(
    "authopt_request_seconds",
    "Time to the answer.",
    ("endpoint", "method", "status"),
    buckets=_SECONDS,
)
DECISIONS = Counter(
    "authopt_decisions",
    "Decisions that were made; fallback is why the static priority made them.",
    ("tenant", "policy", "fallback", "recorded"),
)
REPEATED = Counter(
    "authopt_decisions_repeated", "Decisions asked for that were on record before.", ("tenant",)
)
OUTCOMES = Counter("authopt_outcomes", "Outcomes that arrived and are on disk.", ("tenant",))

# A look-up by label costs more than the count itself.
request_seconds = cache(REQUEST_SECONDS.labels)
_decisions = cache(DECISIONS.labels)
_repeated = cache(REPEATED.labels)
_outcomes = cache(OUTCOMES.labels)


def count_told(tenant: str, told: Told) -> None:
    """Count the decisions that a request was told."""
    if told.unrecorded:
        for answer in told.unrecorded:
            _decisions(tenant, answer.policy.name, reason_of(answer.fallback), "false").inc()
        return
    if len(told.kept) == 1 and told.kept[0] == told.asked[0]:
        # What nearly all requests are: no tally is worth its time.
        _decisions(tenant, told.kept[0].policy, reason_of(told.kept[0].fallback), "true").inc()
        return
    # The store tells no repetition apart whose record is the same to the last byte: it has the
    # moment of its decision from the caller.
    made = {asked.key: kept for kept, asked in zip(told.kept, told.asked, strict=True)
            if kept == asked}  # fmt: skip
    tally = Tally((each.policy, reason_of(each.fallback)) for each in made.values())
    for (policy, fallback), number in tally.items():
        _decisions(tenant, policy, fallback, "true").inc(number)
    if len(told.kept) > len(made):
        _repeated(tenant).inc(len(told.kept) - len(made))


def count_repeated(tenant: str) -> None:
    """Count a request that was given an answer on record without being decided anew."""
    _repeated(tenant).inc()


def count_outcomes(tenant: str, number: int) -> None:
    """Count outcomes that are on disk."""
    _outcomes(tenant).inc(number)


def reason_of(fallback: str | None) -> str:
    """The kind of a reason, without what an operator or an error added; empty for none."""
    return "" if fallback is None else fallback.partition(":")[0]
