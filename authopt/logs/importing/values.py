"""From cells to typed columns; what does not fit is found by row, column and value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from authopt.batch import BoolArray, Categorical, Column, FloatArray, IntArray, TimeArray
from authopt.logs.findings import Findings
from authopt.logs.importing.mapping import SPECIAL, Mapping
from authopt.logs.importing.psp import translated
from authopt.logs.importing.source import Cells
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, Kind
from authopt.prices.currencies import decimals_of

_FLAGS = {"1": 1.0, "true": 1.0, "yes": 1.0, "y": 1.0, "t": 1.0,
          "0": 0.0, "false": 0.0, "no": 0.0, "n": 0.0, "f": 0.0}  # fmt: skip

_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:[.][0-9]{3})+(?:,[0-9]*)?")

LARGEST_EXACT = 2.0**53
"""Whole numbers up to here are exact in float64."""

EMPTY = "is empty; every attempt needs it"


@dataclass(frozen=True, slots=True, eq=False)
class Typed:
    """n attempts before they are grouped into payments.

    Attributes
    ----------
    time
        datetime64[us][n], UTC.
    local_hour, local_day
        float64[n], on the source's clock.
    route
        int64[n], index into the eligible routes; -1 where it is none of them.
    propensity
        float64[n], probability with which the route was taken; NaN where the source does not say.
    columns
        context, outcome and own columns by name.
    ids
        ``payment_id`` and ``decision_id``, where the source has them.
    key
        what the attempts of a payment share.
    unknown_code
        bool[n], the provider's table does not know the raw code.
    """

    time: TimeArray
    local_hour: FloatArray
    local_day: FloatArray
    route: IntArray
    propensity: FloatArray
    columns: dict[str, Column]
    ids: dict[str, list[str]]
    key: list[str]
    unknown_code: BoolArray


def typed(cells: Cells, mapping: Mapping, findings: Findings) -> Typed:
    """The rows in the types of the log; rows with a finding hold placeholders."""
    n = len(cells.rows)
    reader = _Reader(cells, mapping, findings, n)
    time, hour, weekday = reader.times()
    route = reader.routes()
    columns: dict[str, Column] = {}
    unknown_code = np.zeros(n, np.bool_)
    if mapping.codes.psp is not None:
        codes = translated(reader.texts("response_code"), route, mapping)
        columns, unknown_code = codes.columns, codes.unknown
    for target in mapping.targets():
        is_translated = target == "response_code" and target in columns
        if target not in SPECIAL and not is_translated:
            columns[target] = reader.column(target)
    if "amount" in mapping.targets():
        columns["amount_minor"] = reader.amount_minor(columns.get("currency"))
    if mapping.fees:
        columns["fee_minor"] = reader.fees(route, np.asarray(columns["approved"]))
    given = [name for name in ("payment_id", "decision_id") if name in mapping.columns]
    ids: dict[str, list[str]] = {name: reader.given(name) for name in given}
    if "payment_id" in ids:
        key = ids["payment_id"]
    else:
        parts = [reader.shared(name) for name in mapping.payments.same]
        key = ["\x1f".join(values) for values in zip(*parts, strict=True)]
    propensity = reader.propensities(route)
    return Typed(time, hour, weekday, route, propensity, columns, ids, key, unknown_code)


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    cells: Cells
    mapping: Mapping
    findings: Findings
    n: int

    def texts(self, target: str) -> list[str]:
        if target in self.mapping.columns:
            return self.cells.columns[self.mapping.columns[target]]
        if target in self.mapping.derived:
            return self.cells.columns[self.mapping.derived[target].source]
        return [str(self.mapping.constants[target])] * self.n

    def name(self, target: str) -> str:
        if target in self.mapping.derived:
            return self.mapping.derived[target].source
        return self.mapping.columns.get(target, target)

    def flag(self, wrong: BoolArray, target: str, reason: str) -> None:
        rows = np.flatnonzero(wrong)
        if len(rows):
            texts = self.texts(target)
            values = pa.array([_printable(texts[row]) for row in rows.tolist()], pa.string())
            self.findings.flag(rows, self.name(target), reason, values, np.arange(len(rows)))

    def mapped(self, target: str) -> list[str]:
        """Texts after the value map; what it does not name stays as it is, or is a finding."""
        texts = self.texts(target)
        if target in self.mapping.derived:
            table = self.mapping.derived[target].values
            unknown = np.array([text not in table for text in texts], np.bool_)
            self.flag(unknown, target, f"no value for {target} (derived.{target}.values)")
            return [table.get(text, "") for text in texts]
        given = self.mapping.values.get(target)
        if given is None:
            return texts
        as_text = {key: _scalar(value) for key, value in given.items()}
        unknown = np.array([bool(text) and text not in as_text for text in texts], np.bool_)
        self.flag(unknown, target, f"no value for {target} (values.{target})")
        return [as_text.get(text, "") for text in texts]

    def column(self, target: str) -> Column:
        kind, texts = self.mapping.kind(target), self.mapped(target)
        if kind is Kind.CATEGORY:
            return Categorical.from_values(text or None for text in texts)
        if kind is Kind.REFERENCE:
            return pa.array([text or None for text in texts], pa.string())
        if kind is Kind.TIME:
            return self.instants(target)
        if kind is Kind.FLAG:
            numbers = np.array([_FLAGS.get(text.lower(), np.nan) for text in texts], np.float64)
            expected = "expected 1 or 0, true or false, yes or no; or name the values in values."
            self.wrong_numbers(texts, numbers, target, f"{expected}{target}")
            return numbers
        numbers = self.numbers(texts, target)
        return self.whole(numbers, target) if kind is Kind.INTEGER else numbers

    def whole(self, numbers: FloatArray, target: str) -> FloatArray:
        """Numbers that an integer column can hold exactly; the others are findings."""
        wrong = (numbers != np.round(numbers)) | (np.abs(numbers) > LARGEST_EXACT)
        wrong &= ~np.isnan(numbers)
        self.flag(wrong, target, "expected a whole number below 2**53")
        return np.where(wrong, np.nan, numbers)

    def numbers(self, texts: list[str], target: str) -> FloatArray:
        if self.mapping.source.decimal == ",":
            texts = [_with_point(text) for text in texts]
        series = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
        numbers = series.to_numpy(np.float64, na_value=np.nan)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        self.wrong_numbers(texts, numbers, target, "expected a number")
        return numbers

    def wrong_numbers(
        self, texts: list[str], numbers: FloatArray, target: str, reason: str
    ) -> None:
        given = np.array([bool(text) for text in texts], np.bool_)
        self.flag(given & np.isnan(numbers), target, reason)

    def amount_minor(self, currency: Column | None) -> FloatArray:
        amount = self.numbers(self.texts("amount"), "amount")
        decimals = np.full(self.n, 2)
        if isinstance(currency, Categorical):
            known = [decimals_of(name) for name in currency.categories]
            decimals = np.array([*(2 if each is None else each for each in known), 2])[
                currency.codes
            ]
            unknown = np.array([*(each is None for each in known), False], np.bool_)
            self.flag(
                unknown[currency.codes],
                "currency",
                "is no ISO 4217 currency, so what its amounts count is not known",
            )
        with np.errstate(over="ignore", invalid="ignore"):
            minor = amount * 10.0**decimals
            whole = np.round(minor)
            broken = np.abs(minor - whole) > 1e-6 * np.maximum(1.0, np.abs(minor))
        self.flag(broken, "amount", "has more decimals than its currency")
        return self.whole(whole, "amount")

    def fees(self, route: IntArray, approved: FloatArray) -> FloatArray:
        eligible = self.mapping.routes.eligible
        known = [self.mapping.fees.get(name) for name in eligible]
        table = np.array(
            [[np.nan] * 2 if fee is None else [fee.declined, fee.approved] for fee in known]
        )
        fee = table[np.maximum(route, 0), (approved == 1).astype(np.int64)]
        return np.where((route < 0) | np.isnan(approved), np.nan, fee)

    def routes(self) -> IntArray:
        names = self.mapped("route")
        index = {name: place for place, name in enumerate(self.mapping.routes.eligible)}
        route = np.array([index.get(name, -1) for name in names], np.int64)
        self.flag(route < 0, "route", "is not among the eligible routes (routes.eligible)")
        return route

    def propensities(self, route: IntArray) -> FloatArray:
        if "propensity" in self.mapping.columns:
            return self.numbers(self.given("propensity"), "propensity")
        shares = self.mapping.routes.probabilities()
        return np.full(self.n, np.nan) if shares is None else np.array(shares)[route]

    def given(self, target: str) -> list[str]:
        """Texts of a column that no attempt may lack."""
        texts = self.texts(target)
        self.flag(np.array([not text for text in texts], np.bool_), target, EMPTY)
        return texts

    def shared(self, name: str) -> list[str]:
        """A source column that the attempts of a payment share."""
        texts = self.cells.columns[name]
        rows = np.flatnonzero([not text for text in texts])
        empty = pa.array([""] * self.n, pa.string())
        self.findings.flag(rows, name, "is empty, and payments.same needs it", empty)
        return texts

    def times(self) -> tuple[TimeArray, FloatArray, FloatArray]:
        parsed, local = self._parsed("time")
        missing = np.isnat(parsed)
        hour = local.dt.hour.to_numpy(np.float64, na_value=np.nan)
        weekday = local.dt.day_of_week.to_numpy(np.float64, na_value=np.nan) + 1.0
        # A placeholder: these rows have a finding.
        parsed = np.where(missing, np.datetime64("2000-01-01", "us"), parsed)
        return parsed, hour, weekday

    def instants(self, target: str) -> TimeArray:
        return self._parsed(target)[0]

    def _parsed(self, target: str) -> tuple[TimeArray, pd.Series]:
        """Instants (UTC), and the same on the source's clock."""
        how, texts = self.mapping.time, self.texts(target)
        series = pd.Series([_printable(text) for text in texts], dtype=object)
        is_time = target == "time"
        needed = np.array([is_time or bool(text) for text in texts], np.bool_)
        clock = pd.to_datetime(series, format=how.format, errors="coerce", utc=how.zone is None)
        unread = clock.isna().to_numpy(np.bool_)
        self.flag(needed & unread, target, f"expected a time such as {how.format}")
        if how.zone is None:
            local = clock
        else:
            is_summer = np.full(self.n, how.ambiguous == "earlier")
            choice: Any = "NaT" if how.ambiguous == "reject" else is_summer
            local = clock.dt.tz_localize(how.zone, ambiguous=choice, nonexistent="NaT")
            never = local.isna().to_numpy(np.bool_) & ~unread
            reason = f"does not exist or stands for two times in {how.zone}, when clocks change"
            self.flag(needed & never, target, reason)
        instants = local.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
        return np.asarray(instants), local


def _with_point(text: str) -> str:
    """A number with a decimal comma as one with a point; dots may only part thousands."""
    if "." in text and not _THOUSANDS.fullmatch(text):
        return "no number"
    return text.replace(".", "").replace(",", ".")


def _scalar(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _printable(text: str) -> str:
    """Text that Arrow can hold: a lone surrogate cannot be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_context(name: str) -> bool:
    """Whether a target belongs to the context rather than to the outcome."""
    return name in CONTEXT_BY_NAME or name.startswith(CUSTOM_PREFIX)
