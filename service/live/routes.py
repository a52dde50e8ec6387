"""Taking routes down and up again, and giving them weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from authopt.errors import UserError
from service.live.live import ROUTE
from service.live.weighted import LARGEST, SMALLEST
from service.models.refusals import Conflict, NotThere
from service.store.changes import changes_of_kind, present, record_change


@dataclass(frozen=True, slots=True)
class RouteState:
    """How an operator left a route.

    Attributes
    ----------
    route
        by name.
    up
        whether it may be used.
    weight
        what a policy's probabilities of it are multiplied by.
    reason
        why it is so; empty where nobody changed it.
    """

    route: str
    up: bool = True
    weight: float = 1.0
    reason: str = ""


def route_states(
    connection: Connection, tenant: str, routes: Sequence[str]
) -> dict[str, RouteState]:
    """The states of a merchant's routes, in the order given."""
    found = {route: RouteState(route) for route in routes}
    for (kind, route), change in present(connection, tenant).items():
        if kind == ROUTE and route in found:
            weight = change.value["weight"]
            found[route] = RouteState(
                route,
                change.value["state"] == "up",
                1.0 if weight is None else float(weight),
                change.reason,
            )
    return found


def weights_at(connection: Connection, tenant: str, at_us: int) -> dict[str, float]:
    """The weights other than 1 that routes had at a time, microseconds since 1970, UTC."""
    found: dict[str, float | None] = {}
    for change in changes_of_kind(connection, tenant, ROUTE, at_us):
        found[change.subject] = change.value["weight"]
    return {route: float(weight) for route, weight in found.items() if weight not in (None, 1.0)}


def set_route(
    connection: Connection,
    tenant: str,
    actor: str,
    routes: Sequence[str],
    wanted: RouteState,
) -> None:
    """Make a route's state what is wanted; recorded only where that is new.

    Parameters
    ----------
    connection
        of ``service.store.changes.changing``.
    tenant, actor
        whose route, and who does it.
    routes
        all routes of the merchant.
    wanted
        the route, its state, and why.

    Raises
    ------
    NotThere
        If the merchant has no such route.
    Conflict
        If no route would be left: every payment would be given up.
    UserError
        If the weight is out of range.
    """
    if wanted.route not in routes:
        raise NotThere(f"route {wanted.route[:64]!r}: expected one of {', '.join(routes)}")
    if not SMALLEST <= wanted.weight <= LARGEST:
        raise UserError(
            f"weight {wanted.weight:g}: expected {SMALLEST:g} to {LARGEST:g}; a route without any "
            "traffic is one that is taken down"
        )
    states = route_states(connection, tenant, routes)
    there = states[wanted.route]
    if (there.up, there.weight) == (wanted.up, wanted.weight):
        return
    others = [each for route, each in states.items() if route != wanted.route]
    if not wanted.up and not any(each.up for each in others):
        raise Conflict(
            f"route {wanted.route}: is the last one that is up; without it every payment would be "
            "given up. Take another one up first"
        )
    value = {
        "state": "up" if wanted.up else "down",
        "weight": None if wanted.weight == 1.0 else wanted.weight,
    }
    record_change(connection, tenant, actor, ROUTE, wanted.route, value, wanted.reason)
