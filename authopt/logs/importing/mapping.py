"""How a foreign file becomes an attempt log: the mapping, a TOML file that is checked key by key."""

from __future__ import annotations

import io
import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from authopt.logs.rejects import shown
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, OUTCOME_BY_NAME, Kind

DERIVED = (
    "previous_route",
    "previous_response_code",
    "previous_advice_code",
    "seconds_since_first_attempt",
    "seconds_since_last_attempt",
)
"""Context columns that the import works out from the attempts of a payment."""

ANY_VALUE = "*"
"""Key of a value map that stands for every value not named."""

_OWN = {
    "decision_id": Kind.REFERENCE,
    "payment_id": Kind.REFERENCE,
    "route": Kind.CATEGORY,
    "amount": Kind.NUMBER,
}


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the mapping; a key that it does not know is a mistake."""


class SourceTable(_Table, frozen=True):
    """How the file is read."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    sheet: str | None = None
    missing: tuple[str, ...] = ()
    id_prefix: str = ""


class TimeTable(_Table, frozen=True):
    """When each attempt was decided."""

    column: str
    format: str = "iso"
    zone: str = "UTC"
    ambiguous: Literal["reject", "earlier", "later"] = "reject"
    local: bool = False


class PaymentsTable(_Table, frozen=True):
    """Which attempts belong to one payment, where no column ``payment_id`` says so."""

    same: tuple[str, ...]
    within_s: float


class RoutesTable(_Table, frozen=True):
    """The routes that were open to every attempt."""

    eligible: tuple[str, ...]


class Fee(_Table, frozen=True):
    """What one attempt by a route costs, in minor units of the payment's currency."""

    approved: int
    declined: int


Plain = str | bool | int | float


