"""The policy of a learner: made from a spec, kept as an archive, and back from it, bit for bit."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from authopt.errors import UserError
from authopt.policies.mixed import Mixed
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.spec import FAMILIES, WRAPPERS, family_of, load_policy
from service.models.archive import FOLDER, Archive, archive_folder, unpacked
from service.models.prepared import check_may_decide

_FILE = "learner.json"


def new_policy(spec: str) -> LearningPolicy:
    """The policy that a learner starts with.

    Raises
    ------
    UserError
        If the spec is not understood, or its policy does not learn, cannot be saved, or may not
        decide.
    """
    policy = load_policy(spec)
    if not isinstance(policy, LearningPolicy) or not hasattr(_own(policy), "save"):
        raise UserError(
            f"policy {spec!r} does not learn while it decides. Expected such as recommended, "
            "online or online:model.vw"
        )
    check_may_decide(policy, spec)
    saved_spec(spec, policy)
    return policy


def saved_spec(spec: str, policy: Policy) -> str:
    """How the policy of a spec is written once it is saved, with ``{}`` for its folder.

    Raises
    ------
    UserError
        If there is no such way.
    """
    first = spec.strip().partition(":")[0]
    wrapper, plus, _ = first.partition("+")
    name = wrapper if plus else first
    known = name in FAMILIES and family_of(name).takes_file
    if (plus and name not in WRAPPERS) or not known:
        raise UserError(f"policy {spec!r} cannot be saved, so it cannot go on learning")
    epsilon = f",epsilon={policy.epsilon!r}" if isinstance(policy, Mixed) else ""
    return f"{name}:{FOLDER}/{_FILE}{epsilon}"


def save_policy(policy: LearningPolicy, spec: str) -> Archive:
    """The policy as an archive.

    Parameters
    ----------
    policy
        as :func:`new_policy` or :func:`load_saved` gave it.
    spec
        as :func:`saved_spec` gave it.
    """
    with TemporaryDirectory(prefix="authopt.") as folder:
        own: Any = _own(policy)
        own.save(Path(folder) / _FILE)
        return archive_folder(spec, Path(folder))


def load_saved(archived: Archive) -> LearningPolicy:
    """The policy of an archive.

    Raises
    ------
    UserError
        If it cannot be loaded.
    """
    with unpacked(archived) as spec:
        policy = load_policy(spec)
    assert isinstance(policy, LearningPolicy)
    return policy


def _own(policy: Policy) -> Policy:
    """What learns of a policy that is mixed with uniform."""
    return policy.policy if isinstance(policy, Mixed) else policy
