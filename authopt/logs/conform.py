"""Columns of a file brought to the types of the schema, where that loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import BoolArray, FloatArray
from authopt.errors import UserError
from authopt.logs.findings import Findings
from authopt.logs.schema import ARROW_TYPES, ELIGIBLE_PREFIX, column_type, custom_kind

EARLIEST = np.datetime64("2000-01-01", "us")
LATEST = np.datetime64("2100-01-01", "us")
NOT_A_SANE_TIME = "expected a time from 2000 to 2100"
NOT_UTF8 = "the text is not valid UTF-8"

_MAX_EXACT = 2.0**53

Flag = Callable[[npt.NDArray[np.intp], str, pa.Array], None]
"""Marks elements (by index) of an array as unsound, for a reason."""


def file_type(field: pa.Field, where: str) -> pa.DataType:
    """The type that a column of a file is brought to.

    Raises
    ------
    UserError
        If the column's type cannot hold what the schema wants in it.
    """
    wanted = column_type(field.name)
    is_list = is_list_type(field.type)
    element = field.type.value_type if is_list else field.type
    if field.name.startswith(ELIGIBLE_PREFIX) and not is_list:
        raise _wrong(field, "a list, with one value per eligible action", where)
    if not field.name.startswith(ELIGIBLE_PREFIX) and is_list:
        raise _wrong(field, "one value per row, not a list", where)
    if wanted is None:
        kind = custom_kind(element)
        if kind is None:
            raise _wrong(field, "text, a number or a boolean", where)
        inner = ARROW_TYPES[kind]
    else:
        inner = wanted.value_type if is_list else wanted
        if not _fits(element, inner):
            if pa.types.is_timestamp(inner) and pa.types.is_timestamp(element):
                raise UserError(
                    f"{where}: column {field.name!r} has times without a time zone. All times of "
                    "an attempt log are UTC and say so: write the column as timestamp[us, UTC]"
                )
            raise _wrong(field, str(inner), where)
    return pa.list_(inner) if is_list else inner


def _wrong(field: pa.Field, expected: str, where: str) -> UserError:
    return UserError(f"{where}: column {field.name!r} is of type {field.type}; expected {expected}")


def is_list_type(data_type: pa.DataType) -> bool:
    """Whether a type is one of Arrow's lists."""
    return bool(
        pa.types.is_list(data_type)
        or pa.types.is_large_list(data_type)
        or pa.types.is_fixed_size_list(data_type)
    )


def _is_text(data_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(data_type)
        or pa.types.is_large_string(data_type)
        or pa.types.is_string_view(data_type)
    )


def _is_number(data_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(data_type)
        or pa.types.is_floating(data_type)
        or pa.types.is_decimal(data_type)
    )


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of one type may be brought to the other, if each single one allows it."""
    if pa.types.is_null(found) or found == wanted:
        return True
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_dictionary(wanted) or pa.types.is_string(wanted):
        return _is_text(found)
    if pa.types.is_timestamp(wanted):
        return bool(pa.types.is_timestamp(found) and found.tz is not None)
    if pa.types.is_boolean(wanted) and pa.types.is_boolean(found):
        return True
    return _is_number(found)


def conform(records: pa.RecordBatch, findings: Findings) -> pa.RecordBatch:
    """The same rows with every column in the type that :func:`file_type` gives.

    A cell that does not fit (12.5 where a whole number is wanted, text that is not UTF-8) is null
    in the answer, and its row is flagged.

    Raises
    ------
    UserError
        If a column's type is wrong as a whole, or the data are corrupt.
    """
    arrays = list(records.columns)
    try:
        records.validate(full=True)
    except pa.ArrowException:
        arrays = [
            _with_valid_text(array, _flag_of(array, field.name, findings))
            for field, array in zip(records.schema, arrays, strict=True)
        ]
    fields: list[pa.Field] = []
    for index, field in enumerate(records.schema):
        wanted = file_type(field, findings.file)
        try:
            arrays[index].validate(full=arrays[index] is not records.columns[index])
            flag = _flag_of(arrays[index], field.name, findings)
            arrays[index] = _converted(arrays[index], wanted, flag)
        except pa.ArrowException as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{findings.file}: column {field.name!r} cannot be read ({reason}); "
                f"expected {wanted}"
            ) from error
        fields.append(pa.field(field.name, wanted))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _flag_of(array: pa.Array, column: str, findings: Findings) -> Flag:
    def flag(elements: npt.NDArray[np.intp], reason: str, values: pa.Array) -> None:
        rows = elements
        if is_list_type(array.type):
            rows = pc.list_parent_indices(array).to_numpy()[elements]
        findings.flag(rows, column, reason, values, elements)

    return flag


def lists_of(lengths: npt.NDArray[Any], elements: pa.Array, missing: BoolArray) -> pa.ListArray:
    """Lists of the given lengths out of their elements; null where ``missing`` (bool[n])."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    mask = pa.array(missing) if missing.any() else None
    return pa.ListArray.from_arrays(offsets, elements, mask=mask)


