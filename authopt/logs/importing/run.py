"""The import from end to end: read and check every row, put them in order, group them, write them.

Every row is typed and validated first and kept in a temporary file. Where the source is in the
order of time, the rows are then grouped in chunks, and memory does not grow with the file; where it
is not, they are sorted in memory in between (some 200 bytes a row).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, IntArray, LoggedBatch, TimeArray
from authopt.logs.arrow import from_column, to_arrow, to_column
from authopt.logs.chunks import Chunk
from authopt.logs.findings import Findings
from authopt.logs.importing.grouping import Attempts, Grouped, Grouper
from authopt.logs.importing.mapping import PSP_CODE, Mapping
from authopt.logs.importing.source import Cells, Count, read_cells
from authopt.logs.importing.values import is_context, typed
from authopt.logs.rejects import Rejects
from authopt.logs.schema import ARROW_TYPES, PropensitySource
from authopt.logs.validate import sound_records
from authopt.logs.writing import LogWriter
from authopt.payments import Kind

Track = Callable[[Iterable[Cells]], Iterable[Cells]]

CARRIED = {"previous_response_code": "response_code", "previous_advice_code": "advice_code"}
NO_COLUMNS = ("row", "time", "key", "payment_id", "decision_id", "route", "propensity")
"""Columns of the temporary file that are no context or outcome."""

_GROUP_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Attempts on a route, and how many of them were approved."""

    route: str
    attempts: int
    approved: int


