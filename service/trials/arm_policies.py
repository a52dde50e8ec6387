"""The policies of a trial's arms, loaded once."""

from __future__ import annotations

import logging

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.active_policy import ActivePolicy
from service.live.present_policy import load_promoted
from service.models.live_policy import Promoted
from service.trials.trial import Arm, Trial

_log = logging.getLogger(__name__)


class ArmPolicies:
    """Loads what the arms of one merchant's trial decide by, and keeps it while the trial runs.

    Parameters
    ----------
    tenant
        the merchant.
    """

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._loaded: dict[Promoted, ActivePolicy] = {}

    def load(
        self, connection: Connection, trial: Trial | None, live: ActivePolicy
    ) -> tuple[list[ActivePolicy], str | None]:
        """The policies of the arms in their order, or why they cannot be had.

        Parameters
        ----------
        connection
            to the store.
        trial
            the one that runs; None frees what was loaded.
        live
            for arms that decide by the live policy.

        Returns
        -------
        tuple
            the policies, and a fault in place of them; None if there is none.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the store fails.
        """
        kept: dict[Promoted, ActivePolicy] = {}
        found = []
        fault = None
        for arm in () if trial is None else trial.arms:
            if arm.is_live:
                found.append(live)
                continue
            wanted = Promoted(arm.spec, arm.sha256)
            try:
                loaded = kept.get(wanted) or self._loaded.get(wanted)
                kept[wanted] = loaded or load_promoted(connection, self._tenant, wanted)
            except SQLAlchemyError:
                raise
            except Exception as error:
                fault = _fault(arm, error)
                break
            found.append(kept[wanted])
        self._loaded = kept
        if fault is None:
            return found, None
        _log.error("the trial does not run, the live policy decides: %s", fault)
        return [], fault


def _fault(arm: Arm, error: Exception) -> str:
    why = str(error) if isinstance(error, UserError) else type(error).__name__
    shown = arm.spec if arm.sha256 is None else f"model {arm.sha256}"
    return f"arm {arm.name}: {shown}: {why}"