def list_lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """int64[n], number of elements of each list; 0 where it is null."""
    if pa.types.is_list(array.type) and not array.null_count:
        return np.asarray(np.diff(array.offsets.to_numpy()), np.int64)
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)


def nulls_of(array: pa.Array) -> BoolArray:
    """bool[n], where a value is missing."""
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)


def floats_of(array: pa.Array) -> FloatArray:
    """float64[n], NaN where a value is missing."""
    return np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _converted(array: Any, wanted: pa.DataType, flag: Flag) -> pa.Array:
    if is_list_type(wanted):
        if array.type == wanted:
            return array
        elements = _converted(array.flatten(), wanted.value_type, flag)
        return lists_of(list_lengths(array), elements, nulls_of(array))
    if pa.types.is_dictionary(wanted):
        return _dictionary(array)
    if array.type == wanted:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(wanted):
        return _times(array, wanted, flag)
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64(), safe=False)
    if pa.types.is_integer(wanted) and not pa.types.is_null(array.type):
        return _integers(array, wanted, flag)
    if pa.types.is_boolean(wanted) and not pa.types.is_null(array.type):
        return _flags(array, flag)
    # An integer beyond 2**53 may become the nearest float: it is a measurement then, not a key.
    return array.cast(wanted, safe=not pa.types.is_floating(wanted))


def _dictionary(array: Any) -> pa.DictionaryArray:
    if not pa.types.is_dictionary(array.type):
        return array.cast(pa.string()).dictionary_encode()
    values = array.dictionary
    if values.null_count or len(values.unique()) != len(values):
        return array.dictionary_decode().cast(pa.string()).dictionary_encode()
    if pa.types.is_string(values.type) and pa.types.is_int32(array.type.index_type):
        return array
    return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int32()), values.cast(pa.string()))


def _without(array: pa.Array, bad: BoolArray, reason: str, flag: Flag) -> pa.Array:
    """The array with null at the bad elements, which are flagged."""
    if not bad.any():
        return array
    flag(np.flatnonzero(bad), reason, array)
    return pc.if_else(pa.array(bad), pa.scalar(None, array.type), array)


def _times(array: pa.Array, wanted: pa.DataType, flag: Flag) -> pa.Array:
    # Out-of-range times are taken out first: they would wrap around in the finer unit.
    values = array.cast(pa.timestamp(array.type.unit)).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        unit = f"datetime64[{array.type.unit}]"
        bad = (values < EARLIEST.astype(unit)) | (values >= LATEST.astype(unit))
    return _without(array, bad, NOT_A_SANE_TIME, flag).cast(wanted, safe=False)


def _integers(array: pa.Array, wanted: pa.DataType, flag: Flag) -> pa.Array:
    limits = np.iinfo(wanted.to_pandas_dtype())
    if pa.types.is_floating(array.type):
        values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        whole = (values == np.floor(values)) & (np.abs(values) <= min(_MAX_EXACT, limits.max))
        bad = ~whole & ~np.isnan(values)
        array = _without(array, bad, "expected a whole number", flag)
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
        return array.cast(wanted)
    if array.type.bit_width > wanted.bit_width or pa.types.is_uint64(array.type):
        numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
        bad = (numbers < limits.min) | (numbers > limits.max)
        array = _without(array, bad, f"expected a whole number of at most {limits.max}", flag)
    return array.cast(wanted)


def _flags(array: pa.Array, flag: Flag) -> pa.Array:
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    bad = (values != 0) & (values != 1) & ~np.isnan(values)
    array = _without(array, bad, "expected true or false (1 or 0)", flag)
    return pa.array(values == 1, mask=bad | np.isnan(values))


def _with_valid_text(array: Any, flag: Flag) -> pa.Array:
    """A column with null where its text is not UTF-8; those elements are flagged."""
    if is_list_type(array.type):
        elements = _with_valid_text(array.flatten(), flag)
        return lists_of(list_lengths(array), elements, nulls_of(array))
    if pa.types.is_dictionary(array.type) and _is_text(array.type.value_type):
        array = array.dictionary_decode()
    if not _is_text(array.type):
        return array
    return _without(array, invalid_utf8(array.cast(pa.binary())), NOT_UTF8, flag)


def invalid_utf8(array: pa.BinaryArray) -> BoolArray:
    """bool[n], which values are not UTF-8; slow, for chunks that are known to hold some."""

    def is_invalid(value: bytes | None) -> bool:
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return True
        return False

    return np.array([is_invalid(value) for value in array.to_pylist()], np.bool_)
