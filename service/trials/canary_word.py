"""What speaks for making a canary's policy live: its own payments, or the gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from authopt.errors import UserError
from authopt.rollout.canary import CanaryState
from authopt.rollout.promotion import Promotion
from service.models.gate_word import gate_word
from service.models.registry import find_model
from service.trials.operating import find_trial
from service.trials.trial import CANARY, LIVE
from service.watch.findings import finding

NOTHING_KNOWN = "Nothing is known of its payments yet."


@dataclass(frozen=True, slots=True)
class CanaryWord:
    """What is said of a canary.

    Attributes
    ----------
    is_ready
        whether its payments show that it does no harm.
    why
        one sentence of them.
    gate
        what the gate says; None where the policy is no model, which no verdict can be on.
    """

    is_ready: bool
    why: str
    gate: Promotion | None

    @property
    def allowed(self) -> bool:
        """Whether one of the two speaks for it."""
        return self.is_ready or (self.gate is not None and self.gate.allowed)

    def raise_if_refused(self) -> None:
        """Raise a UserError with what is known, and the way out."""
        if self.allowed:
            return
        gate = "" if self.gate is None else f" The gate: {'; '.join(self.gate.reasons)}."
        raise UserError(f"{self.why}{gate} Wait, or override with a reason")


def canary_word(connection: Connection, tenant: str, started: str, now: datetime) -> CanaryWord:
    """What is said of the canary of a merchant.

    Parameters
    ----------
    started
        spec of the policy that the service was started with: live where nothing was promoted.
    now
        UTC.

    Raises
    ------
    NotThere
        If there is no canary.
    UserError
        If the verdict on its model is damaged.
    """
    arm = find_trial(connection, tenant, CANARY, LIVE).arms[0]
    found = finding(connection, tenant, CANARY, LIVE)
    told: dict[str, Any] = ({} if found is None else found.content.get("canary")) or {}
    word = None
    if arm.sha256 is not None:
        word = gate_word(
            connection, tenant, find_model(connection, tenant, arm.sha256), started, now
        )
    return CanaryWord(
        told.get("state") == CanaryState.READY, told.get("why") or NOTHING_KNOWN, word
    )
