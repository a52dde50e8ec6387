"""A model on its way into the registry: loaded, judged fit to decide, and asked its probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from authopt import __version__
from authopt.errors import UserError
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import Probe
from service.active_policy import NO_FLOOR, may_log
from service.models.archive import Archive, unpacked
from service.models.probes import make_probes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model with all that the registry keeps of it; ``probes`` and ``lineage`` are JSON."""

    archive: Archive
    sha256: str
    probes: str
    lineage: str


def checked_policy(archived: Archive) -> Policy:
    """The archived policy, loaded from its archive alone.

    Raises
    ------
    UserError
        If it cannot be loaded, or may not decide what is logged.
    """
    with unpacked(archived) as spec:
        policy = load_policy(spec)
    check_may_decide(policy, archived.spec)
    return policy


def check_may_decide(policy: Policy, spec: str) -> None:
    """Refuse a policy that may be judged, but not promoted.

    Raises
    ------
    UserError
        If it is such a one.
    """
    if isinstance(policy, LoggedPolicy):
        raise UserError("policy 'logged' only repeats what a log holds; it cannot decide")
    if not may_log(policy):
        raise UserError(f"policy {spec!r} {NO_FLOOR}")


def lineage_of(policy: Policy) -> dict[str, Any]:
    """What a policy itself says of how it was made, and the version of this code."""
    told: dict[str, Any] = {"code": {"authopt": __version__}}
    if isinstance(policy, VwPolicy):
        manifest = policy.manifest
        told["code"] = {"authopt": manifest.authopt_version, "vw": manifest.vw_version}
        told["training"] = {
            "log": manifest.log,
            "rows": manifest.rows,
            "reward": manifest.reward,
            "targets": manifest.targets,
            "progressive_value": manifest.progressive_value,
            "ancestors": [each.sha256 for each in manifest.ancestors],
        }
        told["options"] = {
            "vw_arguments": manifest.vw_arguments,
            "explorer": manifest.explorer,
            "floor": manifest.floor,
        }
    return told


def prepared(
    archived: Archive,
    recorded: Sequence[Probe] = (),
    *,
    policy: Policy | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> Prepared:
    """Load a model, and let it answer its probes.

    Parameters
    ----------
    archived
        its files.
    recorded
        decisions of the merchant, for probes.
    policy
        what the archive gives, if it is loaded already.
    lineage
        what is known of it beyond what it says itself.

    Raises
    ------
    UserError
        If it cannot be loaded, may not decide, or cannot answer.
    """
    policy = checked_policy(archived) if policy is None else policy
    check_may_decide(policy, archived.spec)
    return Prepared(
        archived,
        archived.sha256,
        msgspec.json.encode(make_probes(policy, recorded)).decode(),
        msgspec.json.encode(lineage_of(policy) | dict(lineage or {})).decode(),
    )
