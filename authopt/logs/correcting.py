"""Apply corrections to a log: each once, in the order of time, chunk by chunk.

Refunds add up. Of chargebacks and chargebacks won back the latest stands. ``corrected_at`` becomes
the time of a decision's last correction, and is what makes applying idempotent: a correction that
is not later than it was applied before, or comes too late to be told from one that was. So a log
that was corrected can be corrected on with newer files, and a file applied twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from authopt.logs.corrections import Correction, CorrectionKind
from authopt.logs.files import AttemptLog, write_records
from authopt.logs.rejects import Rejection, Rejects, shown
from authopt.logs.schema import column_rank, column_type

CHANGED = ("refunded_minor", "charged_back", "corrected_at")
READ = (*CHANGED, "approved", "amount_minor", "currency")

UNMATCHED = "the log has no such decision, or no approved attempt of such a payment"
EARLIER = "is not later than the decision's last correction: applied before, or too late to tell"

Track = Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]


@dataclass(slots=True)
class CorrectionSummary:
    """What was done.

    Attributes
    ----------
    decisions, corrected
        rows of the log, and how many of them were corrected.
    read
        sound corrections; each is applied, a duplicate, applied before, unmatched or refused.
    applied
        by kind.
    duplicates
        said the same as one before in the file.
    applied_before
        not later than the last correction that the log already has.
    unmatched
        whose decision or payment the log does not have.
    refused
        that do not fit their decision: another currency, more than its amount, not approved.
    partial_chargebacks
        applied chargebacks of less than the amount; the log holds them as whole ones.
    """

    decisions: int = 0
    corrected: int = 0
    read: int = 0
    applied: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    applied_before: int = 0
    unmatched: int = 0
    refused: int = 0
    partial_chargebacks: int = 0


def correct_log(
    log: AttemptLog,
    corrections: Iterable[Correction],
    file: Path,
    out: Path,
    rejects: Rejects,
    track: Track = lambda batches: batches,
) -> CorrectionSummary:
    """Write a log again with its outcomes corrected.

    The log is streamed; the corrections are held in memory.

    Parameters
    ----------
    log
        every row has to be sound.
    corrections
        in any order.
    file
        the corrections' file, to name in rejections.
    out
        the file to write; it appears whole or not at all.
    rejects
        where corrections go that are not applied, duplicates apart.
    track
        shows progress.

    Raises
    ------
    UserError
        If the log has an unsound row, ``out`` cannot be written, or ``rejects`` is strict.
    """
    work = _Work(str(file), rejects)
    work.take_in(corrections)
    write_records(out, work.corrected(track(log.records())), log.propensity_source)
    work.tell_unmatched()
    return work.summary


@dataclass(slots=True, eq=False)
class _Work:
    file: str
    rejects: Rejects
    summary: CorrectionSummary = field(default_factory=CorrectionSummary)
    by_decision: dict[str, list[Correction]] = field(default_factory=dict)
    by_payment: dict[str, list[Correction]] = field(default_factory=dict)

    def take_in(self, corrections: Iterable[Correction]) -> None:
        seen: set[tuple[object, ...]] = set()
        for each in corrections:
            self.summary.read += 1
            if each.identity in seen:
                self.summary.duplicates += 1
                continue
            seen.add(each.identity)
            if each.decision_id:
                self.by_decision.setdefault(each.decision_id, []).append(each)
            else:
                self.by_payment.setdefault(each.payment_id, []).append(each)

    def corrected(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self.summary.decisions += len(batch)
            yield self._batch(_with_columns(batch))

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        found: dict[int, list[Correction]] = {}
        for row in _rows_among(batch.column("decision_id"), self.by_decision):
            wanted = self.by_decision.pop(batch.column("decision_id")[row].as_py(), [])
            found.setdefault(row, []).extend(wanted)
        approved = batch.column("approved")
        for row in _rows_among(batch.column("payment_id"), self.by_payment):
            if approved[row].as_py():
                wanted = self.by_payment.pop(batch.column("payment_id")[row].as_py(), [])
                found.setdefault(row, []).extend(wanted)
        found = {row: wanted for row, wanted in found.items() if wanted}
        if not found:
            return batch
        rows = sorted(found)
        table = batch.select(list(READ)).take(pa.array(rows)).to_pylist()
        for row, outcome in zip(rows, table, strict=True):
            self._apply(outcome, found[row])
        arrays = {name: batch.column(name) for name in batch.schema.names}
        for name in CHANGED:
            values = pa.array([outcome[name] for outcome in table], arrays[name].type)
            arrays[name] = _with_values(arrays[name], rows, values)
        return pa.RecordBatch.from_arrays(list(arrays.values()), schema=batch.schema)

    def _apply(self, outcome: dict[str, Any], wanted: Sequence[Correction]) -> None:
        """Change one decision's outcome by its corrections."""
        last: datetime | None = outcome["corrected_at"]
        applied = False
        for each in sorted(wanted, key=lambda each: (each.at, each.row)):
            if last is not None and each.at <= last:
                self.summary.applied_before += 1
                self._reject(each, "at", each.at.isoformat(), EARLIER)
                continue
            reason = _misfit(each, outcome)
            if reason is not None:
                self.summary.refused += 1
                self._reject(each, *reason)
                continue
            if each.kind is CorrectionKind.REFUND:
                already: int = outcome["refunded_minor"] or 0
                outcome["refunded_minor"] = already + (each.amount_minor or 0)
            else:
                outcome["charged_back"] = each.kind is CorrectionKind.CHARGEBACK
                partial = each.amount_minor is not None and each.amount_minor < (
                    outcome["amount_minor"] or 0
                )
                chargeback = each.kind is CorrectionKind.CHARGEBACK
                self.summary.partial_chargebacks += partial and chargeback
            outcome["corrected_at"] = each.at
            self.summary.applied[each.kind.value] += 1
            applied = True
        self.summary.corrected += applied

    def tell_unmatched(self) -> None:
        left = [each for table in (self.by_decision, self.by_payment) for each in table.values()]
        for each in sorted((each for some in left for each in some), key=lambda each: each.row):
            self.summary.unmatched += 1
            column = "decision_id" if each.decision_id else "payment_id"
            self._reject(each, column, each.decision_id or each.payment_id, UNMATCHED)

    def _reject(self, each: Correction, column: str, value: str, reason: str) -> None:
        self.rejects.add(Rejection(self.file, each.row, column, shown(value), reason))


