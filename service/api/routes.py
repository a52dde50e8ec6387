"""``/v1/routes``: which routes may be used, and how much."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from flask import Blueprint, Response, request
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Engine

from service.api.bodies import read_body
from service.api.operating import Reason, refusals
from service.live.live import Live
from service.live.routes import RouteState, route_states, set_route
from service.live.weighted import LARGEST, SMALLEST
from service.security.caller import caller
from service.store.changes import changing

JSON = "application/json"


class RouteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/routes/{route}``; what is not given stays as it is, a null weight is 1."""

    state: Literal["up", "down"] | None = None
    weight: Annotated[float, Meta(ge=SMALLEST, le=LARGEST)] | UnsetType | None = UNSET
    reason: Reason = ""


class RouteRow(msgspec.Struct, frozen=True):
    """A route: whether it may be used, and what probabilities of it are multiplied by."""

    route: str
    state: Literal["up", "down"]
    weight: float
    reason: str


class RoutesAnswer(msgspec.Struct, frozen=True):
    """The merchant's routes in the order of the static priority."""

    routes: list[RouteRow]


def routes_blueprint(live: Live, engine: Engine) -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("routes", __name__)

    def answer() -> Response:
        tenant = caller().tenant
        with refusals("routes"), engine.connect() as connection:
            states = route_states(connection, tenant, live.serving(tenant).routes)
        rows = [
            RouteRow(each.route, "up" if each.up else "down", each.weight, each.reason)
            for each in states.values()
        ]
        return Response(msgspec.json.encode(RoutesAnswer(rows)), content_type=JSON)

    @blueprint.get("/v1/routes")
    def show() -> Response:
        return answer()

    @blueprint.post("/v1/routes/<route>")
    def change(route: str) -> Response:
        who = caller()
        asked = read_body(request, RouteRequest)
        routes = live.serving(who.tenant).routes
        with refusals("path"), changing(engine) as connection:
            there = route_states(connection, who.tenant, routes).get(route, RouteState(route))
            weight = there.weight if asked.weight is UNSET else asked.weight
            up = there.up if asked.state is None else asked.state == "up"
            wanted = RouteState(route, up, 1.0 if weight is None else weight, asked.reason)
            set_route(connection, who.tenant, who.name, routes, wanted)
        live.refresh(engine)
        return answer()

    return blueprint
