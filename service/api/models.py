"""``GET /v1/models``: the registry of the caller's merchant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from flask import Blueprint, Response
from sqlalchemy import Engine

from service.api.operating import refusals
from service.models.live_policy import read_live_policy
from service.models.registry import Model, list_models
from service.security.caller import caller
from service.store.records import moment

JSON = "application/json"


class ModelRow(msgspec.Struct, frozen=True):
    """A model: how it was made and judged, and whether it is live or retired."""

    sha256: str
    spec: str
    added_at: datetime
    added_by: str
    live: bool
    retired: bool
    lineage: dict[str, Any]


class ModelsAnswer(msgspec.Struct, frozen=True):
    """The newest 1,000 models of a merchant, newest first."""

    models: list[ModelRow]


def models_blueprint(engine: Engine) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("models", __name__)

    @blueprint.get("/v1/models")
    def show() -> Response:
        tenant = caller().tenant
        with refusals("models"), engine.connect() as connection:
            live = read_live_policy(connection, tenant).live
            sha256 = None if live is None else live.sha256
            rows = [model_row(each, sha256) for each in list_models(connection, tenant)]
        return Response(msgspec.json.encode(ModelsAnswer(rows)), content_type=JSON)

    return blueprint


def model_row(model: Model, live: str | None) -> ModelRow:
    """A model as it is told; ``live`` is the sha256 of the one that is."""
    return ModelRow(
        model.sha256,
        model.spec,
        moment(model.added_at_us),
        model.added_by,
        model.sha256 == live,
        model.retired,
        model.lineage,
    )
