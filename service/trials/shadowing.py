"""Turning shadow policies on and off: they see live payments, and decide none."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from authopt.errors import UserError
from service.models.refusals import Conflict, NotThere
from service.store.changes import changing, present, record_change
from service.trials.operating import NAME, NAME_FORM, WantedPolicy, sound_policy
from service.trials.trial import Arm

SHADOW = "shadow"
ON, OFF = "on", "off"
MOST_SHADOWS = 5
"""At a time: each of them is asked about every decision."""


def turn_on(
    engine: Engine, tenant: str, actor: str, name: str, wanted: WantedPolicy, reason: str
) -> None:
    """Let a policy look on, after it was loaded here.

    Raises
    ------
    NotThere
        If there is no such model.
    Conflict
        If a shadow of this name is on, or too many are.
    UserError
        If the name or the policy is unsound.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"name: {NAME_FORM}")
    with engine.connect() as connection:
        arm = sound_policy(connection, tenant, Arm(name, ""), wanted)
    if arm.is_live:
        raise UserError("spec: expected another policy than the live one")
    with changing(engine) as connection:
        state = present(connection, tenant)
        on = [
            subject
            for (kind, subject), change in state.items()
            if kind == SHADOW and change.value["state"] == ON
        ]
        if name in on:
            raise Conflict(f"shadow {name}: is on already")
        if len(on) >= MOST_SHADOWS:
            raise Conflict(f"there are {len(on)} shadows on, the most there may be; turn one off")
        value = {"state": ON, "spec": arm.spec, "sha256": arm.sha256}
        record_change(connection, tenant, actor, SHADOW, name, value, reason)


def turn_off(connection: Connection, tenant: str, actor: str, name: str, reason: str) -> None:
    """Let a shadow look on no longer; what was found of it stays.

    Raises
    ------
    NotThere
        If there is none of this name.
    Conflict
        If it is off.
    """
    change = present(connection, tenant).get((SHADOW, name))
    if change is None:
        raise NotThere(f"there is no shadow {name[:64]!r}")
    if change.value["state"] == OFF:
        raise Conflict(f"shadow {name}: is off already")
    value = {**change.value, "state": OFF}
    record_change(connection, tenant, actor, SHADOW, name, value, reason)
