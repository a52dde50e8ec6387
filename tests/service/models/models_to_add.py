"""Policies in files, as they are added to the registry."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from authopt.policies.online import OnlineVw
from service.models.archive import archive
from service.models.registry import Model, add_model
from service.tenants import DEFAULT_TENANT


def policy_file(folder: Path, epsilon: float = 0.2) -> str:
    """The spec of a small model of its own for each epsilon."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"model-{epsilon:g}.json"
    OnlineVw(epsilon=epsilon).save(path)
    return f"online:{path}"


def added(
    engine: Engine, folder: Path, epsilon: float = 0.2, tenant: str = DEFAULT_TENANT
) -> Model:
    model, is_new = add_model(engine, tenant, "tests", archive(policy_file(folder, epsilon)), "")
    assert is_new
    return model
