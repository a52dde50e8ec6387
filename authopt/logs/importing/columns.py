"""Cells of text to typed columns, as the mapping says; rows that do not fit are flagged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import BoolArray
from authopt.hashing import UIntArray, hash_strings
from authopt.logs.findings import Findings
from authopt.logs.importing.mapping import ANY_VALUE, Mapping, Plain
from authopt.logs.importing.money import minor_factors
from authopt.logs.importing.source import RawChunk
from authopt.logs.importing.times import parse_times
from authopt.logs.schema import ARROW_TYPES
from authopt.logs.value_checks import faults
from authopt.payments import Kind

ROW, KEY, ROUTE = "#row", "#key", "#route"
"""Columns of typed rows that an attempt log does not have: the row's number in the file, a hash of
what a payment's attempts share, and the logged route's place among the eligible ones."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_MAX_EXACT = 2.0**53
_SEPARATOR = "\x1f"

Flag = Callable[[BoolArray, str], None]


def typed_rows(chunk: RawChunk, mapping: Mapping, findings: Findings) -> pa.RecordBatch:
    """Typed columns of the rows of a chunk that fit; the others are flagged in ``findings``.

    Columns: ``ROW``, ``KEY``, ``ROUTE``, ``decided_at``, ids, and the context and outcome columns
    of the mapping; text as strings, times as timestamp[us] in UTC.
    """
    for row, text, reason in chunk.unsound:
        findings.add(row, "", text, reason)
    texts = {name: _text(name, cells, findings) for name, cells in chunk.cells.items()}
    n = len(chunk.rows)
    present = {name: _without_missing(text, mapping) for name, text in texts.items()}
    arrays: dict[str, pa.Array] = {ROW: pa.array(chunk.rows, pa.int64())}
    _add_times(arrays, present, mapping, findings)
    for target in mapping.targets:
        arrays[target] = _typed(target, present, n, mapping, findings)
    arrays[KEY] = pa.array(_keys(arrays, texts, present, mapping, findings))
    arrays[ROUTE] = _routes(arrays.pop("route"), mapping, findings)
    if "amount" in arrays:
        arrays["amount_minor"] = _minor(arrays.pop("amount"), arrays["currency"], mapping, findings)
    if mapping.fees:
        arrays["fee_minor"] = _fees(arrays[ROUTE], arrays["approved"], mapping)
    for name, array in arrays.items():
        if name not in (ROW, KEY, ROUTE):
            for at, reason in faults(array, name):
                findings.flag(at, mapping.columns.get(name, name), reason, array)
    typed = pa.RecordBatch.from_pydict(arrays)
    return typed.filter(pa.array(~findings.bad)) if findings.bad.any() else typed


def _text(name: str, cells: Sequence[str], findings: Findings) -> pa.StringArray:
    """Cells without surrounding blanks; those that did not decode, or hold a NUL, are flagged."""
    try:
        array = pa.array(cells, pa.string())
    except UnicodeEncodeError:
        undecoded = [not cell.isascii() and _has_surrogate(cell) for cell in cells]
        readable = [cell.encode(errors="replace").decode() for cell in cells]
        array = pa.array(readable, pa.string())
        reason = "cannot be decoded; see source.encoding of the mapping"
        findings.flag(np.flatnonzero(undecoded), name, reason, array)
    nul = pc.match_substring(array, "\0").to_numpy(zero_copy_only=False)
    if nul.any():
        findings.flag(np.flatnonzero(nul), name, "holds a NUL character", array)
    return pc.utf8_trim_whitespace(array)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _without_missing(text: pa.StringArray, mapping: Mapping) -> pa.StringArray:
    words = pa.array(["", *mapping.source.missing], pa.string())
    return pc.if_else(pc.is_in(text, words), pa.scalar(None, pa.string()), text)


def _add_times(
    arrays: dict[str, pa.Array],
    present: dict[str, pa.StringArray],
    mapping: Mapping,
    findings: Findings,
) -> None:
    column = mapping.time.column
    cells = present[column]
    times = parse_times(cells, mapping.time)
    flag = partial(_flag, findings, column, cells)
    flag(cells.is_null().to_numpy(zero_copy_only=False), "is missing; every attempt has a time")
    for reason, bad in times.faults:
        flag(bad, reason)
    arrays["decided_at"] = pa.array(times.utc, pa.timestamp("us"))
    if mapping.time.local:
        local = arrays["decided_at"] if not len(times.local) else pa.array(times.local)
        arrays["local_hour"] = pc.hour(local)
        arrays["local_day"] = pc.day_of_week(local, count_from_zero=False)


def _flag(
    findings: Findings, column: str, values: pa.Array, bad: BoolArray, reason: str
) -> None:
    if bad.any():
        findings.flag(np.flatnonzero(bad), column, reason, values)


def _typed(
    target: str,
    present: dict[str, pa.StringArray],
    n: int,
    mapping: Mapping,
    findings: Findings,
) -> pa.Array:
    source = mapping.columns.get(target)
    if source is None:
        cells = pa.array([_plain_text(mapping.constants[target])] * n, pa.string())
        number_style = "."
    else:
        cells = present[source]
        number_style = mapping.source.decimal
    flag = partial(_flag, findings, source or target, cells)
    if target in mapping.values:
        cells = _replaced(cells, target, mapping.values[target], flag)
        number_style = "."
    kind = mapping.kind(target)
    if kind in (Kind.NUMBER, Kind.INTEGER):
        return _numbers(cells, kind, number_style, flag)
    if kind is Kind.FLAG:
        return _flags(cells, flag)
    if kind is Kind.TIME:
        times = parse_times(cells, mapping.time)
        for reason, bad in times.faults:
            flag(bad, reason)
        return pa.array(times.utc, pa.timestamp("us"))
    if target in ("decision_id", "payment_id", "route"):
        flag(_nulls(cells), "is missing; every attempt needs it")
    return cells


