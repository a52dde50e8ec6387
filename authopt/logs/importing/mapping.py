"""The mapping: which source column is what, written in TOML and checked before a row is read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from authopt.actions import STOP_ROUTE
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, OUTCOME_BY_NAME, Kind
from authopt.rules.psp_codes import OWN_TABLE, psp_file, read_psp_codes
from authopt.toml_file import read_toml

SPECIAL = ("time", "route", "amount", "payment_id", "decision_id", "propensity")
"""Targets that are no column of the log by themselves: when, by which route, how much (in whole
units of the currency), the source's own ids, and how probable the route was."""

OF_EACH_ROW = ("payment_id", "decision_id", "propensity")
"""Targets that only a source column can give."""

SHARES_SUM_TOLERANCE = 1e-9

DERIVED = (
    "previous_route",
    "previous_response_code",
    "previous_advice_code",
    "seconds_since_first_attempt",
    "seconds_since_last_attempt",
)
"""Columns that the import works out from the payment's earlier attempts."""

PSP_CODE = "x_psp_code"
"""Where the raw code of a provider stays beside the network's."""

Scalar = str | int | float | bool


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the file is written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    sheet: str | None = None


class Time(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How times are written; without a zone, the format needs %z."""

    format: str = "%Y-%m-%dT%H:%M:%S%z"
    zone: str | None = None
    ambiguous: Literal["reject", "earlier", "later"] = "reject"


class Payments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which attempts belong to one payment, where the source has no payment id."""

    same: tuple[str, ...] = ()
    within_s: int = 60
    end_at_approval: bool = True


class Routes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The routes that every attempt could have taken, and by which fixed shares they were drawn."""

    eligible: tuple[str, ...]
    shares: Literal["equal"] | dict[str, float] | None = None

    def probabilities(self) -> tuple[float, ...] | None:
        """The share of every eligible route; None where the mapping does not say."""
        if self.shares is None:
            return None
        if isinstance(self.shares, str):
            return (1.0 / len(self.eligible),) * len(self.eligible)
        return tuple(self.shares.get(name, 0.0) for name in self.eligible)


class Derived(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """A column whose value goes by that of a source column."""

    source: str
    values: dict[str, str]


class Fee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an attempt on a route costs, in minor units."""

    approved: int
    declined: int


class Codes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose codes the source's ``response_code`` holds: of one provider, or by route.

    Attributes
    ----------
    psp
        a provider's name (``authopt.rules.psp_codes``) or a CSV table, or such a name for each
        route that has one; the network's own codes where None.
    """

    psp: str | dict[str, str] | None = None

    def beside(self, mapping: Path) -> Codes:
        """The same, with the paths of own tables made to start from the mapping's folder."""

        def found(name: str) -> str:
            return str(mapping.parent / name) if name.endswith(OWN_TABLE) else name

        if isinstance(self.psp, dict):
            return Codes({route: found(name) for route, name in self.psp.items()})
        return self if self.psp is None else Codes(found(self.psp))


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checked mapping; data/mappings/README.md explains every key."""

    columns: dict[str, str]
    routes: Routes
    source: Source = Source()
    time: Time = Time()
    payments: Payments = Payments()
    constants: dict[str, Scalar] = {}
    values: dict[str, dict[str, Scalar]] = {}
    derived: dict[str, Derived] = {}
    kinds: dict[str, Literal["category", "number", "flag"]] = {}
    fees: dict[str, Fee] = {}
    codes: Codes = Codes()

    def source_columns(self) -> tuple[str, ...]:
        """All source columns that are read."""
        derived = (each.source for each in self.derived.values())
        return tuple(dict.fromkeys([*self.columns.values(), *derived, *self.payments.same]))

    def targets(self) -> tuple[str, ...]:
        """All targets that get a value."""
        return tuple(dict.fromkeys([*self.columns, *self.derived, *self.constants]))

    @property
    def has_propensities(self) -> bool:
        """Whether the source says with which probability each route was taken."""
        return "propensity" in self.columns or self.routes.shares is not None

    def psp_of(self, route: str) -> str | None:
        """The provider whose codes an eligible route answers with; None for the network's own."""
        psp = self.codes.psp
        return psp.get(route) if isinstance(psp, dict) else psp

    def psp_tables(self) -> dict[str, Path]:
        """The tables of the providers that the mapping names."""
        names = dict.fromkeys(self.psp_of(route) for route in self.routes.eligible)
        return {name: psp_file(name) for name in names if name is not None}

    def kind(self, target: str) -> Kind:
        """How a target is held."""
        known = CONTEXT_BY_NAME.get(target) or OUTCOME_BY_NAME.get(target)
        if known is not None:
            return known.kind
        return Kind(self.kinds.get(target, "category"))


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping.

    Raises
    ------
    UserError
        Naming the file, the key, the value and what was expected.
    """
    mapping = read_toml(path, Mapping, "See data/mappings/README.md for every key")

    def wrong(key: str, what: str) -> UserError:
        return UserError(f"{path}: key {key}: {what}")

    _check_targets(mapping, wrong)
    _check_source(mapping, wrong)
    _check_routes(mapping, wrong)
    mapping = msgspec.structs.replace(mapping, codes=mapping.codes.beside(path))
    _check_codes(mapping, wrong)
    return mapping


Wrong = Callable[[str, str], UserError]


def _check_targets(mapping: Mapping, wrong: Wrong) -> None:
    allowed = [
        name for name in (*SPECIAL, *CONTEXT_BY_NAME, *OUTCOME_BY_NAME) if name not in DERIVED
    ]
    for table in ("columns", "constants", "derived", "values", "kinds"):
        for name in getattr(mapping, table):
            if name in DERIVED:
                raise wrong(f"{table}.{name}", "is worked out from the earlier attempts; leave out")
            if name not in allowed and not name.startswith(CUSTOM_PREFIX):
                near = difflib.get_close_matches(name, allowed, 1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise wrong(
                    f"{table}.{name}",
                    f"is no column of the attempt log{hint} Your own columns start with "
                    f"{CUSTOM_PREFIX}",
                )
    for needed in ("time", "route", "approved"):
        if needed not in mapping.columns:
            raise wrong(f"columns.{needed}", "is missing; every attempt needs it")
    for name in OF_EACH_ROW:
        if name in mapping.constants or name in mapping.derived:
            raise wrong(name, "differs from row to row: name its source column in columns")
    given = [*mapping.columns, *mapping.derived, *mapping.constants]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise wrong(twice[0], "gets a value in more than one table; keep one of them")
    if "amount" in given and "amount_minor" in given:
        raise wrong("columns.amount", "and amount_minor both say the amount; keep one of them")
    for name in mapping.values:
        if name not in mapping.columns:
            raise wrong(f"values.{name}", f"has no source column; add columns.{name}")
    for name in mapping.kinds:
        if not name.startswith(CUSTOM_PREFIX):
            raise wrong(f"kinds.{name}", f"only own columns ({CUSTOM_PREFIX}...) have a kind here")


def _check_source(mapping: Mapping, wrong: Wrong) -> None:
    source, time = mapping.source, mapping.time
    if len(source.delimiter) != 1 or source.delimiter in '\r\n"':
        raise wrong("source.delimiter", f"is {source.delimiter!r}; expected one character")
    try:
        "".encode(source.encoding)
    except (LookupError, UnicodeError):
        raise wrong("source.encoding", f"{source.encoding!r} is not known") from None
    if time.zone is None:
        if "%z" not in time.format:
            raise wrong("time.zone", "is missing: name the zone of the source's clock, such as UTC")
    else:
        if "%z" in time.format:
            raise wrong("time.zone", "and %z in time.format both say the zone; keep one of them")
        try:
            ZoneInfo(time.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = f"{time.zone!r} is no IANA time zone, such as Europe/Berlin or UTC"
            raise wrong("time.zone", message) from None
    if "payment_id" not in mapping.columns and not mapping.payments.same:
        raise wrong(
            "payments.same",
            "is missing: name the source columns whose values the attempts of a payment share, "
            "or columns.payment_id where the source has one",
        )
    if mapping.payments.within_s < 1:
        raise wrong("payments.within_s", f"is {mapping.payments.within_s}; expected 1 or more")


def _check_routes(mapping: Mapping, wrong: Wrong) -> None:
    eligible = mapping.routes.eligible
    if not eligible or not all(eligible) or len(set(eligible)) < len(eligible):
        raise wrong("routes.eligible", "expected one or more different names")
    if STOP_ROUTE in eligible:
        raise wrong("routes.eligible", f"{STOP_ROUTE!r} is reserved for giving up")
    _check_shares(mapping.routes, wrong)
    for name in mapping.fees:
        if name not in eligible:
            raise wrong(f"fees.{name}", f"is no eligible route ({', '.join(eligible)})")
    if mapping.fees and "fee_minor" in mapping.targets():
        raise wrong("fees", "and a column fee_minor both say the fee; keep one of them")


def _check_codes(mapping: Mapping, wrong: Wrong) -> None:
    if mapping.codes.psp is None:
        return
    if isinstance(mapping.codes.psp, dict):
        for name in mapping.codes.psp:
            if name not in mapping.routes.eligible:
                raise wrong(f"codes.psp.{name}", "is no eligible route")
    if "response_code" not in mapping.columns:
        raise wrong("codes.psp", "needs columns.response_code, the column with the raw codes")
    if "response_code" in mapping.values:
        raise wrong("codes.psp", "and values.response_code both translate; keep one of them")
    if PSP_CODE in mapping.targets():
        raise wrong(PSP_CODE, "is where the raw codes of codes.psp stay; name yours otherwise")
    try:
        for table in mapping.psp_tables().values():
            read_psp_codes(table)
    except UserError as error:
        raise wrong("codes.psp", str(error)) from error


def _check_shares(routes: Routes, wrong: Wrong) -> None:
    if not isinstance(routes.shares, dict):
        return
    for name, share in routes.shares.items():
        if name not in routes.eligible:
            raise wrong(f"routes.shares.{name}", "is no eligible route")
        if not 0.0 <= share <= 1.0:
            raise wrong(f"routes.shares.{name}", f"is {share:g}; expected 0 to 1")
    total = math.fsum(routes.shares.values())
    if abs(total - 1.0) > SHARES_SUM_TOLERANCE:
        raise wrong("routes.shares", f"sum to {total:.9g}; expected 1")
