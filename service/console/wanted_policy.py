"""Choosing a policy in a form: a model of the registry, or the spec of one without files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request
from sqlalchemy import Connection

from service.models.registry import Model, list_models
from service.trials.operating import WantedPolicy

_OFFERED = 50


def offered(connection: Connection, tenant: str) -> list[Model]:
    """The newest models that may still be promoted."""
    return [each for each in list_models(connection, tenant) if not each.retired][:_OFFERED]


def fields_for(models: Sequence[Model], suffix: str = "", label: str = "") -> list[dict[str, Any]]:
    """The two fields; ``suffix`` tells those of several policies apart."""
    of = f" of {label}" if label else ""
    options = [("", "none: by its spec")]
    # Never the whole sha256, whose digits may look like a card number.
    options += [(each.sha256[:12], f"{each.sha256[:12]} {each.spec}"[:60]) for each in models]
    model = {"name": f"sha256{suffix}", "label": f"Model{of}", "kind": "select", "options": options}
    spec = {"name": f"spec{suffix}", "label": f"Spec{of}", "maxlength": 256}
    if not suffix:
        spec["hint"] = "Without a model: a policy without files, such as uniform."
    return [model, spec]


def wanted_policy(suffix: str = "") -> WantedPolicy:
    """What was chosen; who chooses both or none is refused by what it is given to."""
    sha256 = request.form.get(f"sha256{suffix}", "").strip()
    spec = request.form.get(f"spec{suffix}", "").strip()
    return WantedPolicy(spec or None, sha256 or None)