def _plain_text(value: Plain) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _nulls(array: pa.Array) -> BoolArray:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)


def _replaced(
    cells: pa.StringArray, target: str, table: dict[str, Plain], flag: Flag
) -> pa.StringArray:
    """Values by the value map; one that it does not know is flagged."""
    encoded = cells.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    default = table.get(ANY_VALUE)
    found = [table.get(word, default) for word in words]
    known = pa.array([None if each is None else _plain_text(each) for each in found], pa.string())
    answer = known.take(encoded.indices)
    flag(_nulls(answer) & ~_nulls(cells), f"is not in [values.{target}] of the mapping")
    return answer


def _numbers(cells: pa.StringArray, kind: Kind, decimal: str, flag: Flag) -> pa.Array:
    text = cells if decimal == "." else pc.replace_substring(cells, decimal, ".")
    pattern = f"^(?:{_NUMBER.pattern})$"
    fits = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    fits = fits.to_numpy(zero_copy_only=False)
    if decimal != ".":
        fits = fits & ~pc.fill_null(pc.match_substring(cells, "."), False).to_numpy(
            zero_copy_only=False
        )
    flag(~fits & ~_nulls(cells), f"expected a number, such as 12{decimal}5")
    # Arrow's parser knows no plus sign.
    plain = pc.replace_substring_regex(text, r"^\+", "")
    values = pc.if_else(pa.array(fits), plain, pa.scalar(None, pa.string())).cast(pa.float64())
    floats = values.to_numpy(zero_copy_only=False)
    infinite = np.isinf(floats)
    flag(infinite, "expected a finite number")
    if kind is Kind.NUMBER:
        return values
    broken = ~infinite & ((floats != np.round(floats)) | (np.abs(floats) > _MAX_EXACT))
    broken &= ~np.isnan(floats)
    flag(broken, "expected a whole number below 2**53")
    usable = ~broken & ~infinite & ~np.isnan(floats)
    return pa.array(np.where(usable, floats, 0).astype(np.int64), mask=~usable)


def _flags(cells: pa.StringArray, flag: Flag) -> pa.Array:
    encoded = cells.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    known = pa.array([_FLAGS.get(word.lower()) for word in words], pa.bool_())
    answer = known.take(encoded.indices)
    flag(_nulls(answer) & ~_nulls(cells), "expected 1, 0, true, false, yes or no, or a value map")
    return answer


def _keys(
    arrays: dict[str, pa.Array],
    texts: dict[str, pa.StringArray],
    present: dict[str, pa.StringArray],
    mapping: Mapping,
    findings: Findings,
) -> UIntArray:
    """uint64[n], equal for attempts that may belong to one payment."""
    if mapping.payments is None:
        return hash_strings(arrays["payment_id"].fill_null(""))
    for name in mapping.payments.same:
        reason = "is missing; payments.same of the mapping needs it"
        _flag(findings, name, present[name], _nulls(present[name]), reason)
    parts = [texts[name] for name in mapping.payments.same]
    return hash_strings(pc.binary_join_element_wise(*parts, _SEPARATOR))


def _routes(names: pa.StringArray, mapping: Mapping, findings: Findings) -> pa.Array:
    places = pc.index_in(names, pa.array(mapping.routes.eligible, pa.string()))
    column = mapping.columns.get("route", "route")
    unknown = _nulls(places) & ~_nulls(names)
    _flag(findings, column, names, unknown, "is not among routes.eligible of the mapping")
    return places.fill_null(0)


def _minor(
    amounts: pa.Array, currencies: pa.StringArray, mapping: Mapping, findings: Findings
) -> pa.Array:
    encoded = currencies.dictionary_encode()
    factors = np.append(minor_factors(encoded.dictionary.to_pylist()), np.nan)
    factor = factors[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    major = amounts.to_numpy(zero_copy_only=False)
    column = mapping.columns.get("amount", "amount")
    lacking = np.isnan(factor) & ~np.isnan(major)
    _flag(findings, column, amounts, lacking, "has no currency, so its minor units are not known")
    minor = major * factor
    whole = np.round(minor)
    there = np.isfinite(minor)
    # Text of 15 digits or fewer is exact to far better than this.
    fits = there & (np.abs(minor - whole) <= 1e-6) & (np.abs(whole) < _MAX_EXACT)
    reason = "has more decimal places than its currency, or is too large"
    _flag(findings, column, amounts, there & ~fits, reason)
    return pa.array(np.where(fits, whole, 0).astype(np.int64), mask=~fits)


def _fees(routes: pa.Array, approved: pa.Array, mapping: Mapping) -> pa.Array:
    table = [mapping.fees[name] for name in mapping.routes.eligible]
    declined_approved = np.array([[fee.declined, fee.approved] for fee in table], np.int64)
    known = ~_nulls(approved)
    column = approved.fill_null(False).to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.array(declined_approved[routes.to_numpy(), column], mask=~known)


def kind_type(kind: Kind) -> pa.DataType:
    """Arrow type of a typed column before it is written."""
    plain = {Kind.CATEGORY: pa.string(), Kind.TIME: pa.timestamp("us")}
    return plain.get(kind, ARROW_TYPES[kind])
