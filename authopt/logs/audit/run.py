"""Audit a log file: read it once with a collector of rejections, and make the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.logs.arrow import from_arrow
from authopt.logs.audit.accumulate import AuditSums
from authopt.logs.audit.faults import named
from authopt.logs.audit.report import AuditReport, RejectedRow
from authopt.logs.audit.sequence import with_ids
from authopt.logs.audit.verdict import findings_of, worst
from authopt.logs.files import CHUNK_ROWS, AttemptLog
from authopt.logs.rejects import Rejects

_PROBABILITY = "eligible_probability"


def audit_log(
    log: AttemptLog,
    *,
    by: tuple[str, ...] = (),
    rejects: Rejects | None = None,
    chunk_rows: int = CHUNK_ROWS,
    track: Callable[[Iterable[LoggedBatch]], Iterable[LoggedBatch]] = lambda batches: batches,
) -> AuditReport:
    """Audit a log.

    One pass; where there are duplicates or disorder, a second one finds the ids of the examples.

    Parameters
    ----------
    log
        the log.
    by
        further columns to give success rates by.
    rejects
        where unsound rows are collected, a new collector by default.
    chunk_rows
        decisions per chunk; the report does not depend on it.
    track
        passes the chunks on, say with a progress bar.

    Raises
    ------
    UserError
        If the log has no row at all, cannot be read, or a column of ``by`` forms no segments.
    """
    rejects = rejects or Rejects()
    sums = AuditSums(by)
    for batch in track(_batches(log, rejects, chunk_rows)):
        sums.add(batch)
    if not sums.columns.decisions and not rejects.count:
        raise UserError(f"{log.path}: the log has no decisions")
    return report_of(
        sums,
        log=str(log.path),
        source=log.propensity_source,
        rejects=rejects,
        # The ids alone are wanted; a row that another column made unsound does no harm.
        again=lambda: log.batches(rejects=Rejects(), chunk_rows=chunk_rows, columns=()),
    )


def report_of(
    sums: AuditSums,
    *,
    log: str,
    source: str,
    rejects: Rejects,
    again: Callable[[], Iterable[LoggedBatch]] = lambda: (),
) -> AuditReport:
    """The report of what was added up.

    Parameters
    ----------
    sums
        of the whole log.
    log
        what to call it.
    source
        where its propensities come from (``schema.PropensitySource``).
    rejects
        what was rejected.
    again
        gives the batches once more, to look up the ids of examples.
    """
    sequence = sums.sequence.finish()
    faults = (*sums.faults.report(), *with_ids(sequence.faults, again()))
    sound = sums.columns.decisions
    missing = next((fault.count for fault in faults if fault.name == "propensity_missing"), 0)
    codes = sums.faults.unknown_codes
    report = AuditReport(
        log=log,
        verdict=worst(()),
        findings=(),
        rows=sound + rejects.count,
        sound=sound,
        rejected=rejects.count,
        payments=sequence.payments,
        attempts=sound - sums.rates.stops,
        stops=sums.rates.stops,
        first=_text(sums.timeline.first),
        last=_text(sums.timeline.last),
        propensity_source=str(source),
        with_propensity=sound - missing,
        columns=sums.columns.report(),
        absent=sums.columns.absent(),
        rejections=named(rejects.by_reason),
        rejected_examples=tuple(
            RejectedRow(one.file, one.row, one.column, one.value, one.reason)
            for one in rejects.examples
        ),
        faults=faults,
        unknown_codes={name: named(codes[name]) for name in sorted(codes)},
        rules_broken=named(sums.faults.rules_broken),
        segmentations=sums.rates.report(),
        routes=sums.support.routes(),
        overlap=sums.support.overlap(),
        inverse=sums.inverse.report(),
        slices=sums.timeline.report(sums.inverse.design_effect()),
    )
    return findings_of(report)


def _batches(log: AttemptLog, rejects: Rejects, chunk_rows: int) -> Iterator[LoggedBatch]:
    for records in log.records(rejects=rejects, chunk_rows=chunk_rows):
        for part in _by_probability(records):
            yield from_arrow(part)


def _by_probability(records: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Rows with and without all probabilities apart: a batch has them all or none."""
    if _PROBABILITY not in records.schema.names or not records[_PROBABILITY].null_count:
        yield records
        return
    missing = pc.is_null(records[_PROBABILITY])
    for rows in (pc.invert(missing), missing):
        part = records.filter(rows)
        if len(part):
            yield part


def _text(time: object) -> str | None:
    return None if time is None else f"{time}Z"
