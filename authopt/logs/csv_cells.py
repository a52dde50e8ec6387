"""Cells of a CSV file as values of the schema's types, and back."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import BoolArray
from authopt.logs.conform import NOT_UTF8
from authopt.logs.findings import Findings
from authopt.payments import Kind

ESCAPE = "\0\\x"
"""What stands before the two hexadecimal digits of a byte that is not UTF-8."""

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_TEXT_LISTS = msgspec.json.Decoder(list[str | None])
_INT_LISTS = msgspec.json.Decoder(list[_Int64 | None])
_FLOAT_LISTS = msgspec.json.Decoder(list[float | None])
_FLAG_LISTS = msgspec.json.Decoder(list[bool | None])


def parse_cells(
    cells: pa.BinaryArray, wanted: pa.DataType, column: str, findings: Findings
) -> pa.Array:
    """The cells of one column as an array that ``conform`` brings to the wanted type.

    A cell that cannot be parsed is null in the answer, and its row is flagged.

    Parameters
    ----------
    cells
        Arrow binary, UTF-8; null where empty. A byte of the file that was not UTF-8 stands there
        as ``ESCAPE`` and two digits.
    """

    def without(array: Any, bad: BoolArray, reason: str) -> pa.Array:
        if not bad.any():
            return array
        findings.flag(np.flatnonzero(bad), column, reason, array)
        return pc.if_else(pa.array(bad), pa.scalar(None, array.type), array)

    text = cells.cast(pa.string())
    with_nul = pc.match_substring(text, "\0")
    if pc.any(with_nul).as_py():
        plain = pc.replace_substring(text, "\0", "")
        without(plain, _bools(pc.match_substring(text, ESCAPE)), NOT_UTF8)
        without(plain, _bools(with_nul), "holds a NUL byte")
        text = pc.if_else(with_nul, pa.scalar(None, pa.string()), text)
    if pa.types.is_list(wanted):
        lists, bad = _parse_lists(text, wanted.value_type)
        expected = f"expected a JSON array, each value {_name(wanted.value_type)}"
        without(text, bad, expected)
        return lists
    if pa.types.is_dictionary(wanted) or pa.types.is_string(wanted):
        return text
    if pa.types.is_timestamp(wanted):
        # Nanoseconds, as some programs write seven digits or more.
        values, bad = _parse(text, pa.timestamp("ns", tz="UTC"))
        without(text, bad, "expected a time as ISO 8601 with Z or an offset")
        return values
    expected = f"expected {_name(wanted)}"
    if pa.types.is_integer(wanted):
        values, bad = _parse(text, pa.int64())
        if not bad.any():
            return values
        wanted = pa.float64()  # pandas writes 12 as 12.0 where a value is missing
    values, bad = _parse(text, wanted)
    without(text, bad, expected)
    return values


def _bools(values: Any) -> BoolArray:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), np.bool_)


def _name(data_type: pa.DataType) -> str:
    if pa.types.is_boolean(data_type):
        return "true or false (1 or 0)"
    if pa.types.is_integer(data_type):
        return "a whole number"
    return "a number" if pa.types.is_floating(data_type) else "text"


def _parse(text: pa.StringArray, wanted: pa.DataType) -> tuple[pa.Array, BoolArray]:
    """The values, null where a cell cannot be parsed, and bool[n], which those are."""
    try:
        return text.cast(wanted), np.zeros(len(text), np.bool_)
    except pa.ArrowException:
        if len(text) == 1:
            return pa.nulls(1, wanted), np.ones(1, np.bool_)
        middle = len(text) // 2
        left, bad_left = _parse(text.slice(0, middle), wanted)
        right, bad_right = _parse(text.slice(middle), wanted)
        return pa.concat_arrays([left, right]), np.concatenate([bad_left, bad_right])


def _decoder(element: pa.DataType) -> msgspec.json.Decoder[Any]:
    if pa.types.is_integer(element):
        return _INT_LISTS
    if pa.types.is_floating(element):
        return _FLOAT_LISTS
    return _FLAG_LISTS if pa.types.is_boolean(element) else _TEXT_LISTS


def _decoded(cell: str, decoder: msgspec.json.Decoder[Any]) -> list[Any] | None:
    try:
        values: list[Any] = decoder.decode(cell)
        "".join(value for value in values if isinstance(value, str)).encode()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return values


def _parse_lists(text: pa.StringArray, element: pa.DataType) -> tuple[pa.Array, BoolArray]:
    """Lists out of JSON arrays; the same few lists of routes come up again and again."""
    encoded = text.dictionary_encode()
    decoder = _decoder(element)
    distinct = [_decoded(cell, decoder) for cell in encoded.dictionary.to_pylist()]
    plain = pa.string() if pa.types.is_dictionary(element) else element
    lists = pa.array(distinct, pa.list_(plain))
    codes: npt.NDArray[Any] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    failed = np.array([values is None for values in distinct] + [False], np.bool_)
    return lists.take(encoded.indices), failed[codes]


def kind_of_cells(cells: pa.BinaryArray, is_list: bool) -> Kind:
    """What kind of column these cells make; text where nothing narrower fits."""
    text = cells.cast(pa.string()).drop_null()
    types = {Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64(), Kind.FLAG: pa.bool_()}
    for kind, data_type in types.items():
        if not len(text):
            break
        if is_list:
            decoder = _decoder(data_type)
            if all(_decoded(cell, decoder) is not None for cell in text.unique().to_pylist()):
                return kind
        else:
            try:
                text.cast(data_type)
            except pa.ArrowException:
                continue
            return kind
    return Kind.CATEGORY


def list_cells(lists: pa.ListArray) -> pa.StringArray:
    """Each list as a JSON array."""
    encode = msgspec.json.Encoder().encode
    return pa.array(
        [None if values is None else encode(values) for values in lists.to_pylist()], pa.binary()
    ).cast(pa.string())
