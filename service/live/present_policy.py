"""The policy that should be live or, where it cannot be loaded, the last one that can."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.active_policy import ActivePolicy
from service.models.live_policy import Promoted, policy_without_files
from service.models.registry import load_model

_log = logging.getLogger(__name__)

KEPT = 3
"""Policies that stay in memory, so that rolling back costs nothing."""


class PresentPolicy:
    """Loads what was promoted for one merchant, and holds what it has loaded.

    Parameters
    ----------
    tenant
        the merchant.
    started
        the policy that the service was started with.
    """

    def __init__(self, tenant: str, started: ActivePolicy) -> None:
        self._tenant = tenant
        self.started = started
        self._loaded: dict[Promoted, ActivePolicy] = {}

    def load(
        self, connection: Connection, promoted: Sequence[Promoted]
    ) -> tuple[ActivePolicy, str | None]:
        """The last of the promoted policies that can be loaded, beneath them the one at the start.

        A worker that starts after a bad promotion so comes to the same policy as one that was there
        before it.

        Returns
        -------
        tuple
            the policy, and what is wrong with the one that should be live; None if nothing is.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the store fails.
        """
        fault: str | None = None
        for each in reversed(promoted):
            active, why = self._one(connection, each)
            if active is not None:
                return active, fault
            fault = fault or why
        return self.started, fault

    def _one(
        self, connection: Connection, promoted: Promoted
    ) -> tuple[ActivePolicy | None, str | None]:
        if promoted in self._loaded:
            # Put back as the newest, as the oldest ones are forgotten.
            active = self._loaded[promoted] = self._loaded.pop(promoted)
            return active, None
        try:
            active = load_promoted(connection, self._tenant, promoted)
        except SQLAlchemyError:
            raise
        except Exception as error:
            why = str(error) if isinstance(error, UserError) else type(error).__name__
            shown = promoted.spec if promoted.sha256 is None else f"model {promoted.sha256}"
            _log.error("%s cannot be loaded, the policy before it stays live: %s", shown, why)
            return None, f"{shown}: {why}"
        self._loaded[promoted] = active
        while len(self._loaded) > KEPT:
            del self._loaded[next(iter(self._loaded))]
        return active, None


def load_promoted(connection: Connection, tenant: str, promoted: Promoted) -> ActivePolicy:
    """A policy of the registry, asked its probes, or one without files.

    Raises
    ------
    UserError
        If it cannot be had, or answers otherwise than when it was added.
    """
    if promoted.sha256 is not None:
        return load_model(connection, tenant, promoted.sha256)
    policy = policy_without_files(promoted.spec)
    return ActivePolicy(policy.name, None, policy)
