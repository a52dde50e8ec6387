"""What policies gained or would gain, as experiments, the canary and shadows found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from authopt.experiments.reading import Reading
from authopt.rollout.canary import CanaryVerdict
from service.shadows.finding import KIND as SHADOW
from service.shadows.finding import ShadowFinding
from service.store.changes import Change
from service.trials.finding import TrialFinding
from service.trials.trial import CANARY, Trial
from service.watch.findings import Finding, findings_of


@dataclass(frozen=True, slots=True)
class Gain:
    """A policy against another one.

    Attributes
    ----------
    kind, name
        ``experiment``, ``canary`` or ``shadow``, and which.
    policy, against
        the arm and the one that it is held against.
    state
        of the trial or of the shadow.
    acts
        whether it decided payments: what it gained is there, else it would have been.
    payments
        that it decided and that count; of a shadow, decisions that judge it.
    value, low, high
        difference in the share of payments that are paid (of a shadow: of decisions that are
        approved), with limits that hold at every look; None where they are not known.
    attempts
        attempts per payment less those of the other; None where that is not known.
    found_at_us
        when it was found, microseconds since 1970, UTC.
    """

    kind: str
    name: str
    policy: str
    against: str
    state: str
    acts: bool
    payments: int
    value: float | None
    low: float | None
    high: float | None
    attempts: float | None
    found_at_us: int

    @property
    def extra(self) -> float | None:
        """Payments that were paid and else would not have been, by the estimate."""
        return None if self.value is None else self.value * self.payments

    @property
    def saved(self) -> float | None:
        """Attempts that were not needed, by the estimate."""
        return None if self.attempts is None else -self.attempts * self.payments


def gains(
    connection: Connection,
    tenant: str,
    state: Mapping[tuple[str, str], Change],
    trials: Sequence[tuple[Change, Trial]],
) -> list[Gain]:
    """All that findings say, those of trials that decided payments first."""
    by_subject = {
        (kind, each.subject): each
        for kind in ("experiment", CANARY, SHADOW)
        for each in findings_of(connection, tenant, kind)
    }
    found: list[Gain] = []
    for _, trial in trials:
        finding = by_subject.get((trial.kind, trial.subject))
        if finding is not None:
            found += _of_trial(trial, finding)
    for (kind, name), finding in by_subject.items():
        change = state.get((kind, name))
        if kind == SHADOW and change is not None and change.value["state"] == "on":
            found.append(_of_shadow(name, finding))
    return found


def _of_trial(trial: Trial, finding: Finding) -> Iterator[Gain]:
    told = msgspec.convert(finding.content, TrialFinding)
    if told.salt != trial.salt or told.reading is None:
        return
    common: dict[str, Any] = {
        "kind": trial.kind,
        "name": trial.name,
        "state": trial.state,
        "acts": True,
        "found_at_us": finding.found_at_us,
    }
    if told.canary is not None:
        verdict = msgspec.convert(told.canary, CanaryVerdict)
        yield Gain(
            policy="canary",
            against="live",
            payments=verdict.canary_units,
            value=verdict.difference,
            low=verdict.lower,
            high=verdict.upper,
            attempts=None,
            **common,
        )
        return
    reading = msgspec.convert(told.reading, Reading)
    attempts = _attempts(reading)
    units = dict(zip(told.arms, reading.units, strict=True))
    for each in reading.differences:
        yield Gain(
            policy=each.arm,
            against=each.against,
            payments=units[each.arm],
            value=each.estimate,
            low=each.lower,
            high=each.upper,
            attempts=attempts.get(each.arm),
            **common,
        )


def _attempts(reading: Reading) -> dict[str, float | None]:
    for each in reading.metrics:
        if each.metric == "attempts":
            return {one.arm: one.estimate for one in each.differences}
    return {}


def _of_shadow(name: str, finding: Finding) -> Gain:
    told = msgspec.convert(finding.content, ShadowFinding)
    whole = told.whole
    return Gain(
        kind=SHADOW,
        name=name,
        policy=name,
        against="live",
        state="on",
        acts=False,
        payments=whole.judged,
        value=whole.difference,
        low=whole.lower,
        high=whole.upper,
        attempts=None,
        found_at_us=finding.found_at_us,
    )
