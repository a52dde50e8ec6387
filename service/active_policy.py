"""The policy that answers, or the reason why there is none."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from authopt.errors import UserError
from authopt.policies.family import SpecError
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy

_log = logging.getLogger(__name__)

NOT_LOADED = "the policy could not be loaded"

NO_FLOOR = (
    "was made with epsilon 0: it may be evaluated, but not decide what is logged, as that log "
    "could judge no other policy. Train it with --epsilon above 0, or add ,epsilon=0.05"
)


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """A policy and what an answer says of it.

    Attributes
    ----------
    name
        the family, such as ``vw``.
    sha256
        of the model's file, where there is one.
    policy
        None where it could not be loaded.
    fault
        why it could not, for the operator.
    """

    name: str
    sha256: str | None = None
    policy: Policy | None = None
    fault: str | None = None


def load_active(spec: str) -> ActivePolicy:
    """Load a policy; whatever is wrong with its file becomes a fault, not an exception."""
    name = spec.partition(":")[0].strip()
    try:
        file = model_file(spec)
        sha256 = None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
        policy = load_policy(spec)
    except UserError as error:
        _log.error("%s: %s", NOT_LOADED, error)
        return ActivePolicy(name, fault=f"{NOT_LOADED}: {error}")
    except Exception as error:
        _log.exception(NOT_LOADED)
        return ActivePolicy(name, fault=f"{NOT_LOADED}: {type(error).__name__}")
    if not may_log(policy):
        _log.error("%s %s", spec, NO_FLOOR)
        return ActivePolicy(name, sha256, fault=f"the policy {NO_FLOOR}")
    return ActivePolicy(policy.name, sha256, policy)


def may_log(policy: Policy) -> bool:
    """Whether a policy keeps the floor that it should have; those that make no claim may."""
    return bool(getattr(policy, "may_log", True))


def model_file(spec: str) -> Path | None:
    """The file that a spec names, if it names one that exists (its name may hold commas)."""
    pieces = spec.partition(":")[2].split(",")
    for end in range(len(pieces), 0, -1):
        path = Path(",".join(pieces[:end]).strip())
        if path.is_file():
            return path
    return None


def check_spec(spec: str) -> None:
    """Refuse a spec that no mending of files would make good.

    Raises
    ------
    UserError
        If the spec is not understood, or names a policy that cannot decide.
    """
    try:
        policy = load_policy(spec)
    except SpecError:
        raise
    except UserError:
        if _names_a_file(spec):
            return
        raise
    if isinstance(policy, LoggedPolicy):
        raise UserError("policy 'logged' only repeats what a log holds; it cannot decide")
    if not may_log(policy):
        raise UserError(f"policy {spec!r} {NO_FLOOR}")


def _names_a_file(spec: str) -> bool:
    first = spec.partition(":")[2].split(",")[0]
    return bool(first) and "=" not in first
