"""Decisions that could not be part of the trial that runs, counted."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter

NO_UNIT = "the request does not tell its unit"
NOT_LOADED = "a policy of the trial could not be loaded"

LEFT_OUT = Counter(
    "authopt_trial_left_out",
    "Decisions asked for that should be part of a trial, by why they are not.",
    ("tenant", "experiment", "reason"),
)

# A look-up by label costs more than the count itself.
_left_out = cache(LEFT_OUT.labels)


def count_left_out(tenant: str, experiment: str, reason: str) -> None:
    """Count one decision."""
    _left_out(tenant, experiment, reason).inc()