class Mapping(_Table, frozen=True):
    """A whole mapping; ``data/mappings/README.md`` explains the keys."""

    time: TimeTable
    columns: dict[str, str]
    routes: RoutesTable
    source: SourceTable = SourceTable()
    constants: dict[str, Plain] = {}
    values: dict[str, dict[str, Plain]] = {}
    kinds: dict[str, Literal["category", "number", "integer", "flag"]] = {}
    payments: PaymentsTable | None = None
    fees: dict[str, Fee] = {}

    def kind(self, target: str) -> Kind:
        """How the values of a target are read."""
        if target in _OWN:
            return _OWN[target]
        known = CONTEXT_BY_NAME.get(target) or OUTCOME_BY_NAME.get(target)
        return known.kind if known else Kind(self.kinds.get(target, "category"))

    @property
    def targets(self) -> tuple[str, ...]:
        """Everything that comes from a column or a constant."""
        return (*self.columns, *self.constants)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns of the file that are read."""
        same = self.payments.same if self.payments else ()
        return tuple(dict.fromkeys((self.time.column, *self.columns.values(), *same)))


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping.

    Raises
    ------
    UserError
        At the first mistake: the message names file, key, value and what was expected.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: cannot be read as TOML in UTF-8 ({error})") from error
    try:
        mapping = msgspec.convert(raw, Mapping)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {_explained(str(error), raw)}") from error
    for key, value, expected in _mistakes(mapping):
        got = "" if value is None else f" is {shown(value)!r}"
        raise UserError(f"{path}: key {key}{got}; {expected}")
    return mapping


def _explained(message: str, raw: Any) -> str:
    """A message of msgspec with the key as TOML writes it and the value that stands there."""
    text, _, where = message.partition(" - at `")
    keys = [key for key in re.split(r"[.\[\]]+", where.rstrip("`").removeprefix("$")) if key]
    value = raw
    for key in keys:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            value = None
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text)
    if unknown and isinstance(value, dict):
        full = ".".join([*keys, unknown[1]])
        got = shown(value.get(unknown[1]))
        return f"unknown key {full} (value {got!r}); see data/mappings/README.md for the keys"
    got = f" is {shown(value)!r}" if keys and not isinstance(value, dict) else ""
    key = f"key {'.'.join(keys)}{got}; " if keys else ""
    return f"{key}{text[:1].lower()}{text[1:]}"


_Mistakes = list[tuple[str, Any, str]]


def _mistakes(mapping: Mapping) -> _Mistakes:
    return (
        _source_mistakes(mapping.source)
        + _time_mistakes(mapping.time)
        + _target_mistakes(mapping)
        + _route_mistakes(mapping)
        + _payment_mistakes(mapping)
    )


def _source_mistakes(source: SourceTable) -> _Mistakes:
    found: _Mistakes = []
    if len(source.delimiter) != 1 or source.delimiter in '"\r\n\0':
        found.append(("source.delimiter", source.delimiter, "expected one character"))
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=source.encoding).close()
    except (LookupError, ValueError):
        expected = "expected a text encoding that Python knows, such as utf-8 or cp1252"
        found.append(("source.encoding", source.encoding, expected))
    if contains_card_number(source.id_prefix) or "\0" in source.id_prefix:
        found.append(("source.id_prefix", source.id_prefix, "expected a short text"))
    return found


def _time_mistakes(time: TimeTable) -> _Mistakes:
    found: _Mistakes = []
    try:
        ZoneInfo(time.zone)
    except (OSError, ValueError, KeyError):
        expected = "expected an IANA time zone such as Europe/Berlin"
        found.append(("time.zone", time.zone, expected))
    if time.format not in ("iso", "unix_s", "unix_ms") and "%" not in time.format:
        expected = "expected iso, unix_s, unix_ms or a format such as %Y-%m-%d %H:%M:%S"
        found.append(("time.format", time.format, expected))
    return found


def _target_mistakes(mapping: Mapping) -> _Mistakes:
    found: _Mistakes = []
    known = {*_OWN, *CONTEXT_BY_NAME, *OUTCOME_BY_NAME} - set(DERIVED)
    for table, names in (("columns", mapping.columns), ("constants", mapping.constants)):
        for name, value in names.items():
            if name in DERIVED:
                expected = "the import works this column out itself; take the key away"
                found.append((f"{table}.{name}", value, expected))
            elif name not in known and not re.fullmatch(rf"{CUSTOM_PREFIX}\w+", name):
                expected = (
                    f"no column of an attempt log. Expected one of {', '.join(sorted(known))}, "
                    f"or a column of your own, {CUSTOM_PREFIX}..."
                )
                found.append((f"{table}.{name}", value, expected))
    for name in mapping.constants:
        if name in mapping.columns:
            found.append((f"constants.{name}", None, "is also in [columns]; keep one of the two"))
        if name in ("decision_id", "payment_id"):
            found.append((f"constants.{name}", None, "differs from row to row; use [columns]"))
    for name in mapping.values:
        if name not in mapping.columns:
            found.append((f"values.{name}", None, "maps a column that [columns] does not name"))
    for name in mapping.kinds:
        if name not in mapping.targets or not name.startswith(CUSTOM_PREFIX):
            expected = f"only columns {CUSTOM_PREFIX}... from [columns] or [constants] have a kind"
            found.append((f"kinds.{name}", mapping.kinds[name], expected))
    if "amount" in mapping.targets and "amount_minor" in mapping.targets:
        found.append(("columns.amount", None, "amount_minor is given too; keep one of the two"))
    if "amount" in mapping.targets and "currency" not in mapping.targets:
        expected = "an amount in major units needs a currency, in [columns] or [constants]"
        found.append(("columns.amount", mapping.columns.get("amount"), expected))
    if mapping.time.local and {"local_hour", "local_day"} & set(mapping.targets):
        found.append(("time.local", True, "local_hour and local_day are given as columns too"))
    return found


def _route_mistakes(mapping: Mapping) -> _Mistakes:
    found: _Mistakes = []
    eligible = mapping.routes.eligible
    if "route" not in mapping.targets:
        found.append(("columns.route", None, "is missing: which route each attempt took"))
    if not eligible or len(set(eligible)) < len(eligible) or "" in eligible:
        expected = "expected the names of all routes, each once"
        found.append(("routes.eligible", list(eligible), expected))
    for name, fee in mapping.fees.items():
        if name not in eligible:
            found.append((f"fees.{name}", None, "is not among routes.eligible"))
        if max(abs(fee.approved), abs(fee.declined)) >= 2**53:
            found.append((f"fees.{name}", fee, "expected amounts below 2**53"))
    if mapping.fees and (absent := [name for name in eligible if name not in mapping.fees]):
        found.append(("fees", None, f"route(s) {', '.join(absent)} have none; give each one"))
    if mapping.fees and "fee_minor" in mapping.targets:
        found.append(("fees", None, "columns.fee_minor is given too; keep one of the two"))
    if mapping.fees and "approved" not in mapping.targets:
        found.append(("fees", None, "go by columns.approved, which is missing"))
    return found


def _payment_mistakes(mapping: Mapping) -> _Mistakes:
    rule = mapping.payments
    if rule is None and "payment_id" not in mapping.columns:
        expected = "is missing: name columns.payment_id, or same and within_s of the rule"
        return [("payments", None, expected)]
    if rule is None:
        return []
    found: _Mistakes = []
    if "payment_id" in mapping.columns:
        found.append(("payments", None, "columns.payment_id is given too; keep one of the two"))
    if not rule.same:
        found.append(("payments.same", [], "expected source columns that a payment's attempts share"))
    if not 0 <= rule.within_s <= 10 * 366 * 86_400:
        found.append(("payments.within_s", rule.within_s, "expected seconds, 0 to ten years"))
    return found
