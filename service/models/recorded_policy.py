"""The policy that made a decision on record, in a copy of its own."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Connection

from authopt.policies.protocol import Policy
from service.active_policy import ActivePolicy
from service.models.live_policy import LIVE, POLICY, live_policy, policy_without_files
from service.models.refusals import NotThere
from service.models.registry import load_model
from service.store.changes import history
from service.trials.trial import CANARY, EXPERIMENT, trial_of

KEPT = 2
"""Models that stay in memory."""


class RecordedPolicies:
    """Finds and loads policies that decided.

    A copy of a model has a lock of its own, so that explaining keeps no decision waiting.
    """

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, str], Policy] = {}
        self._lock = threading.Lock()

    def of(
        self, connection: Connection, tenant: str, row: Any, started: ActivePolicy
    ) -> Policy | None:
        """The policy of a decision; None where the static priority decided.

        Parameters
        ----------
        connection
            to the store.
        tenant
            whose decision.
        row
            of the table ``decisions``.
        started
            the policy that the service was started with, which may never have been in the registry.

        Raises
        ------
        NotThere
            If the policy cannot be had any more.
        """
        if row.fallback is not None:
            return None
        if row.model_sha256 is not None:
            try:
                return self._model(connection, tenant, row.model_sha256)
            except NotThere:
                pass
        else:
            of_arm = _spec_of_arm(connection, tenant, row)
            if of_arm is not None:
                return policy_without_files(of_arm)
            told = history(connection, tenant, POLICY, LIVE)
            before = live_policy([each for each in told if each.changed_at_us <= row.decided_at_us])
            for promoted in reversed(before.promoted):
                if promoted.sha256 is None:
                    policy = policy_without_files(promoted.spec)
                    if policy.name == row.policy:
                        return policy
        known = started.name, started.sha256
        if started.policy is not None and known == (row.policy, row.model_sha256):
            return started.policy
        raise NotThere(
            f"the policy {row.policy!r} that made this decision is not in the registry (any more), "
            "and not the one that the service was started with"
        )

    def _model(self, connection: Connection, tenant: str, sha256: str) -> Policy:
        key = tenant, sha256
        with self._lock:
            if key in self._loaded:
                return self._loaded[key]
            policy = load_model(connection, tenant, sha256).policy
            assert policy is not None
            self._loaded[key] = policy
            while len(self._loaded) > KEPT:
                del self._loaded[next(iter(self._loaded))]
            return policy


def _spec_of_arm(connection: Connection, tenant: str, row: Any) -> str | None:
    """Of the arm that decided; None where the live policy did, in a trial or without one."""
    if row.experiment is None:
        return None
    of_canary = row.experiment == CANARY
    told = history(
        connection,
        tenant,
        CANARY if of_canary else EXPERIMENT,
        LIVE if of_canary else row.experiment,
    )
    before = [each for each in told if each.changed_at_us <= row.decided_at_us]
    if not before:
        return None
    arms = {arm.name: arm for arm in trial_of(before[-1]).arms}
    arm = arms.get(row.arm)
    return None if arm is None or arm.is_live else arm.spec
