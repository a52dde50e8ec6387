"""Starting, pausing and ending trials. Each is a change, with who made it and why."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from authopt.errors import UserError
from authopt.experiments.metrics import METRICS
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX
from service.models.live_policy import Promoted, policy_without_files, promote
from service.models.refusals import Conflict, NotThere
from service.models.registry import find_model, load_model
from service.store.changes import changing, present, record_change
from service.store.tables import decisions
from service.trials.trial import (
    CANARY,
    EXPERIMENT,
    LIVE,
    PAUSED,
    PROMOTED,
    ROLLED_BACK,
    RUNNING,
    STOPPED,
    Arm,
    Trial,
    canary_arms,
    running_trial,
    trial_of,
)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
NAME_FORM = "expected 1 to 64 small letters, digits, hyphens and underscores, these not first"
MOST_SEGMENT_COLUMNS = 5
SMALLEST_CANARY, LARGEST_CANARY = 0.0001, 0.9


@dataclass(frozen=True, slots=True)
class WantedPolicy:
    """A policy that somebody asks for: a spec without files, ``live``, or a model's sha256."""

    spec: str | None = None
    sha256: str | None = None


def start_experiment(
    engine: Engine,
    tenant: str,
    actor: str,
    trial: Trial,
    wanted: Mapping[str, WantedPolicy],
    reason: str,
) -> Trial:
    """Start an experiment, after the policies of its arms were loaded here.

    Parameters
    ----------
    engine, tenant, actor, reason
        of the store, whose payments, who does it, and why.
    trial
        what is asked for; salt, state and what ``wanted`` says are filled in.
    wanted
        the policy of each arm, by name.

    Raises
    ------
    NotThere
        If there is no such model.
    Conflict
        If a trial runs, a model is retired, or there has been an experiment of this name: its
        decisions would be mixed with the new ones.
    UserError
        If anything of it is unsound.
    """
    _check(trial)
    if len(trial.arms) < 2:
        raise UserError("arms: expected two or more; the first one is what others are held against")
    with engine.connect() as connection:
        arms = [sound_policy(connection, tenant, arm, wanted[arm.name]) for arm in trial.arms]
    made = replace(trial, arms=tuple(arms), state=RUNNING, salt=_new_salt())
    _ = made.assignment
    with changing(engine) as connection:
        state = present(connection, tenant)
        if (EXPERIMENT, made.name) in state:
            raise Conflict(
                f"experiment {made.name}: there has been one of this name; give it another"
            )
        made = _begun(connection, tenant, made)
        _record(connection, tenant, actor, made, reason)
    return made


def start_canary(
    engine: Engine, tenant: str, actor: str, trial: Trial, wanted: WantedPolicy, reason: str
) -> Trial:
    """Start a canary; parameters and refusals as of :func:`start_experiment`."""
    _check(trial)
    _check_canary_share(trial.share)
    with engine.connect() as connection:
        arm = sound_policy(connection, tenant, Arm(CANARY, ""), wanted)
    if arm.is_live:
        raise UserError("canary: expected another policy than the live one")
    made = replace(trial, arms=canary_arms(arm.spec, arm.sha256, trial.share), salt=_new_salt())
    made = replace(made, state=RUNNING)
    with changing(engine) as connection:
        made = _begun(connection, tenant, made)
        _record(connection, tenant, actor, made, reason)
    return made


def set_canary_share(
    connection: Connection, tenant: str, actor: str, share: float, reason: str
) -> Trial:
    """Give a canary that runs another share of the payments; raising it takes none back."""
    _check_canary_share(share)
    trial = find_trial(connection, tenant, CANARY, LIVE)
    _expect(trial, "given another share", RUNNING)
    arms = canary_arms(trial.arms[0].spec, trial.arms[0].sha256, share)
    return _record(connection, tenant, actor, replace(trial, share=share, arms=arms), reason)


def promote_canary(connection: Connection, tenant: str, actor: str, reason: str) -> Trial:
    """Make the policy of a canary that runs live for all, and end the canary.

    Raises
    ------
    NotThere
        If there is no canary.
    Conflict
        If it does not run, or the live policy is pinned.
    """
    trial = find_trial(connection, tenant, CANARY, LIVE)
    _expect(trial, "promoted", RUNNING)
    promote(connection, tenant, actor, Promoted(trial.arms[0].spec, trial.arms[0].sha256), reason)
    return _record(connection, tenant, actor, replace(trial, state=PROMOTED), reason)


def pause(
    connection: Connection, tenant: str, actor: str, kind: str, subject: str, reason: str
) -> Trial:
    """Let the live policy decide for all until the trial is resumed."""
    trial = find_trial(connection, tenant, kind, subject)
    _expect(trial, "paused", RUNNING)
    return _record(connection, tenant, actor, replace(trial, state=PAUSED), reason)


def resume(connection: Connection, tenant: str, actor: str, name: str, reason: str) -> Trial:
    """Let a paused experiment go on, with everybody in the arm of before."""
    trial = find_trial(connection, tenant, EXPERIMENT, name)
    _expect(trial, "resumed", PAUSED)
    _refuse_second(connection, tenant)
    return _record(connection, tenant, actor, replace(trial, state=RUNNING), reason)


