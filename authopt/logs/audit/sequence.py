"""Duplicates, and the order of a payment's attempts: exact over a whole log, in any order.

Every decision leaves 8 bytes (the hash of its id) and 21 bytes (the hash of its payment's id,
attempt, time, approval). Up to 2 M decisions these stay in memory, about 60 MB; beyond, they are
spilled to a temporary file of 29 bytes per decision (1.5 GB for 50 M) and read back by hash
partition. Ids are told apart by 64-bit hashes: among 50 M of them, the chance that any two share a
hash is below 1 in 10,000.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from authopt.batch import BoolArray, LoggedBatch
from authopt.hashing import UIntArray, hash_strings
from authopt.logs.audit.checks import approvals
from authopt.logs.audit.report import Fault
from authopt.spilled_rows import IN_MEMORY, Rows, SpilledRows

DECISION = np.dtype([("decision", "u8")])
ATTEMPT = np.dtype([("payment", "u8"), ("attempt", "i4"), ("decided_at", "i8"), ("approved", "i1")])

EXAMPLES = 3

DECISION_TWICE = "decision_twice"
ATTEMPT_TWICE = "attempt_twice"
ATTEMPTS_MISSING = "attempts_missing"
STARTS_LATE = "payment_starts_late"
OUT_OF_ORDER = "attempts_out_of_order"
AFTER_APPROVAL = "attempt_after_approval"

_PAYMENT_CHECKS = (ATTEMPT_TWICE, ATTEMPTS_MISSING, STARTS_LATE, OUT_OF_ORDER, AFTER_APPROVAL)
CHECKS = (DECISION_TWICE, *_PAYMENT_CHECKS)


@dataclass(frozen=True, slots=True)
class HashedFault:
    """A fault whose examples are still hashes of ids."""

    name: str
    count: int
    of: int
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """What the rows say once they are brought together.

    Attributes
    ----------
    payments
        how many there are.
    faults
        duplicates and disorder; of decisions first, then of payments.
    """

    payments: int
    faults: tuple[HashedFault, ...]


class SequenceSums:
    """Collects what is needed of every decision; see the module for its size.

    Parameters
    ----------
    in_memory
        decisions kept in memory before they are spilled.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self.decisions = SpilledRows(DECISION, in_memory)
        self.attempts = SpilledRows(ATTEMPT, in_memory)

    def add(self, batch: LoggedBatch) -> None:
        """Collect these decisions too."""
        self.decisions.add(hash_strings(batch.decision_id).view(DECISION))
        rows = np.empty(batch.n, ATTEMPT)
        rows["payment"] = hash_strings(batch.payment_id)
        rows["attempt"] = batch.attempt
        rows["decided_at"] = batch.decided_at.astype("M8[us]").astype(np.int64)
        rows["approved"] = approvals(batch) == 1
        self.attempts.add(rows)

    def __add__(self, other: SequenceSums) -> SequenceSums:
        together = SequenceSums(self._in_memory)
        for part in (self, other):
            together.decisions.extend(part.decisions)
            together.attempts.extend(part.attempts)
        return together

    def finish(self) -> Sequence:
        """Bring the rows together and count."""
        twice = _Tally(DECISION_TWICE)
        for rows in self.decisions.parts():
            keys = rows["decision"]
            twice.add(keys, _same_as_before(keys), len(keys))
        payments, tallies = 0, {name: _Tally(name) for name in _PAYMENT_CHECKS}
        for rows in self.attempts.parts():
            payments += _check_payments(rows, tallies)
        return Sequence(payments, tuple(tally.fault() for tally in (twice, *tallies.values())))


@dataclass(slots=True)
class _Tally:
    name: str
    count: int = 0
    of: int = 0
    examples: list[int] = field(default_factory=list)

    def add(self, keys: UIntArray, at_fault: BoolArray, of: int) -> None:
        self.of += of
        self.count += int(at_fault.sum())
        # Keys come in ascending order, and so their smallest first.
        few = np.unique(keys[at_fault])[:EXAMPLES].tolist()
        self.examples = sorted({*self.examples, *few})[:EXAMPLES]

    def fault(self) -> HashedFault:
        return HashedFault(self.name, self.count, self.of, tuple(self.examples))


def _same_as_before(values: npt.NDArray[np.generic]) -> BoolArray:
    same = np.zeros(len(values), np.bool_)
    same[1:] = values[1:] == values[:-1]
    return same


def _check_payments(rows: Rows, tallies: dict[str, _Tally]) -> int:
    """Check rows sorted by payment, attempt and time; the number of payments among them."""
    n = len(rows)
    if not n:
        return 0
    payment, attempt = rows["payment"], rows["attempt"]
    same_payment = _same_as_before(payment)
    same_attempt = same_payment & _same_as_before(attempt)
    next_attempt = same_payment & ~same_attempt
    step = np.diff(attempt, prepend=attempt[:1])
    earlier = np.diff(rows["decided_at"], prepend=rows["decided_at"][:1]) < 0
    first = ~same_payment

    tallies[ATTEMPT_TWICE].add(payment, same_attempt, n)
    tallies[STARTS_LATE].add(payment, first & (attempt > 1), int(first.sum()))
    tallies[ATTEMPTS_MISSING].add(payment, next_attempt & (step > 1), int(next_attempt.sum()))
    tallies[OUT_OF_ORDER].add(payment, next_attempt & earlier, int(next_attempt.sum()))

    # Approvals of the payment before the first row of the same attempt.
    approved_before = np.concatenate([[0], np.cumsum(rows["approved"], dtype=np.int64)])[:-1]
    places = np.arange(n)
    of_payment = np.maximum.accumulate(np.where(first, places, 0))
    of_attempt = np.maximum.accumulate(np.where(same_attempt, 0, places))
    already = approved_before[of_attempt] > approved_before[of_payment]
    tallies[AFTER_APPROVAL].add(payment, already, int(next_attempt.sum()))
    return int(first.sum())


def with_ids(faults: Iterable[HashedFault], batches: Iterable[LoggedBatch]) -> tuple[Fault, ...]:
    """Faults with the ids of their examples, looked up in a second pass that ends when it can."""
    found = list(faults)
    wanted = {
        column: {key for fault in found if _column(fault) == column for key in fault.examples}
        for column in ("decision_id", "payment_id")
    }
    names: dict[int, str] = {}
    left = sum(map(len, wanted.values()))
    for batch in batches if left else ():
        for column, keys in wanted.items():
            hashes = hash_strings(getattr(batch, column)) if keys else np.empty(0, np.uint64)
            at = np.flatnonzero(np.isin(hashes, np.array(sorted(keys), np.uint64)))
            ids = getattr(batch, column).take(pa.array(at)).to_pylist()
            names.update(zip(hashes[at].tolist(), ids, strict=True))
        if len(names) >= left:
            break
    return tuple(
        Fault(
            fault.name,
            fault.count,
            fault.of,
            tuple(names[key] for key in fault.examples if key in names),
        )
        for fault in found
    )


def _column(fault: HashedFault) -> str:
    return "decision_id" if fault.name == DECISION_TWICE else "payment_id"
