"""What the gate says of making a model of the registry live, in the place of what is live now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from authopt.learning.gate.trained_on import fingerprint_of
from authopt.learning.gate.verdict import GateVerdict, Override, VerdictFile
from authopt.rollout.promotion import LINEAGE, Known, Promotion, promotion, verdict_in
from service.models.archive import unpacked
from service.models.live_policy import read_live_policy
from service.models.registry import Model, archive_of

EVALUATION = "evaluation"
"""Name of what was said of a model, in its lineage: a list of JSON objects."""


def verdict_on(model: Model) -> GateVerdict | None:
    """The verdict that stands in a model's lineage; the last one, where there are several.

    Raises
    ------
    UserError
        If what stands there as the verdict is none.
    """
    if LINEAGE in model.lineage:
        return verdict_in(model.lineage)
    for told in reversed(model.lineage.get(EVALUATION, [])):
        try:
            return msgspec.convert(told, VerdictFile).result
        except msgspec.ValidationError:
            # It may be an evaluation, which is no verdict.
            continue
    return None


def without_verdict(lineage: dict[str, Any]) -> dict[str, Any]:
    """A lineage without what :func:`verdict_on` shows better."""
    evaluations = [each for each in lineage.get(EVALUATION, []) if "admitted" not in each]
    kept = {name: told for name, told in lineage.items() if name not in (LINEAGE, EVALUATION)}
    return kept | ({EVALUATION: evaluations} if evaluations else {})


def gate_word(
    connection: Connection,
    tenant: str,
    model: Model,
    started: str,
    now: datetime,
    override: Override | None = None,
) -> Promotion:
    """Whether a model may replace the live policy.

    Parameters
    ----------
    connection, tenant
        to the store, and whose model.
    model
        that is to be live.
    started
        spec of the policy that the service was started with: live where nothing was promoted.
    now
        UTC.
    override
        of the person who answers for it.

    Raises
    ------
    UserError
        If its verdict is damaged.
    """
    return promotion(
        verdict_on(model),
        known_policy(connection, tenant, model.spec, model.sha256),
        live_known(connection, tenant, started),
        now,
        override=override,
    )


def live_known(connection: Connection, tenant: str, started: str) -> Known:
    """The live policy as a verdict may know it."""
    live = read_live_policy(connection, tenant).live
    if live is None:
        return Known(started, fingerprint_of(started))
    return known_policy(connection, tenant, live.spec, live.sha256)


def known_policy(connection: Connection, tenant: str, spec: str, sha256: str | None) -> Known:
    """A model of the registry, or a policy without files, as a verdict may know it."""
    if sha256 is None:
        return Known(spec)
    with unpacked(archive_of(connection, tenant, sha256)) as in_place:
        return Known(spec, fingerprint_of(in_place))