def _misfit(each: Correction, outcome: dict[str, Any]) -> tuple[str, str, str] | None:
    """Column, value and reason why a correction does not fit its decision; None where it does."""
    if not outcome["approved"]:
        return "kind", each.kind.value, "the attempt was not approved, or its outcome is not known"
    if each.amount_minor is None:
        return None
    if each.currency != outcome["currency"]:
        return "currency", each.currency, "is not the currency of the payment"
    already = (outcome["refunded_minor"] or 0) if each.kind is CorrectionKind.REFUND else 0
    amount = outcome["amount_minor"]
    if amount is not None and already + each.amount_minor > amount:
        return "amount_minor", str(each.amount_minor), "comes to more than the payment's amount"
    return None


def _rows_among(column: pa.Array, keys: dict[str, list[Correction]]) -> list[int]:
    """Rows whose value is among the keys, in order."""
    if not keys:
        return []
    found = pc.is_in(column, value_set=pa.array(list(keys), pa.string()))
    return [int(row) for row in pc.indices_nonzero(found).to_pylist()]


def _with_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with every column that is read or changed, missing where the log has none."""
    for name in READ:
        if name not in batch.schema.names:
            kind = column_type(name)
            batch = batch.append_column(pa.field(name, kind), pa.nulls(len(batch), kind))
    return batch.select(sorted(batch.schema.names, key=column_rank))


def _with_values(column: pa.Array, rows: list[int], values: pa.Array) -> pa.Array:
    """The column with other values at some rows (in order)."""
    mask = pa.array([False] * len(column))
    flags = mask.to_numpy(zero_copy_only=False).copy()
    flags[rows] = True
    return pc.replace_with_mask(column, pa.array(flags), values)
