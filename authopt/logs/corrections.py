"""Late corrections of outcomes as a CSV file: refunds, chargebacks, and chargebacks won back.

Columns, in any order: ``decision_id`` or ``payment_id`` (at least one in every row), ``kind``,
``amount_minor``, ``currency``, ``at``, and optionally ``id``, the correction's own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from authopt.errors import UserError
from authopt.logs.rejects import Rejection, Rejects, shown
from authopt.prices.currencies import DECIMALS

NEEDED = ("kind", "amount_minor", "currency", "at")
TARGETS = ("decision_id", "payment_id")


class CorrectionKind(StrEnum):
    """What happened after the outcome."""

    REFUND = "refund"
    CHARGEBACK = "chargeback"
    WON = "representment-won"


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction.

    Attributes
    ----------
    row
        of the file, from 1.
    decision_id, payment_id
        what it corrects; of a payment, its approved attempt. Empty where not given.
    kind
        what happened.
    amount_minor
        how much; None where a chargeback does not say.
    currency
        of the amount; empty with it.
    at
        when, UTC.
    own_id
        the correction's own id, or empty.
    """

    row: int
    decision_id: str
    payment_id: str
    kind: CorrectionKind
    amount_minor: int | None
    currency: str
    at: datetime
    own_id: str

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from another: its own id, or all that it says."""
        if self.own_id:
            return (self.own_id,)
        return (
            self.decision_id,
            self.payment_id,
            self.kind,
            self.amount_minor,
            self.currency,
            self.at,
        )


def read_corrections(path: Path, rejects: Rejects) -> Iterator[Correction]:
    """The sound rows of a file of corrections; the others go to ``rejects``.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a column, or has one that is not known.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            _check_header(path, list(reader.fieldnames or ()))
            for row, cells in enumerate(reader, start=1):
                correction = _correction(path, row, cells, rejects)
                if correction is not None:
                    yield correction
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV file ({error})") from error


def _check_header(path: Path, names: list[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if not set(TARGETS) & set(names):
        missing.append("decision_id or payment_id")
    unknown = [name for name in names if name not in (*NEEDED, *TARGETS, "id")]
    if missing or unknown:
        said = f"column(s) {', '.join(missing)} missing" if missing else ""
        said += "; " if missing and unknown else ""
        said += f"unknown column(s) {', '.join(unknown)}" if unknown else ""
        raise UserError(
            f"{path}: {said}. Expected decision_id or payment_id, {', '.join(NEEDED)}, and "
            "perhaps id"
        )


def _correction(path: Path, row: int, given: dict[str, str], rejects: Rejects) -> Correction | None:
    cells = {name: (given.get(name) or "").strip() for name in (*TARGETS, *NEEDED, "id")}

    def reject(column: str, reason: str) -> None:
        value = shown(cells.get(column, ""))
        rejects.add(Rejection(str(path), row, column, value, reason))

    if not (cells["decision_id"] or cells["payment_id"]):
        reject("", "names neither a decision nor a payment")
        return None
    if cells["kind"] not in set(CorrectionKind):
        reject("kind", f"expected one of: {', '.join(CorrectionKind)}")
        return None
    kind = CorrectionKind(cells["kind"])
    amount: int | None = None
    if cells["amount_minor"] or kind is CorrectionKind.REFUND:
        if not cells["amount_minor"].isascii() or not cells["amount_minor"].isdecimal():
            reject("amount_minor", "expected a whole number of minor units, 0 or more")
            return None
        amount = int(cells["amount_minor"])
        if cells["currency"] not in DECIMALS:
            reject("currency", "expected an ISO 4217 code such as EUR")
            return None
    at = _moment(cells["at"])
    if at is None:
        reject("at", "expected a time with its zone, such as 2026-03-01T12:00:00Z")
        return None
    return Correction(
        row=row,
        decision_id=cells["decision_id"],
        payment_id=cells["payment_id"],
        kind=kind,
        amount_minor=amount,
        currency=cells["currency"],
        at=at,
        own_id=cells["id"],
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
