"""Times of a foreign file: text in some format and zone, to UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from authopt.batch import BoolArray, TimeArray
from authopt.logs.conform import EARLIEST, LATEST, NOT_A_SANE_TIME
from authopt.logs.importing.mapping import TimeTable

NONEXISTENT = "does not exist in the zone: the clocks were put forward"
AMBIGUOUS = "happened twice in the zone, as the clocks were put back; time.ambiguous can decide"


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Parsed times.

    Attributes
    ----------
    utc, local
        datetime64[us][n]; NaT where the cell is missing or at fault.
    faults
        reasons, and bool[n] of the cells at fault.
    """

    utc: TimeArray
    local: TimeArray
    faults: tuple[tuple[str, BoolArray], ...]


def parse_times(cells: pa.StringArray, table: TimeTable) -> Times:
    """Times from text; nulls stay missing."""
    missing = cells.is_null().to_numpy(zero_copy_only=False)
    text = cells.to_pandas()
    if table.format.startswith("unix"):
        utc = _unix(text.to_numpy(object, na_value=None), table.format)
        return _from_utc(utc, missing, table)
    if "%z" in table.format or "%Z" in table.format:
        return _from_utc(_parsed(text, table.format), missing, table)
    if table.format == "iso":
        # Cells with an offset say their own zone; the others are in the zone of the mapping.
        offset = text.str.contains(r"(?:[zZ]|[+-]\d\d:?\d\d)$", na=False).to_numpy(bool)
        if offset.all():
            return _from_utc(_parsed(text, "ISO8601"), missing, table)
        local = _parsed(text.mask(offset), "ISO8601")
        times = _from_local(local, missing | offset, table)
        if not offset.any():
            return times
        aware = _from_utc(_parsed(text.where(offset), "ISO8601"), ~offset, table)
        return Times(
            np.where(offset, aware.utc, times.utc),
            np.where(offset, aware.local, times.local),
            times.faults + aware.faults,
        )
    return _from_local(_parsed(text, table.format), missing, table)


def _parsed(text: object, style: str) -> TimeArray:
    """datetime64[us][n], in UTC where the text has an offset and as it stands otherwise."""
    import pandas as pd

    parsed = pd.to_datetime(text, format=style, errors="coerce", utc=True)  # type: ignore[call-overload]
    return np.asarray(parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]"))


def _unix(cells: object, style: str) -> TimeArray:
    import pandas as pd

    seconds = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(float)  # type: ignore[call-overload]
    micros = seconds * (1e3 if style == "unix_ms" else 1e6)
    sane = np.abs(micros) < 2**53
    return np.where(sane, micros, 0).round().astype("int64").astype("datetime64[us]") + np.where(
        sane, np.timedelta64(0, "us"), np.timedelta64("NaT", "us")
    )


def _unusable(times: TimeArray, missing: BoolArray) -> Iterator[tuple[str, BoolArray]]:
    yield "cannot be read by time.format of the mapping", np.isnat(times) & ~missing
    yield NOT_A_SANE_TIME, ((times < EARLIEST) | (times >= LATEST)) & ~missing


def _from_utc(utc: TimeArray, missing: BoolArray, table: TimeTable) -> Times:
    import pandas as pd

    faults = tuple(_unusable(utc, missing))
    utc = np.where(missing | faults[1][1], np.datetime64("NaT", "us"), utc)
    local = pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(table.zone).tz_localize(None)
    return Times(utc, local.to_numpy().astype("datetime64[us]"), faults)


def _from_local(local: TimeArray, missing: BoolArray, table: TimeTable) -> Times:
    import pandas as pd

    faults = tuple(_unusable(local, missing))
    local = np.where(missing | faults[1][1], np.datetime64("NaT", "us"), local)
    index = pd.DatetimeIndex(local)

    def located(ambiguous: object) -> TimeArray:
        aware = index.tz_localize(table.zone, ambiguous=ambiguous, nonexistent="NaT")  # type: ignore[arg-type]
        return np.asarray(aware.tz_convert("UTC").tz_localize(None).to_numpy(), "datetime64[us]")

    # An ambiguous time is the earlier one if summer time still holds.
    utc = located(np.full(len(index), table.ambiguous != "later"))
    faults += ((NONEXISTENT, np.isnat(utc) & ~np.isnat(local)),)
    if table.ambiguous == "reject":
        certain = located("NaT")
        faults += ((AMBIGUOUS, np.isnat(certain) & ~np.isnat(utc)),)
        utc = certain
    return Times(utc, local, faults)
