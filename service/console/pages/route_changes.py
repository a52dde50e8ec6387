"""Taking routes down and up, giving them weights, and the kill switch: forms that ask why."""

from __future__ import annotations

from http import HTTPStatus
from math import isfinite
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection

from service.api.operating import refusals
from service.api.problems import FieldError, Problem
from service.console.backing import Backing
from service.console.frame import done, page
from service.console.reasons import given_reason
from service.live.routes import RouteState, route_states, set_route
from service.live.weighted import LARGEST, SMALLEST
from service.models.kill_switch import set_killed
from service.security.caller import caller
from service.store.changes import changing


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the forms."""

    def change(route: str, wanted_up: bool | None, weight: float | None) -> None:
        who, reason = caller(), given_reason()
        routes = backing.live.serving(who.tenant).routes
        with refusals("form"), changing(backing.engine) as connection:
            there = _state(connection, who.tenant, routes, route)
            up = there.up if wanted_up is None else wanted_up
            kept = there.weight if weight is None else weight
            wanted = RouteState(route, up, kept, reason)
            set_route(connection, who.tenant, who.name, routes, wanted)
        backing.live.refresh(backing.engine)

    def state_of(route: str) -> RouteState:
        tenant = caller().tenant
        routes = backing.live.serving(tenant).routes
        with refusals("query"), backing.engine.connect() as connection:
            return _state(connection, tenant, routes, route)

    @blueprint.get("/routes/down", endpoint="route_down")
    def down() -> Response:
        route = state_of(request.args.get("route", "")).route
        what = (
            f"{route} gets no payments any more, from now on, until somebody takes it up again. "
            "Decisions choose among the other routes."
        )
        return _form(f"Take {route} down", what, "Take down", danger=True)

    @blueprint.post("/routes/down", endpoint="route_down_sent")
    def down_sent() -> Response:
        route = request.args.get("route", "")
        change(route, False, None)
        return done(f"{route} is down.", url_for("console.routes"))

    @blueprint.get("/routes/up", endpoint="route_up")
    def up() -> Response:
        route = state_of(request.args.get("route", "")).route
        return _form(f"Take {route} up", f"{route} may get payments again, from now on.", "Take up")

    @blueprint.post("/routes/up", endpoint="route_up_sent")
    def up_sent() -> Response:
        route = request.args.get("route", "")
        change(route, True, None)
        return done(f"{route} is up.", url_for("console.routes"))

    @blueprint.get("/routes/weight", endpoint="route_weight")
    def weight() -> Response:
        there = state_of(request.args.get("route", ""))
        what = (
            f"A policy's probabilities of {there.route} are multiplied by its weight; 1 leaves "
            "them as they are."
        )
        field = {
            "name": "weight",
            "label": "Weight",
            "value": f"{there.weight:g}",
            "required": True,
            "maxlength": 12,
            "hint": f"{SMALLEST:g} to {LARGEST:g}",
        }
        return _form(f"Weight of {there.route}", what, "Set the weight", fields=[field])

    @blueprint.post("/routes/weight", endpoint="route_weight_sent")
    def weight_sent() -> Response:
        route, given = request.args.get("route", ""), _number(request.form.get("weight", ""))
        change(route, None, given)
        return done(f"{route} has the weight {given:g}.", url_for("console.routes"))

    def switched(killed: bool, notice: str) -> Response:
        who, reason = caller(), given_reason()
        with refusals("form"), changing(backing.engine) as connection:
            set_killed(connection, who.tenant, who.name, killed, reason)
        backing.live.refresh(backing.engine)
        return done(notice, url_for("console.routes"))

    @blueprint.get("/routes/kill", endpoint="kill")
    def kill() -> Response:
        first = backing.live.serving(caller().tenant).routes
        what = (
            "From now on no policy decides: every payment goes by the static priority, "
            f"{', '.join(first)}, as the rules allow. Experiments and canaries learn nothing."
        )
        return _form("Kill switch", what, "Let the static priority decide", danger=True)

    @blueprint.post("/routes/kill", endpoint="kill_sent")
    def kill_sent() -> Response:
        return switched(True, "The kill switch is on: the static priority decides.")

    @blueprint.get("/routes/revive", endpoint="revive")
    def revive() -> Response:
        name = backing.live.serving(caller().tenant).active.name
        what = f"The live policy, {name}, decides again."
        return _form("Kill switch off", what, "Let the policy decide")

    @blueprint.post("/routes/revive", endpoint="revive_sent")
    def revive_sent() -> Response:
        return switched(False, "The kill switch is off: the live policy decides.")


def _state(connection: Connection, tenant: str, routes: tuple[str, ...], route: str) -> RouteState:
    found = route_states(connection, tenant, routes).get(route)
    if found is None:
        message = f"there is no route {route[:64]!r}; expected one of {', '.join(routes)}"
        raise Problem(HTTPStatus.NOT_FOUND, message, FieldError("query route", message))
    return found


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        message = f"expected a number from {SMALLEST:g} to {LARGEST:g}"
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"weight: {message}", FieldError("weight", message)
        )
    return found


def _form(title: str, what: str, button: str, **values: Any) -> Response:
    return page(
        "route_change.html",
        title=title,
        here="routes",
        what=what,
        button=button,
        back=url_for("console.routes"),
        **{"danger": False, "fields": [], **values},
    )
