"""A world of cards: hundreds of issuers in several countries, balances, subscriptions, drift."""

from simulator.world.events import FraudAttack, RouteAdded, RouteDegraded, RouteDown
from simulator.world.settings import WorldSettings
from simulator.world.world import CardWorld, make_world

__all__ = [
    "CardWorld",
    "FraudAttack",
    "RouteAdded",
    "RouteDegraded",
    "RouteDown",
    "WorldSettings",
    "make_world",
]
