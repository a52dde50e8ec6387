"""The price list of a world's routes, as a file: what lowest-cost routing goes by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from authopt.whole_file import write_whole
from simulator.leaderboard.places import Place
from simulator.protocol import World
from simulator.small.cast import CURRENCIES as SMALL_CURRENCIES
from simulator.small.world import SmallWorld
from simulator.world.cast_routes import ROUTES
from simulator.world.countries import CURRENCIES
from simulator.world.world import CardWorld

SINCE = "2000-01-01"
"""Long before any payment: the rates of a world never change."""


def price_list(world: World) -> str:
    """The fees of a world's routes, as its outcomes charge them, in the TOML of price files.

    Raises
    ------
    TypeError
        If the world is neither the small one nor one of cards.
    """
    if isinstance(world, SmallWorld):
        rows = [
            _row(each.name, each.attempt_fee_minor, each.fee_fixed_minor, each.fee_basis_points)
            for each in world.routes
        ]
        # A fee is so many minor units there, whatever the currency.
        return _text(rows, dict.fromkeys(SMALL_CURRENCIES, 1.0))
    if isinstance(world, CardWorld):
        rows = [_row(each.name, each.per_attempt, each.fixed, each.basis_points) for each in ROUTES]
        return _text(rows, {name: 1.0 / units for name, (units, _) in CURRENCIES.items()})
    raise TypeError(f"no fees are known of the routes of a {type(world).__name__}")


def lowest_cost_spec(place: Place, folder: Path) -> str:
    """Spec of lowest-cost routing at a place; its price list goes into the folder."""
    path = folder / "made" / f"{place.name}-prices.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, price_list(place.setting(1, 1).world).encode())
    return f"lowest-cost:{path}"


def _row(route: str, each: float, fixed: float, basis_points: float) -> str:
    return (
        f'[[fees]]\nroute = "{route}"\neach = {{ fixed = {each:g} }}\n'
        f"approved = {{ fixed = {fixed:g}, bps = {basis_points:g} }}\n"
    )


def _text(rows: Iterable[str], rates: Mapping[str, float]) -> str:
    told = [
        f'[[rates]]\ncurrency = "{name}"\nfrom = {SINCE}\nrate = {rate:.15g}\n'
        for name, rate in rates.items()
        if name != "USD"
    ]
    return "\n".join(['currency = "USD"\n', *rows, *told])
