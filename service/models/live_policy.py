"""Which policy is live, and which one it was before: what the changes of kind ``policy`` say.

Promoting puts a policy on top of those that were live before; rolling back takes it away again, as
often as there is one beneath. Beneath all of them is the policy that the service was started with.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from authopt.policies.protocol import Policy
from authopt.policies.spec import FAMILIES, WRAPPERS, family_of, load_policy
from service.models.archive import MAX_SPEC
from service.models.prepared import check_may_decide
from service.models.refusals import Conflict
from service.models.registry import find_model, load_model, retire_model
from service.store.changes import Change, changing, history, record_change

POLICY, LIVE = "policy", "live"


@dataclass(frozen=True, slots=True)
class Promoted:
    """A policy that was made live.

    Attributes
    ----------
    spec
        of a policy without files, or of the model, with ``{}`` in place of its folder.
    sha256
        of the model in the registry; None for a policy without files.
    """

    spec: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """What is live.

    Attributes
    ----------
    promoted
        those that are live or would be after rolling back, the live one last; without any, the
        policy that the service was started with is live.
    pinned
        whether neither promoting nor rolling back is allowed.
    pinned_because
        the reason that was given for it.
    """

    promoted: tuple[Promoted, ...] = ()
    pinned: bool = False
    pinned_because: str = ""

    @property
    def live(self) -> Promoted | None:
        """None: the policy that the service was started with."""
        return self.promoted[-1] if self.promoted else None


def live_policy(told: Sequence[Change]) -> LivePolicy:
    """Fold the changes of the live policy, oldest first."""
    promoted: list[Promoted] = []
    pinned, because = False, ""
    for change in told:
        value = change.value
        if value["by"] == "promote":
            promoted.append(Promoted(value["spec"], value["sha256"]))
        elif value["by"] == "rollback" and promoted:
            promoted.pop()
        if value["pinned"] and not pinned:
            because = change.reason
        pinned = value["pinned"]
    return LivePolicy(tuple(promoted), pinned, because)


def read_live_policy(connection: Connection, tenant: str) -> LivePolicy:
    """What is live for a merchant."""
    return live_policy(history(connection, tenant, POLICY, LIVE))


def promote(
    connection: Connection, tenant: str, actor: str, promoted: Promoted, reason: str
) -> None:
    """Make a policy live that was found sound.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant, actor, promoted, reason
        whose policy, who does it, what, and why.

    Raises
    ------
    Conflict
        If the live policy is pinned, this one is live already, or the model is retired.
    """
    if promoted.sha256 is not None and find_model(connection, tenant, promoted.sha256).retired:
        raise Conflict(f"model {promoted.sha256[:12]}: is retired; add it again to promote it")
    state = _unpinned(connection, tenant, "promoted")
    if state.live == promoted:
        raise Conflict("this policy is live already")
    _record(connection, tenant, actor, promoted, "promote", False, reason)


def promote_model(engine: Engine, tenant: str, actor: str, sha256: str, reason: str) -> Promoted:
    """Make a model of the registry live, after it was loaded and asked its probes here.

    Parameters
    ----------
    engine, tenant, actor, reason
        of the store, whose policy, who does it, and why.
    sha256
        of the model, or the beginning of it.

    Raises
    ------
    NotThere
        If there is no such model.
    Conflict
        If the live policy is pinned, this one is live already, or the model is retired.
    UserError
        If the model cannot be loaded, or answers otherwise than when it was added.
    """
    with engine.connect() as connection:
        model = find_model(connection, tenant, sha256)
        load_model(connection, tenant, model.sha256)
    promoted = Promoted(model.spec, model.sha256)
    with changing(engine) as connection:
        promote(connection, tenant, actor, promoted, reason)
    return promoted


def promote_spec(engine: Engine, tenant: str, actor: str, spec: str, reason: str) -> Promoted:
    """Make a policy live that needs no files, such as ``uniform`` or ``priority:routes=a,b``.

    Raises
    ------
    Conflict
        If the live policy is pinned, or this one is live already.
    UserError
        If the spec is not understood, names a file, or a policy that may not decide.
    """
    promoted = Promoted(spec.strip(), None)
    policy_without_files(promoted.spec)
    with changing(engine) as connection:
        promote(connection, tenant, actor, promoted, reason)
    return promoted


def roll_back(
    connection: Connection, tenant: str, actor: str, reason: str, *, pin: bool = True
) -> Promoted | None:
    """Make the policy live that was so before the present one.

    Parameters
    ----------
    connection, tenant, actor, reason
        as for :func:`promote`.
    pin
        whether it is pinned too, so that no learner puts back what was just taken away.

    Returns
    -------
    Promoted or None
        what is live now; None: the policy that the service was started with.

    Raises
    ------
    Conflict
        If the live policy is pinned, or nothing was promoted.
    """
    state = _unpinned(connection, tenant, "rolled back")
    if not state.promoted:
        raise Conflict(
            "there is nothing to roll back: the policy that the service was started with is live"
        )
    before = state.promoted[-2] if len(state.promoted) > 1 else None
    _record(connection, tenant, actor, before, "rollback", pin, reason)
    return before


def set_pinned(
    connection: Connection, tenant: str, actor: str, pinned: bool, reason: str
) -> Promoted | None:
    """Pin the live policy, or let it be replaced again; nothing is recorded where it is so already.

    Returns
    -------
    Promoted or None
        what is live; None: the policy that the service was started with.
    """
    state = read_live_policy(connection, tenant)
    if state.pinned != pinned:
        by = "pin" if pinned else "unpin"
        _record(connection, tenant, actor, state.live, by, pinned, reason)
    return state.live


def retire(
    connection: Connection,
    tenant: str,
    actor: str,
    sha256: str,
    reason: str,
    in_use: Collection[str] = (),
) -> str:
    """Keep a model from being promoted again.

    Parameters
    ----------
    in_use
        models that trials and shadows need.

    Returns
    -------
    str
        its sha256.

    Raises
    ------
    NotThere
        If there is no such model.
    Conflict
        If it is retired already, is live, or would be after rolling back, or is in use.
    """
    model = find_model(connection, tenant, sha256)
    if model.sha256 in in_use:
        raise Conflict(
            f"model {model.sha256[:12]}: a trial or a shadow that is on needs it; stop that first"
        )
    state = read_live_policy(connection, tenant)
    if any(each.sha256 == model.sha256 for each in state.promoted[-2:]):
        raise Conflict(
            f"model {model.sha256[:12]}: is live, or what rolling back would make live; promote "
            "others first"
        )
    retire_model(connection, tenant, actor, model.sha256, reason)
    return model.sha256


def policy_without_files(spec: str) -> Policy:
    """The policy of a spec that names no file.

    Raises
    ------
    UserError
        If the spec is not understood, names a file, or a policy that may not decide.
    """
    if len(spec) > MAX_SPEC or contains_card_number(spec):
        raise UserError(
            f"a spec has at most {MAX_SPEC} characters, and nothing that looks like a card number"
        )
    rest = spec
    while "+" in rest and rest.partition("+")[0] in WRAPPERS:
        rest = rest.partition("+")[2]
    name, _, values = rest.partition(":")
    if name in FAMILIES:
        family = family_of(name)
        first = values.split(",")[0].partition("=")[0].strip()
        if family.needs_file or (values and first not in family.keys):
            # Whoever may promote is not by that allowed to have any file of the machine read.
            raise UserError(
                f"policy {spec[:64]!r}: a policy with a file is promoted by the sha256 that it got "
                "when it was added: authopt models add"
            )
    policy = load_policy(spec)
    check_may_decide(policy, spec)
    return policy


def _unpinned(connection: Connection, tenant: str, what: str) -> LivePolicy:
    state = read_live_policy(connection, tenant)
    if state.pinned:
        raise Conflict(
            f"the live policy is pinned, so nothing can be {what}"
            + (f" ({state.pinned_because})" if state.pinned_because else "")
            + ". Unpin it first: authopt models unpin"
        )
    return state


def _record(
    connection: Connection,
    tenant: str,
    actor: str,
    promoted: Promoted | None,
    by: str,
    pinned: bool,
    reason: str,
) -> None:
    value: dict[str, Any] = {
        "spec": None if promoted is None else promoted.spec,
        "sha256": None if promoted is None else promoted.sha256,
        "pinned": pinned,
        "by": by,
    }
    record_change(connection, tenant, actor, POLICY, LIVE, value, reason)
