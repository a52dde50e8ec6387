"""The gate's verdict on a model that is in the registry already."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, update

from authopt.card_numbers import redact
from authopt.learning.gate.verdict import GateVerdict
from authopt.rollout.promotion import lineage_of
from service.models.registry import KIND, find_model
from service.store.changes import MAX_REASON, record_change
from service.store.tables import models

PASSED, REFUSED = "passed", "refused"


def put_verdict(connection: Connection, tenant: str, sha256: str, verdict: GateVerdict) -> None:
    """Put a verdict into a model's lineage, in the place of an earlier one.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant, sha256
        whose model, and which.
    verdict
        on it.

    Raises
    ------
    NotThere
        If there is no such model.
    """
    lineage = find_model(connection, tenant, sha256).lineage | lineage_of(verdict)
    connection.execute(
        update(models)
        .where(models.c.tenant == tenant, models.c.sha256 == sha256)
        .values(lineage=msgspec.json.encode(lineage).decode())
    )


def record_word(
    connection: Connection,
    tenant: str,
    actor: str,
    sha256: str,
    passed: bool,
    why: str,
    reasons: tuple[str, ...] = (),
) -> None:
    """Record what the gate said of a model in the end.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant, actor, sha256
        whose model, who asked the gate, and which model.
    passed, why, reasons
        what it said, in one sentence, and what speaks against the model.
    """
    value = {"state": PASSED if passed else REFUSED, "reasons": [redact(each) for each in reasons]}
    told = as_reason("; ".join((why, *reasons)))
    record_change(connection, tenant, actor, KIND, sha256, value, told)


def as_reason(text: str) -> str:
    """A text as the reason of a change: in one line, not too long, and without card numbers."""
    told = redact(" ".join(text.split()))
    return told if len(told) <= MAX_REASON else f"{told[: MAX_REASON - 1]}…"
