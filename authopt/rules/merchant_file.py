"""A merchant's rules as a TOML file; data/rules/README.md explains every key."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from authopt.actions import STOP_ROUTE
from authopt.errors import UserError
from authopt.payments import Funding, Initiator, Network
from authopt.prices.currencies import decimals_of
from authopt.rules.durations import EXPECTED, seconds_of
from authopt.rules.merchant import MerchantRule, MerchantRules
from authopt.rules.merchant_cost import CostCap, CostOf
from authopt.rules.merchant_hours import DAYS, HOURS, QuietHours
from authopt.rules.merchant_limits import AttemptsInWindow
from authopt.rules.merchant_routes import RouteAmounts, RouteDown, RouteValues
from authopt.rules.merchant_volume import Period, VolumeCap, VolumePromise
from authopt.toml_file import read_toml

Unknown = Literal["remove", "keep"]
Wrong = Callable[[str, str], UserError]

COLUMNS = {
    "currencies": "currency",
    "issuer_countries": "issuer_country",
    "merchant_countries": "merchant_country",
    "networks": "network",
    "fundings": "funding",
    "mccs": "mcc",
    "initiators": "initiator",
}
"""Keys of a route's conditions, and the context column of each."""

_KNOWN = {
    "networks": tuple(Network),
    "fundings": tuple(Funding),
    "initiators": tuple(Initiator),
}
_FORMS = {"mccs": (re.compile("[0-9]{4}"), "four digits such as 5732")}


class _Attempts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    most: int
    within: str | int


class _QuietHours(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"start": "from", "end": "until"},
):
    start: int
    end: int
    initiators: tuple[str, ...] = (Initiator.MIT,)
    days: tuple[int, ...] = ()
    unknown: Unknown = "remove"


class _Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    currencies: tuple[str, ...] | None = None
    issuer_countries: tuple[str, ...] | None = None
    merchant_countries: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    fundings: tuple[str, ...] | None = None
    mccs: tuple[str, ...] | None = None
    initiators: tuple[str, ...] | None = None


class _Amounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    least: int | None = None
    most: int | None = None


class _Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    only: _Values = _Values()
    never: _Values = _Values()
    amount_minor: dict[str, _Amounts] = {}
    unknown: Unknown = "remove"


class _Down(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"start": "from", "end": "until"},
):
    route: str
    start: datetime | None = None
    end: datetime | None = None
    why: str = ""


class _Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prices: str
    most_minor: dict[str, int] = {}
    most_share: float | None = None
    of: Literal["approved", "declined", "dearer"] = "dearer"
    unknown: Unknown = "remove"


class _Volume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    route: str
    per: Literal["day", "month"]
    most: int | None = None
    least: int | None = None
    least_share: float | None = None
    reserve: float = 0.5
    unknown: Unknown = "remove"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    max_attempts: int = 15
    deadline: bool = True
    attempts: tuple[_Attempts, ...] = ()
    down: tuple[_Down, ...] = ()
    routes: dict[str, _Route] = {}
    quiet_hours: tuple[_QuietHours, ...] = ()
    cost: _Cost | None = None
    volume: tuple[_Volume, ...] = ()


def load_merchant_rules(path: Path) -> MerchantRules:
    """Read and check a merchant's rules.

    Whatever the order in the file, they are applied in this one: attempts, deadline, routes that
    are down, what routes take, quiet hours, cost, caps of volume, promises of volume.

    Raises
    ------
    UserError
        Naming the file, the key, the value and what was expected.
    """
    file = read_toml(path, _File, "See data/rules/README.md for every key")

    def wrong(key: str, what: str) -> UserError:
        return UserError(f"{path}: key {key}: {what}")

    if file.max_attempts < 1:
        raise wrong("max_attempts", f"is {file.max_attempts}; expected at least 1")
    rules: list[MerchantRule] = [
        *_attempts(file, wrong),
        *_down(file, wrong),
        *_conditions(file, wrong),
        *_quiet_hours(file, wrong),
        *_cost(file, path, wrong),
    ]
    caps, promises = _volumes(file, wrong)
    return MerchantRules(file.max_attempts, file.deadline, (*rules, *caps), promises)