def stop(
    connection: Connection,
    tenant: str,
    actor: str,
    kind: str,
    subject: str,
    reason: str,
    decision: Mapping[str, Any] | None = None,
) -> Trial:
    """End a trial for good; of an experiment, with what was decided."""
    trial = find_trial(connection, tenant, kind, subject)
    _expect(trial, "stopped", RUNNING, PAUSED)
    if decision is not None and decision["arm"] not in (None, *(arm.name for arm in trial.arms)):
        raise UserError(f"arm: expected one of {', '.join(arm.name for arm in trial.arms)}")
    made = replace(trial, state=STOPPED, decision=decision)
    return _record(connection, tenant, actor, made, reason)


def roll_back_canary(connection: Connection, tenant: str, actor: str, reason: str) -> Trial:
    """Take the payments of a canary that runs away from it."""
    trial = find_trial(connection, tenant, CANARY, LIVE)
    _expect(trial, "rolled back", RUNNING)
    return _record(connection, tenant, actor, replace(trial, state=ROLLED_BACK), reason)


def find_trial(connection: Connection, tenant: str, kind: str, subject: str) -> Trial:
    """A trial as it is now.

    Raises
    ------
    NotThere
        If there is none.
    """
    change = present(connection, tenant).get((kind, subject))
    if change is None:
        raise no_trial(kind, subject)
    return trial_of(change)


def no_trial(kind: str, subject: str) -> NotThere:
    """What to say where there is none."""
    if kind == CANARY:
        return NotThere("there is no canary, and has been none")
    return NotThere(f"there is no {kind} {subject[:64]!r}")


def within(engine: Engine, change: Callable[[Connection], Trial]) -> Trial:
    """Make a change in a transaction of its own."""
    with changing(engine) as connection:
        return change(connection)


def _begun(connection: Connection, tenant: str, trial: Trial) -> Trial:
    _refuse_second(connection, tenant)
    return replace(trial, after=connection.scalar(select(func.max(decisions.c.number))) or 0)


def _refuse_second(connection: Connection, tenant: str) -> None:
    running = running_trial(present(connection, tenant))
    if running is not None:
        raise Conflict(
            f"{running.kind} {running.name}: is running, and payments are in one trial at a time; "
            "stop it first"
        )


def _record(connection: Connection, tenant: str, actor: str, trial: Trial, reason: str) -> Trial:
    record_change(connection, tenant, actor, trial.kind, trial.subject, trial.value(), reason)
    return trial


def _expect(trial: Trial, what: str, *states: str) -> None:
    if trial.state not in states:
        raise Conflict(f"{trial.kind} {trial.name}: is {trial.state}, and cannot be {what}")


def sound_policy(connection: Connection, tenant: str, arm: Arm, wanted: WantedPolicy) -> Arm:
    """An arm with the policy that is wanted for it, which could be loaded.

    Raises
    ------
    NotThere
        If there is no such model.
    Conflict
        If it is retired.
    UserError
        If it cannot be had.
    """
    if (wanted.spec is None) == (wanted.sha256 is None):
        raise UserError(f"arm {arm.name}: expected either sha256 or spec")
    if wanted.sha256 is not None:
        model = find_model(connection, tenant, wanted.sha256)
        if model.retired:
            raise Conflict(f"model {model.sha256[:12]}: is retired; add it again to try it")
        load_model(connection, tenant, model.sha256)
        return replace(arm, spec=model.spec, sha256=model.sha256)
    assert wanted.spec is not None
    spec = wanted.spec.strip()
    if spec != LIVE:
        policy_without_files(spec)
    return replace(arm, spec=spec, sha256=None)


def _check(trial: Trial) -> None:
    names = [trial.name, *(arm.name for arm in trial.arms)]
    if not all(NAME.fullmatch(name) for name in names):
        raise UserError(f"name: {NAME_FORM}")
    if trial.kind == EXPERIMENT and trial.name == CANARY:
        raise UserError(f"name: {CANARY!r} marks the decisions of canaries; give it another")
    _check_segments(trial.segments)
    for guardrail in trial.guardrails:
        if guardrail["metric"] not in METRICS:
            raise UserError(f"guardrails: metric: expected one of {', '.join(METRICS)}")


def _check_segments(segments: Sequence[str]) -> None:
    if len(segments) > MOST_SEGMENT_COLUMNS or len(set(segments)) < len(segments):
        raise UserError(f"segments: expected at most {MOST_SEGMENT_COLUMNS} different columns")
    for name in segments:
        if name not in CONTEXT_BY_NAME and not name.startswith(CUSTOM_PREFIX):
            raise UserError("segments: expected columns of the context, such as network")


def _check_canary_share(share: float) -> None:
    if not SMALLEST_CANARY <= share <= LARGEST_CANARY:
        raise UserError(
            f"share {share:g}: expected {SMALLEST_CANARY:g} to {LARGEST_CANARY:g}; what decides "
            "for all is promoted"
        )


def _new_salt() -> str:
    # Too short to look like a card number.
    return secrets.token_hex(6)
