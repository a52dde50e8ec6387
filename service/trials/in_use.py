"""Which models are needed by trials and shadows, and must stay in the registry."""

from __future__ import annotations

from sqlalchemy import Connection

from service.store.changes import present
from service.trials.shadowing import ON, SHADOW
from service.trials.trial import PAUSED, RUNNING, trials_in


def models_in_use(connection: Connection, tenant: str) -> set[str]:
    """The sha256 of the models of running and paused trials, and of shadows that look on."""
    state = present(connection, tenant)
    found = {
        arm.sha256
        for _, trial in trials_in(state)
        if trial.state in (RUNNING, PAUSED)
        for arm in trial.arms
    }
    found |= {
        change.value["sha256"]
        for (kind, _), change in state.items()
        if kind == SHADOW and change.value["state"] == ON
    }
    return {sha256 for sha256 in found if sha256 is not None}