def check_routes(rules: MerchantRules, routes: Collection[str], source: str) -> None:
    """Refuse rules that name a route which the merchant does not have: a typing mistake, perhaps.

    Raises
    ------
    UserError
        Naming ``source``, the route and those that there are.
    """
    for route in rules.routes:
        if route not in routes:
            near = difflib.get_close_matches(route, routes, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(
                f"{source}: route {route!r} is none of the merchant's routes "
                f"({', '.join(routes)}){hint}"
            )


def _attempts(file: _File, wrong: Wrong) -> Iterator[AttemptsInWindow]:
    for at, each in enumerate(file.attempts):
        key = f"attempts[{at}]"
        within = each.within if isinstance(each.within, int) else seconds_of(each.within)
        if within is None or within < 1:
            raise wrong(f"{key}.within", f"is {each.within!r}; {EXPECTED}")
        yield AttemptsInWindow(_at_least(each.most, 1, f"{key}.most", wrong), within)


def _down(file: _File, wrong: Wrong) -> Iterator[RouteDown]:
    for at, each in enumerate(file.down):
        key = f"down[{at}]"
        _route(each.route, f"{key}.route", wrong)
        for name, moment in (("from", each.start), ("until", each.end)):
            if moment is not None and moment.tzinfo is None:
                raise wrong(
                    f"{key}.{name}",
                    f"is {moment.isoformat()} without a zone; expected such as "
                    f"{moment.isoformat()}Z",
                )
        if each.start is not None and each.end is not None and each.start >= each.end:
            raise wrong(f"{key}.until", f"is {each.end.isoformat()}, not after from")
        yield RouteDown(each.route, each.start, each.end, each.why)


def _conditions(file: _File, wrong: Wrong) -> Iterator[MerchantRule]:
    for route, each in file.routes.items():
        key = f"routes.{route}"
        _route(route, key, wrong)
        keep = each.unknown == "keep"
        for word, values in (("only", each.only), ("never", each.never)):
            for name, column in COLUMNS.items():
                given = getattr(values, name)
                if given is not None:
                    checked = _values(given, name, f"{key}.{word}.{name}", wrong)
                    yield RouteValues(route, column, checked, word == "only", keep)
        for currency, amounts in each.amount_minor.items():
            where = f"{key}.amount_minor.{currency}"
            _values((currency,), "currencies", where, wrong)
            least, most = amounts.least, amounts.most
            if least is None and most is None:
                raise wrong(where, "has neither least nor most; give one of them, or both")
            for name, bound in (("least", least), ("most", most)):
                if bound is not None:
                    _at_least(bound, 0, f"{where}.{name}", wrong)
            if least is not None and most is not None and least > most:
                raise wrong(f"{where}.most", f"is {most}, below least ({least})")
            yield RouteAmounts(route, currency, least, most, keep)


def _quiet_hours(file: _File, wrong: Wrong) -> Iterator[QuietHours]:
    for at, each in enumerate(file.quiet_hours):
        key = f"quiet_hours[{at}]"
        if not 0 <= each.start < HOURS:
            raise wrong(f"{key}.from", f"is {each.start}; expected an hour, 0 to 23")
        if not 1 <= each.end <= HOURS:
            raise wrong(f"{key}.until", f"is {each.end}; expected an hour, 1 to 24")
        if each.start == each.end:
            raise wrong(f"{key}.until", "is the same as from; the whole day is from 0 until 24")
        initiators = _values(each.initiators, "initiators", f"{key}.initiators", wrong)
        for day in each.days:
            if not 1 <= day <= len(DAYS):
                raise wrong(f"{key}.days", f"holds {day}; expected 1 (Monday) to 7 (Sunday)")
        yield QuietHours(each.start, each.end, initiators, each.days, each.unknown == "keep")


def _cost(file: _File, path: Path, wrong: Wrong) -> Iterator[CostCap]:
    # The price lists are needed by this rule alone.
    from authopt.prices import load_prices

    cost = file.cost
    if cost is None:
        return
    if not cost.most_minor and cost.most_share is None:
        raise wrong("cost", "has neither most_minor nor most_share; give one of them, or both")
    for currency, most in cost.most_minor.items():
        _values((currency,), "currencies", f"cost.most_minor.{currency}", wrong)
        _at_least(most, 0, f"cost.most_minor.{currency}", wrong)
    if cost.most_share is not None:
        _share(cost.most_share, "cost.most_share", wrong)
    prices = load_prices(path.parent / cost.prices)
    yield CostCap(prices, cost.most_minor, cost.most_share, CostOf(cost.of), cost.unknown == "keep")


def _volumes(file: _File, wrong: Wrong) -> tuple[list[VolumeCap], list[VolumePromise]]:
    caps, promises = [], []
    for at, each in enumerate(file.volume):
        key = f"volume[{at}]"
        _route(each.route, f"{key}.route", wrong)
        per = Period(each.per)
        given = [
            name for name in ("most", "least", "least_share") if getattr(each, name) is not None
        ]
        if len(given) != 1:
            said = " and ".join(given) or "none"
            raise wrong(key, f"gives {said}; expected exactly one of most, least, least_share")
        if each.most is not None:
            most = _at_least(each.most, 0, f"{key}.most", wrong)
            caps.append(VolumeCap(each.route, most, per, each.unknown == "keep"))
            continue
        if each.least is not None:
            _at_least(each.least, 1, f"{key}.least", wrong)
        if each.least_share is not None:
            _share(each.least_share, f"{key}.least_share", wrong)
        _share(each.reserve, f"{key}.reserve", wrong)
        promises.append(VolumePromise(each.route, per, each.least, each.least_share, each.reserve))
    return caps, promises


def _route(route: str, key: str, wrong: Wrong) -> None:
    if not route.strip():
        raise wrong(key, "is empty; expected the name of a route")
    if route == STOP_ROUTE:
        raise wrong(key, f"{STOP_ROUTE!r} is reserved for giving up, which no rule forbids")


def _values(given: Sequence[str], name: str, key: str, wrong: Wrong) -> tuple[str, ...]:
    if not given:
        raise wrong(key, "is empty; leave it out where it does not matter")
    known = _KNOWN.get(name)
    form, expected = _FORMS.get(name, (re.compile(r".*\S.*"), "a name"))
    for value in given:
        if name == "currencies" and decimals_of(value) is None:
            raise wrong(key, f"holds {value!r}; expected ISO 4217 codes such as EUR")
        if known is not None and value not in known:
            raise wrong(key, f"holds {value!r}; expected some of: {', '.join(known)}")
        if form.fullmatch(value) is None:
            raise wrong(key, f"holds {value!r}; expected {expected}")
    return tuple(dict.fromkeys(given))


def _at_least(value: int, least: int, key: str, wrong: Wrong) -> int:
    if value < least:
        raise wrong(key, f"is {value}; expected at least {least}")
    return value


def _share(value: float, key: str, wrong: Wrong) -> None:
    if not (math.isfinite(value) and 0.0 < value <= 1.0):
        raise wrong(key, f"is {value:g}; expected a share above 0, at most 1")