@dataclass(slots=True)
class ImportSummary:
    """What an import did.

    Attributes
    ----------
    read, written, rejected
        rows; what was read is what was written and what was rejected.
    payments
        number of payments.
    by_attempt
        rows by attempt number.
    after_approval
        payments that begin within the gap after a like payment's approval: perhaps duplicates.
    first, last
        earliest and latest attempt, UTC.
    sorted_in_memory
        whether the source was not in the order of time.
    by_route
        attempts and approvals.
    by_reason
        rejected rows.
    unknown_codes
        rows by the raw code, where the provider's table (``codes.psp``) does not know it; they are
        written as generic declines.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    payments: int = 0
    by_attempt: Counter[int] = field(default_factory=Counter)
    after_approval: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sorted_in_memory: bool = False
    by_route: dict[str, RouteRow] = field(default_factory=dict)
    by_reason: dict[str, int] = field(default_factory=dict)
    unknown_codes: Counter[str] = field(default_factory=Counter)

    def add(self, batch: LoggedBatch, grouped: Grouped) -> None:
        """Count the rows of a chunk, which follow those before in time."""
        self.written += batch.n
        self.payments += int((grouped.attempt == 1).sum())
        self.after_approval += int(grouped.after_approval.sum())
        attempts = np.bincount(grouped.attempt)
        self.by_attempt.update({each: int(n) for each, n in enumerate(attempts) if n})
        moments = batch.decided_at.astype("M8[us]").tolist()
        self.first = moments[0] if self.first is None else self.first
        self.last = moments[-1]
        approved = np.asarray(batch.outcome["approved"]) == 1
        for place, name in enumerate(batch.routes):
            taken = batch.chosen == place
            before = self.by_route.get(name, RouteRow(name, 0, 0))
            self.by_route[name] = RouteRow(
                name,
                before.attempts + int(taken.sum()),
                before.approved + int((taken & approved).sum()),
            )


def import_file(
    source: Path,
    mapping: Mapping,
    out: Path,
    rejects: Rejects,
    track: Track = lambda cells: cells,
) -> ImportSummary:
    """Write the rows of a foreign file as an attempt log.

    Its propensities are those that the mapping names, or unknown.

    Parameters
    ----------
    source
        CSV (also gzipped) or XLSX.
    mapping
        what its columns are.
    out
        the attempt log; it appears whole or not at all.
    rejects
        where rows that cannot be used go.
    track
        shows progress over the chunks of the source.

    Raises
    ------
    UserError
        If the file cannot be read or written, or a row is unsound and ``rejects`` is strict.
    """
    summary, count = ImportSummary(), Count()
    with tempfile.TemporaryFile() as spill:
        writer: pa.RecordBatchStreamWriter | None = None
        latest = np.datetime64("0001-01-01", "us")
        for cells in track(read_cells(source, mapping, rejects, count)):
            rows = _sound_rows(source, mapping, cells, rejects, summary)
            if not len(rows):
                continue
            times = rows["time"].to_numpy(zero_copy_only=False)
            summary.sorted_in_memory |= bool(
                times[0] < latest or (np.diff(times.view("i8")) < 0).any()
            )
            latest = times[-1]
            if writer is None:
                writer = pa.ipc.new_stream(spill, rows.schema)
            writer.write_batch(rows)
        if writer is not None:
            writer.close()
        spill.seek(0)
        propensities = _propensity_source(mapping)
        with LogWriter(out, propensities) as log:
            if writer is not None:
                for batch, grouped in _grouped(mapping, _in_order(spill, summary)):
                    summary.add(batch, grouped)
                    log.write(to_arrow(batch, propensities))
    summary.read, summary.rejected = count.rows, rejects.count
    summary.by_reason = dict(rejects.by_reason.most_common())
    if summary.read != summary.written + summary.rejected:
        raise RuntimeError(f"{summary.read} rows read, {summary.written} written: a row was lost")
    return summary


def _sound_rows(
    source: Path, mapping: Mapping, cells: Cells, rejects: Rejects, summary: ImportSummary
) -> pa.RecordBatch:
    """The rows of a chunk that an attempt log may hold, as plain Arrow columns."""
    findings = Findings(str(source), cells.rows)
    rows = typed(cells, mapping, findings)
    n = len(cells.rows)
    own = np.array([f"p{row}" for row in cells.rows.tolist()], np.object_)
    decision = rows.ids.get("decision_id", [f"{source.stem}-{row}" for row in cells.rows.tolist()])
    columns = dict(rows.columns)
    if mapping.time.zone is not None:
        columns.setdefault("local_hour", rows.local_hour)
        columns.setdefault("local_day", rows.local_day)
    arrays: dict[str, pa.Array] = {
        "row": pa.array(cells.rows),
        "time": pa.array(rows.time, pa.timestamp("us")),
        "key": _strings(rows.key),
        "payment_id": _strings(rows.ids.get("payment_id", own.tolist())),
        "decision_id": _strings(decision),
        "route": pa.array(np.maximum(rows.route, 0)),
        "propensity": pa.array(rows.propensity),
    }
    plain = {name: _plain(column, mapping.kind(name)) for name, column in columns.items()}
    records = pa.RecordBatch.from_pydict(arrays | plain)
    provisional = Grouped(
        payment=np.array(arrays["payment_id"].to_pylist(), np.object_),
        attempt=np.ones(n, np.int32),
        since_first=np.full(n, np.nan),
        since_last=np.full(n, np.nan),
        previous={},
        after_approval=np.zeros(n, np.bool_),
    )
    if n:
        batch = _logged(mapping, records, provisional)
        sound_records(Chunk(to_arrow(batch, _propensity_source(mapping)), findings), rejects)
    sound = ~findings.bad
    unknown = sound & rows.unknown_code
    if unknown.any():
        raw = records[PSP_CODE].filter(pa.array(unknown))
        summary.unknown_codes.update(raw.to_pylist())
    return records.filter(pa.array(sound))


def _propensity_source(mapping: Mapping) -> PropensitySource:
    return PropensitySource.LOGGED if mapping.has_propensities else PropensitySource.UNKNOWN


def _strings(texts: list[str]) -> pa.StringArray:
    return pa.array([text.encode("utf-8", "backslashreplace") for text in texts]).cast(pa.string())


def _plain(column: Column, kind: Kind) -> pa.Array:
    if isinstance(column, Categorical):
        names = _strings(list(column.categories))
        return names.take(pa.array(column.codes, mask=column.codes < 0))
    if isinstance(column, pa.Array):
        return column
    if np.issubdtype(column.dtype, np.datetime64):
        return from_column(column, ARROW_TYPES[kind])
    return pa.array(column, pa.float64(), mask=np.isnan(column))


def _in_order(spill: object, summary: ImportSummary) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_stream(spill) as reader:
        if not summary.sorted_in_memory:
            yield from reader
            return
        table = reader.read_all().sort_by([("time", "ascending"), ("row", "ascending")])
        yield from table.combine_chunks().to_batches(_GROUP_ROWS)


def _grouped(
    mapping: Mapping, batches: Iterable[pa.RecordBatch]
) -> Iterator[tuple[LoggedBatch, Grouped]]:
    by_id = "payment_id" in mapping.columns
    how = mapping.payments
    grouper = Grouper(np.inf if by_id else how.within_s, how.end_at_approval and not by_id)
    routes = np.array(mapping.routes.eligible, np.object_)
    for records in batches:
        columns = {name: records[name] for name in records.schema.names}
        carried = {
            name: np.array(columns[source].to_pylist(), np.object_)
            for name, source in CARRIED.items()
            if source in columns
        }
        carried["previous_route"] = routes[columns["route"].to_numpy()]
        times = columns["time"].to_numpy(zero_copy_only=False)
        grouped = grouper.group(
            Attempts(
                key=np.array(columns["key"].to_pylist(), np.object_),
                name=np.array(columns["payment_id"].to_pylist(), np.object_),
                second=times.astype("M8[us]").astype(np.int64) / 1e6,
                approved=columns["approved"].to_numpy(zero_copy_only=False) == 1,
                carried=carried,
            )
        )
        yield _logged(mapping, records, grouped), grouped


def _logged(mapping: Mapping, records: pa.RecordBatch, grouped: Grouped) -> LoggedBatch:
    n, routes = len(records), mapping.routes.eligible
    shares = mapping.routes.probabilities()
    held = {
        name: to_column(records[name], mapping.kind(name))
        for name in records.schema.names
        if name not in NO_COLUMNS
    }
    context: dict[str, Column] = {name: held[name] for name in held if is_context(name)}
    for name, values in grouped.previous.items():
        context[name] = Categorical.from_values(values.tolist())
    context["seconds_since_first_attempt"] = np.floor(grouped.since_first)
    context["seconds_since_last_attempt"] = np.floor(grouped.since_last)
    outcome = {name: column for name, column in held.items() if not is_context(name)}
    times: TimeArray = records["time"].to_numpy(zero_copy_only=False).astype("M8[us]")
    chosen: IntArray = records["route"].to_numpy().astype(np.int64)
    k = len(routes)
    return LoggedBatch(
        decision_id=records["decision_id"],
        payment_id=pa.array(grouped.payment.tolist(), pa.string()),
        attempt=grouped.attempt,
        decided_at=times,
        context=context,
        routes=routes,
        action_route=np.tile(np.arange(k, dtype=np.int32), n),
        action_delay_s=np.zeros(n * k, np.int64),
        offsets=np.arange(0, n * k + 1, k, dtype=np.int64),
        chosen=chosen,
        propensity=records["propensity"].to_numpy(),
        probability=None if shares is None else np.tile(np.array(shares, np.float64), n),
        reward=np.full(n, np.nan),
        outcome=outcome,
    )
