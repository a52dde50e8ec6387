"""Find one decision in a log, and what routes and delays the log knows around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from authopt.batch import LoggedBatch
from authopt.errors import UserError

SUGGESTED = 3
"""Ids that an error names."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decision: by its id, or by its payment and attempt.

    Attributes
    ----------
    decision
        its id; None where the payment says it.
    payment
        id of the payment.
    attempt
        of the payment; None where there is one alone.
    """

    decision: str | None
    payment: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One decision of a log.

    Attributes
    ----------
    one
        as a batch of one.
    routes, delays_s
        those that decisions of the log were seen to have, in the part of it that was read: first
        attempts if this is one, else retries.
    """

    one: LoggedBatch
    routes: tuple[str, ...]
    delays_s: tuple[int, ...]


@dataclass(slots=True)
class _Seen:
    """Routes and delays of first attempts (False) and of retries (True), as they appear."""

    routes: dict[bool, dict[str, None]] = field(default_factory=lambda: {False: {}, True: {}})
    delays_s: dict[bool, set[int]] = field(default_factory=lambda: {False: set(), True: set()})

    def add(self, batch: LoggedBatch) -> None:
        retry = np.repeat(batch.attempt > 1, batch.counts)
        for kind in (False, True):
            some = (retry == kind) & ~batch.is_stop
            codes = np.unique(batch.action_route[some])
            self.routes[kind] |= dict.fromkeys(batch.routes[code] for code in codes)
            self.delays_s[kind] |= set(np.unique(batch.action_delay_s[some]).tolist())

    def beside(self, one: LoggedBatch) -> Found:
        kind = bool(one.attempt[0] > 1)
        return Found(one, tuple(self.routes[kind]), tuple(sorted(self.delays_s[kind])))


def find_decision(batches: Iterable[LoggedBatch], wanted: Wanted, log: Path) -> Found:
    """Look for a decision in a log.

    Parameters
    ----------
    batches
        the log; it is read as far as the decision.
    wanted
        which.
    log
        its name, for errors.

    Raises
    ------
    UserError
        If there is no such decision, or the payment has several and none is named.
    """
    seen = _Seen()
    near: list[str] = []
    several: list[LoggedBatch] = []
    rows = 0
    for batch in batches:
        rows += batch.n
        seen.add(batch)
        if wanted.decision is not None:
            row = pc.index(batch.decision_id, wanted.decision).as_py()
            if row >= 0:
                return seen.beside(batch.take(slice(row, row + 1)))
            near += _near(batch, wanted.decision, SUGGESTED - len(near))
            continue
        of_payment = np.flatnonzero(pc.equal(batch.payment_id, wanted.payment).to_numpy(False))
        several += [batch.take(slice(row, row + 1)) for row in of_payment.tolist()]
        if wanted.attempt is not None:
            for one in several:
                if int(one.attempt[0]) == wanted.attempt:
                    return seen.beside(one)
    if wanted.decision is None and wanted.attempt is None and len(several) == 1:
        return seen.beside(several[0])
    raise UserError(f"{log}: {_missing(wanted, several, near, rows)}")


def _near(batch: LoggedBatch, decision: str, most: int) -> list[str]:
    """Ids that the user may have meant: they contain the text, or are of the payment it names."""
    if most <= 0 or not decision:
        return []
    alike = pc.or_(
        pc.match_substring(batch.decision_id, decision, ignore_case=True),
        pc.equal(batch.payment_id, decision),
    )
    ids: list[str] = batch.decision_id.filter(alike).slice(0, most).to_pylist()
    return ids or ([batch.decision_id[0].as_py()] if most == SUGGESTED and batch.n else [])


def _missing(wanted: Wanted, several: Sequence[LoggedBatch], near: Sequence[str], rows: int) -> str:
    if not rows:
        return "the log has no decisions"
    if wanted.decision is not None:
        such_as = ", ".join(dict.fromkeys(near[:SUGGESTED]))
        return (
            f"has no decision {wanted.decision!r} among its {rows:,}. Its ids are such as "
            f"{such_as}; a payment is named by --payment ID --attempt N"
        )
    if not several:
        return f"has no payment {wanted.payment!r} in its {rows:,} decisions"
    attempts = sorted(int(one.attempt[0]) for one in several)
    listed = ", ".join(str(number) for number in attempts)
    if wanted.attempt is None:
        return f"payment {wanted.payment!r} has the attempts {listed}: say which by --attempt N"
    return f"payment {wanted.payment!r} has no attempt {wanted.attempt}; it has {listed}"
