"""Which rows of an attempt log are sound, and for the others why not.

Every reader of every format passes its rows through here, so that the rest of the product can rely
on them. All checks run on whole columns; a row that passes costs no Python object.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from authopt.actions import MAX_DELAY_S, STOP_ROUTE
from authopt.batch import BoolArray, IntArray
from authopt.logs.chunks import Chunk
from authopt.logs.conform import (
    floats_of,
    is_list_type,
    list_lengths,
    lists_of,
    nulls_of,
)
from authopt.logs.findings import Findings
from authopt.logs.rejects import Rejects
from authopt.logs.schema import ELIGIBLE_PREFIX, REQUIRED, is_custom
from authopt.logs.value_checks import faults

TOLERANCE = 1e-6
"""How far probabilities may be from a sum of 1, and the propensity from its probability."""

Positions = npt.NDArray[np.intp]


def sound_records(chunk: Chunk, rejects: Rejects) -> pa.RecordBatch:
    """The sound rows of a chunk; every other row becomes one rejection, with its first reason.

    Raises
    ------
    UserError
        If a row is unsound and ``rejects`` is strict.
    """
    records, findings = chunk.records, chunk.findings
    _check_shape(records, findings)
    sound = _Sound(records, findings)
    _check_choices(sound)
    _check_probabilities(sound)
    for name in records.schema.names:
        _check_column(sound, name)
    findings.report(rejects)
    if findings.bad.any():
        records = records.filter(pa.array(~findings.bad))
    return _without_null_lists(records)


class _Sound:
    """The rows of a chunk whose lists can be relied on, and where they stand in the chunk."""

    def __init__(self, records: pa.RecordBatch, findings: Findings) -> None:
        self.findings = findings
        self.at: Positions = np.flatnonzero(~findings.bad)
        self.records = records if len(self.at) == len(records) else records.take(pa.array(self.at))
        self.n = len(self.at)
        self.counts = list_lengths(self.records["eligible_route"])
        self.starts = np.cumsum(self.counts) - self.counts
        self.most = int(self.counts.max(initial=0))
        self.even = bool((self.counts == self.most).all())

    @cached_property
    def parents(self) -> Positions:
        """The row of each action."""
        return np.repeat(np.arange(self.n), self.counts)

    def flag(
        self, rows: Positions, column: str, reason: str, values: pa.Array, at: Positions | None
    ) -> None:
        if len(rows):
            self.findings.flag(self.at[rows], column, reason, values, rows if at is None else at)

    def flag_where(self, bad: BoolArray, column: str, reason: str) -> None:
        """Flag rows (bool[n])."""
        if bad.any():
            self.flag(np.flatnonzero(bad), column, reason, self.records[column], None)

    def flag_elements(self, bad: BoolArray, column: str, reason: str) -> None:
        """Flag rows by elements of a list column (bool[m])."""
        if bad.any():
            elements = np.flatnonzero(bad)
            values = self.records[column].flatten()
            self.flag(self.parents[elements], column, reason, values, elements)


def _check_shape(records: pa.RecordBatch, findings: Findings) -> None:
    """What all other checks rest on: nothing required is missing, and lists are of one length."""

    def flag(bad: BoolArray, column: str, reason: str) -> None:
        if bad.any():
            findings.flag(np.flatnonzero(bad), column, reason, records[column])

    for name in REQUIRED:
        if records[name].null_count:
            flag(nulls_of(records[name]), name, "is missing; every decision needs it")
    for name in ("decision_id", "payment_id"):
        empty = pc.equal(pc.binary_length(records[name]), 0)
        if pc.any(empty).as_py():
            flag(_bools(empty), name, "is empty; every decision needs one")
    counts = list_lengths(records["eligible_route"])
    flag(counts == 0, "eligible_route", "is empty; at least one action is eligible")
    for name in records.schema.names:
        if not name.startswith(ELIGIBLE_PREFIX):
            continue
        column = records[name]
        differs = list_lengths(column) != counts
        if differs.any():
            differs &= ~nulls_of(column)
            flag(differs, name, "has another number of values than eligible_route")
        elements = column.flatten()
        if elements.null_count and not is_custom(name):
            rows = pc.list_parent_indices(column).to_numpy()[nulls_of(elements)]
            findings.flag(rows, name, "has a missing value among its actions", column)


def _check_choices(sound: _Sound) -> None:
    routes = sound.records["eligible_route"].flatten()
    delays: IntArray = sound.records["eligible_delay_s"].flatten().to_numpy()
    codes: npt.NDArray[np.int32] = routes.indices.to_numpy()
    names = routes.dictionary.to_pylist()
    if "" in names:
        bad = codes == names.index("")
        sound.flag_elements(bad, "eligible_route", "holds a route without a name")
    if len(delays) and (delays.min() < 0 or delays.max() > MAX_DELAY_S):
        bad = (delays < 0) | (delays > MAX_DELAY_S)
        sound.flag_elements(bad, "eligible_delay_s", f"expected 0 to {MAX_DELAY_S} seconds")
    if STOP_ROUTE in names:
        bad = (codes == names.index(STOP_ROUTE)) & (delays != 0)
        sound.flag_elements(bad, "eligible_delay_s", "the action 'stop' has the delay 0")
    twice = _repeated(codes, delays, sound)
    sound.flag(twice, "eligible_route", "holds the same action (route and delay) twice",
               sound.records["eligible_route"], None)  # fmt: skip
    chosen = sound.records["chosen"].to_numpy()
    outside = (chosen < 0) | (chosen >= sound.counts)
    sound.flag_where(
        outside, "chosen", "is not among the eligible actions, which are counted from 0"
    )


def _repeated(codes: npt.NDArray[np.int32], delays: IntArray, sound: _Sound) -> Positions:
    """The rows that have the same action twice."""
    if sound.most > 16:
        order = np.lexsort((delays, codes, sound.parents))
        row, code, delay = sound.parents[order], codes[order], delays[order]
        same = (row[1:] == row[:-1]) & (code[1:] == code[:-1]) & (delay[1:] == delay[:-1])
        return np.unique(row[1:][same])
    found: list[Positions] = []
    # reaches[i]: the actions i and i + step belong to different rows.
    begins = np.zeros(len(codes), np.bool_)
    begins[sound.starts] = True
    reaches = np.zeros(len(codes), np.bool_)
    for step in range(1, sound.most):
        reaches = reaches[:-1] | begins[step:]
        same = codes[step:] == codes[:-step]
        same &= ~reaches
        if same.any():
            twice = np.flatnonzero(same)
            twice = twice[delays[twice] == delays[twice + step]]
            found.append(sound.parents[twice])
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.intp)


def _check_probabilities(sound: _Sound) -> None:
    names = sound.records.schema.names
    propensity = np.full(sound.n, np.nan)
    if "propensity" in names:
        propensity = floats_of(sound.records["propensity"])
        bad = (propensity <= 0) | (propensity > 1)
        sound.flag_where(bad, "propensity", "expected a probability above 0 and at most 1")
    if "eligible_probability" not in names:
        return
    column = sound.records["eligible_probability"]
    values = floats_of(column.flatten())
    if column.null_count:
        there = ~nulls_of(column)
        full = np.full(len(sound.parents), np.nan)
        full[there[sound.parents]] = values
        values = full
    else:
        there = np.ones(sound.n, np.bool_)
    if not sound.n:
        return
    if sound.even:
        sums = values.reshape(sound.n, sound.most).sum(axis=1)
    else:
        sums = np.add.reduceat(values, sound.starts)
    # A comparison with NaN is false: missing values count as none, too.
    if not (values.min() >= 0 and values.max() <= 1 + TOLERANCE):
        no_probability = ~((values >= 0) & (values <= 1 + TOLERANCE))
        bad = np.zeros(sound.n, np.bool_)
        bad[sound.parents[no_probability]] = True
        sound.flag_where(
            bad & there, "eligible_probability", "holds a value that is no probability"
        )
    bad = there & (np.abs(sums - 1) > TOLERANCE)
    sound.flag_where(bad, "eligible_probability", "does not sum to 1")
    chosen = np.clip(sound.records["chosen"].to_numpy(), 0, sound.counts - 1)
    bad = np.abs(values[sound.starts + chosen] - propensity) > TOLERANCE
    sound.flag_where(bad, "propensity", "differs from the eligible_probability of the action taken")


def _check_column(sound: _Sound, name: str) -> None:
    column = sound.records[name]
    is_list = is_list_type(column.type)
    values = column.flatten() if is_list else column

    def flag(elements: Positions, reason: str) -> None:
        rows = elements
        if is_list:
            rows = pc.list_parent_indices(column).to_numpy()[elements]
        sound.flag(rows, name, reason, values, elements)

    for elements, reason in faults(values, name):
        if len(elements):
            flag(elements, reason)


def _without_null_lists(records: pa.RecordBatch) -> pa.RecordBatch:
    """A missing list in a column per action becomes a list of missing values, one per action."""
    for index, field in enumerate(records.schema):
        column = records.column(index)
        if not (column.null_count and is_list_type(field.type) and is_custom(field.name)):
            continue
        counts = list_lengths(records["eligible_route"])
        there = np.repeat(~nulls_of(column), counts)
        source = np.where(there, np.cumsum(there) - 1, -1)
        elements = column.flatten().take(pa.array(source, mask=~there))
        filled = lists_of(counts, elements, np.zeros(len(records), np.bool_))
        records = records.set_column(index, field, filled)
    return records


def _bools(values: Any) -> BoolArray:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), np.bool_)
