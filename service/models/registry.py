"""The registry: models whole in the store, so that every machine can load the same one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select

from authopt.errors import UserError
from service.active_policy import ActivePolicy
from service.models.archive import Archive
from service.models.prepared import Prepared, checked_policy, prepared
from service.models.probes import Probes, check_probes, recorded_probes
from service.models.refusals import Conflict, NotThere
from service.store.changes import Change, changing, present, record_change
from service.store.records import microseconds
from service.store.tables import models

KIND = "model"
"""Of the changes that are recorded here."""

SHORTEST_PREFIX = 6

LISTED = 1_000

_TOLD = (
    models.c.sha256,
    models.c.spec,
    models.c.added_at_us,
    models.c.added_by,
    models.c.lineage,
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the registry, without its files.

    Attributes
    ----------
    sha256
        of the archive of its files.
    spec
        with ``{}`` where the folder of the files stands.
    added_at_us
        microseconds since 1970, UTC.
    added_by
        name of the key or of the command.
    lineage
        how it was made and judged.
    retired
        whether it may not be promoted any more.
    """

    sha256: str
    spec: str
    added_at_us: int
    added_by: str
    lineage: dict[str, Any]
    retired: bool


def put_model(
    connection: Connection, tenant: str, actor: str, model: Prepared, reason: str
) -> bool:
    """Put a model into the registry.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant
        the merchant whose model it is.
    actor, reason
        who adds it, and why.

    Returns
    -------
    bool
        Whether it is new; one that was there stays as it is, and if it was retired it is so no
        longer.
    """
    there = _find(connection, tenant, model.sha256)
    if there is not None and not there.retired:
        return False
    if there is None:
        connection.execute(
            insert(models),
            {
                "tenant": tenant,
                "sha256": model.sha256,
                "spec": model.archive.spec,
                "added_at_us": microseconds(datetime.now(UTC)),
                "added_by": actor,
                "lineage": model.lineage,
                "probe": model.probes,
                "files": model.archive.files,
            },
        )
    record_change(connection, tenant, actor, KIND, model.sha256, {"state": "added"}, reason)
    return there is None


def add_model(
    engine: Engine,
    tenant: str,
    actor: str,
    archived: Archive,
    reason: str,
    lineage: Mapping[str, Any] | None = None,
) -> tuple[Model, bool]:
    """Load a model, let it answer its probes, and put it into the registry.

    Returns
    -------
    tuple
        the model, and whether it is new.

    Raises
    ------
    UserError
        If it cannot be loaded, may not decide, or cannot answer.
    """
    with engine.connect() as connection:
        recorded = recorded_probes(connection, tenant)
    # Loaded outside of the transaction, which would keep decisions from being recorded.
    model = prepared(archived, recorded, lineage=lineage)
    with changing(engine) as connection:
        is_new = put_model(connection, tenant, actor, model, reason)
        return find_model(connection, tenant, model.sha256), is_new


def retire_model(connection: Connection, tenant: str, actor: str, sha256: str, reason: str) -> None:
    """Keep a model from being promoted; its files stay, for the record and for explanations.

    Raises
    ------
    Conflict
        If it is retired already.
    """
    if find_model(connection, tenant, sha256).retired:
        raise Conflict(f"model {sha256[:12]}: is retired already")
    record_change(connection, tenant, actor, KIND, sha256, {"state": "retired"}, reason)


def remove_old_models(
    connection: Connection, tenant: str, actor: str, keep: int, held: Collection[str]
) -> int:
    """Take the oldest models of one who adds many out of the registry.

    Decisions that they made stay on record, but cannot be explained by them any more.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant, actor
        whose models, and who added them.
    keep
        how many of the newest stay.
    held
        sha256 of models that stay in any case.

    Returns
    -------
    int
        how many were removed.
    """
    old = connection.scalars(
        select(models.c.sha256)
        .where(models.c.tenant == tenant, models.c.added_by == actor)
        .order_by(models.c.added_at_us.desc(), models.c.sha256)
        .offset(keep)
        # SQLite knows no offset without a limit.
        .limit(LISTED)
    ).all()
    removed = [sha256 for sha256 in old if sha256 not in held]
    for sha256 in removed:
        connection.execute(
            delete(models).where(models.c.tenant == tenant, models.c.sha256 == sha256)
        )
        why = f"only the newest {keep} are kept"
        record_change(connection, tenant, actor, KIND, sha256, {"state": "removed"}, why)
    return len(removed)


def list_models(connection: Connection, tenant: str) -> list[Model]:
    """The newest models of a merchant, at most ``LISTED``, newest first; the retired ones too."""
    state = present(connection, tenant)
    rows = connection.execute(
        select(*_TOLD)
        .where(models.c.tenant == tenant)
        .order_by(models.c.added_at_us.desc(), models.c.sha256)
        .limit(LISTED)
    )
    return [_model(row, state) for row in rows]


def find_model(connection: Connection, tenant: str, sha256: str) -> Model:
    """A model by its sha256, or by as much of its beginning as no other one shares.

    Raises
    ------
    NotThere
        If there is no such model, or there are several.
    """
    shown = sha256[:64]
    if len(sha256) >= SHORTEST_PREFIX and sha256.isascii() and sha256.isalnum():
        rows = connection.execute(
            select(*_TOLD)
            .where(models.c.tenant == tenant, models.c.sha256.startswith(sha256))
            .limit(2)
        ).all()
        if len(rows) == 1:
            return _model(rows[0], present(connection, tenant))
        if rows:
            raise NotThere(f"model {shown}: is the beginning of several; give more of it")
    raise NotThere(
        f"model {shown!r}: there is none. Expected a sha256, or its first {SHORTEST_PREFIX} "
        "characters or more; see them with: authopt models list"
    )


def load_model(connection: Connection, tenant: str, sha256: str) -> ActivePolicy:
    """A model of the registry, loaded and asked its probes.

    Raises
    ------
    UserError
        If it is not there, its bytes are damaged, it cannot be loaded, or it answers otherwise than
        when it was added.
    """
    row = connection.execute(
        select(models.c.spec, models.c.files, models.c.probe).where(
            models.c.tenant == tenant, models.c.sha256 == sha256
        )
    ).one_or_none()
    if row is None:
        raise NotThere(f"model {sha256[:12]}: is not in the registry")
    archived = Archive(row.spec, bytes(row.files))
    if archived.sha256 != sha256:
        raise UserError(f"model {sha256[:12]}: its bytes in the registry are damaged")
    policy = checked_policy(archived)
    check_probes(policy, msgspec.json.decode(row.probe, type=Probes))
    return ActivePolicy(policy.name, sha256, policy)


def archive_of(connection: Connection, tenant: str, sha256: str) -> Archive:
    """The files of a model."""
    row = connection.execute(
        select(models.c.spec, models.c.files).where(
            models.c.tenant == tenant, models.c.sha256 == sha256
        )
    ).one()
    return Archive(row.spec, bytes(row.files))


def _find(connection: Connection, tenant: str, sha256: str) -> Model | None:
    row = connection.execute(
        select(*_TOLD).where(models.c.tenant == tenant, models.c.sha256 == sha256)
    ).one_or_none()
    return None if row is None else _model(row, present(connection, tenant))


def _model(row: Any, state: Mapping[tuple[str, str], Change]) -> Model:
    change = state.get((KIND, row.sha256))
    retired = change is not None and change.value.get("state") == "retired"
    return Model(
        row.sha256,
        row.spec,
        row.added_at_us,
        row.added_by,
        msgspec.json.decode(row.lineage),
        retired,
    )
