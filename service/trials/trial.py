"""Trials as the changes of kind ``experiment`` and ``canary`` tell them.

A canary is a trial like any other, with the arms ``canary`` and ``live``: what differs is what
becomes of it. At most one trial runs for a merchant at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authopt.durations import DAY_S
from authopt.experiments.assignment import MAX_WEIGHT, Assignment
from service.api.forms import DecisionRequest
from service.store.changes import Change

_log = logging.getLogger(__name__)

EXPERIMENT, CANARY = "experiment", "canary"
LIVE = "live"
"""Subject of every canary; as the spec of an arm, whatever policy is live."""

RUNNING, PAUSED, STOPPED = "running", "paused", "stopped"
ROLLED_BACK, PROMOTED = "rolled-back", "promoted"

EXPERIMENT_WAIT_S = 3 * DAY_S
CANARY_WAIT_S = 3600
WORTHWHILE = 0.005

PAYMENT = "payment"
COLUMN_OF_UNIT: Mapping[str, str] = {"card": "card_ref", "merchant": "merchant_id"}
"""Where the context has the id of a unit that is not the payment."""

UNITS = (PAYMENT, *COLUMN_OF_UNIT)


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm.

    Attributes
    ----------
    name
        unique within the trial.
    spec
        of a policy without files, or of the model with ``{}`` in place of its folder; ``live`` for
        whatever policy is live.
    sha256
        of the model in the registry; None for a policy without files.
    weight
        its part of the trial's units is its part of the sum of weights.
    """

    name: str
    spec: str
    sha256: str | None = None
    weight: int = 1

    @property
    def is_live(self) -> bool:
        """Whether it decides by the live policy."""
        return self.sha256 is None and self.spec == LIVE


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment or a canary.

    Attributes
    ----------
    kind
        ``experiment`` or ``canary``.
    name
        what its decisions are marked with; a canary's is ``canary``.
    state
        ``running``, ``paused``, ``stopped``, ``rolled-back`` or ``promoted``.
    arms
        in their order.
    unit
        what stays with its arm: ``payment``, ``card`` or ``merchant``.
    share
        of all units, those that are in the experiment; of a canary, those that it decides for.
    salt
        of the assignment.
    segments
        columns of the context by which results are told apart.
    guardrails
        as they were given.
    wait_s
        a payment counts so many seconds after its first attempt was decided, with what is known of
        it then.
    worthwhile
        least gain that anyone would ship for, in shares of payments that are paid.
    after
        number of the last decision before it began.
    decision
        how it ended, of an experiment.
    """

    kind: str
    name: str
    state: str
    arms: tuple[Arm, ...]
    unit: str
    share: float
    salt: str
    segments: tuple[str, ...] = ()
    guardrails: tuple[Mapping[str, Any], ...] = ()
    wait_s: int = EXPERIMENT_WAIT_S
    worthwhile: float = WORTHWHILE
    after: int = 0
    decision: Mapping[str, Any] | None = None

    @property
    def subject(self) -> str:
        """Of its changes."""
        return LIVE if self.kind == CANARY else self.name

    @property
    def is_running(self) -> bool:
        """Whether payments are in it now."""
        return self.state == RUNNING

    @property
    def assignment(self) -> Assignment:
        """Who is in which arm.

        Raises
        ------
        UserError
            If arms, weights or share do not fit.
        """
        share = 1.0 if self.kind == CANARY else self.share
        names = tuple(arm.name for arm in self.arms)
        return Assignment(self.salt, names, tuple(arm.weight for arm in self.arms), share)

    def unit_of(self, request: DecisionRequest) -> str | None:
        """The id of the unit that a payment belongs to; None where the request does not tell it."""
        if self.unit == PAYMENT:
            return request.payment_id
        found = request.context.get(COLUMN_OF_UNIT[self.unit])
        return found if isinstance(found, str) else None

    def value(self) -> dict[str, Any]:
        """As a change records it."""
        common = {
            "state": self.state,
            "share": self.share,
            "unit": self.unit,
            "salt": self.salt,
            "guardrails": [dict(each) for each in self.guardrails],
            "segments": list(self.segments),
            "wait_s": self.wait_s,
            "worthwhile": self.worthwhile,
            "after": self.after,
        }
        if self.kind == CANARY:
            canary = self.arms[0]
            return common | {"spec": canary.spec, "sha256": canary.sha256}
        arms = [
            {"name": arm.name, "spec": arm.spec, "sha256": arm.sha256, "weight": arm.weight}
            for arm in self.arms
        ]
        decision = None if self.decision is None else dict(self.decision)
        return common | {"arms": arms, "decision": decision}


def canary_arms(spec: str, sha256: str | None, share: float) -> tuple[Arm, ...]:
    """The arms of a canary; the first one grows with the share, and keeps whom it has."""
    weight = round(share * MAX_WEIGHT)
    return Arm(CANARY, spec, sha256, weight), Arm(LIVE, LIVE, None, MAX_WEIGHT - weight)


def trial_of(change: Change) -> Trial:
    """The trial that a change tells of.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    value = change.value
    if value["unit"] not in UNITS:
        raise ValueError("no such unit")
    if change.kind == CANARY:
        name, arms = CANARY, canary_arms(value["spec"], value["sha256"], value["share"])
    else:
        name = change.subject
        arms = tuple(
            Arm(each["name"], each["spec"], each["sha256"], each["weight"])
            for each in value["arms"]
        )
    return Trial(
        kind=change.kind,
        name=name,
        state=value["state"],
        arms=arms,
        unit=value["unit"],
        share=value["share"],
        salt=value["salt"],
        segments=tuple(value["segments"]),
        guardrails=tuple(value["guardrails"]),
        wait_s=value["wait_s"],
        worthwhile=value["worthwhile"],
        after=value["after"],
        decision=value.get("decision"),
    )


def trials_in(state: Mapping[tuple[str, str], Change]) -> list[tuple[Change, Trial]]:
    """The trials of a merchant with the changes that hold for them, in the order of these.

    A row that tells no trial is logged and left out: it must keep no payment waiting.
    """
    found = []
    for change in sorted(state.values(), key=lambda each: each.number):
        if change.kind in (EXPERIMENT, CANARY):
            try:
                found.append((change, trial_of(change)))
            except (KeyError, TypeError, ValueError):
                _log.error("change %d tells no %s", change.number, change.kind)
    return found


def running_trial(state: Mapping[tuple[str, str], Change]) -> Trial | None:
    """The trial that payments of a merchant are in now."""
    running = [trial for _, trial in trials_in(state) if trial.is_running]
    return running[0] if running else None
