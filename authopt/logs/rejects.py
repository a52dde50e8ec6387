"""Rows that cannot be used: counted by reason, shown by example, and written to a file."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from authopt.card_numbers import contains_card_number, redact
from authopt.errors import UserError

EXAMPLES = 100
"""Rejections that are kept in memory; all of them go to the file."""

HEADER = ("file", "row", "column", "value", "reason")

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that cannot be used, and the first reason why.

    Attributes
    ----------
    file
        the file as the user named it.
    row
        number of the row over the whole file, from 1; a header is not counted.
    column
        the column at fault; empty where the row as a whole is.
    value
        the offending value, as :func:`shown` gives it.
    reason
        what is wrong and what was expected, without the value, so that equal reasons add up.
    """

    file: str
    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column!r}" if self.column else ""
        value = f"; got {self.value!r}" if self.value else ""
        return f"{self.file}: row {self.row}{column}: {self.reason}{value}"


def shown(value: Any) -> str:
    """A value as a rejection may show it: card numbers redacted, then cut to a short length."""
    text = value if isinstance(value, str) else str(value)
    if contains_card_number(text):
        redacted = redact(text)
        text = "[card number]" if contains_card_number(redacted) else redacted
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


class Rejects:
    """Collects rejections in bounded memory; use it as a context manager where it has a file.

    Parameters
    ----------
    strict
        raise a UserError at the first rejection.
    sink
        CSV file (columns ``file,row,column,value,reason``) that every rejection is written to. It
        is made at once, and overwritten where it exists.
    advice
        what a strict error tells the user to do; by default, to audit the file.

    Attributes
    ----------
    count
        rejections so far.
    by_reason
        how many of each reason.
    examples
        the first ``EXAMPLES`` rejections.

    Raises
    ------
    UserError
        If ``sink`` cannot be written.
    """

    def __init__(
        self, *, strict: bool = False, sink: Path | None = None, advice: str | None = None
    ) -> None:
        self.strict = strict
        self.advice = advice
        self.count = 0
        self.by_reason: Counter[str] = Counter()
        self.examples: list[Rejection] = []
        self._file: IO[str] | None = None
        if sink is not None:
            try:
                self._file = sink.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                raise UserError(f"{sink}: cannot be written ({error.strerror})") from error
            self._writer = csv.writer(self._file)
            self._writer.writerow(HEADER)

    def add(self, rejection: Rejection) -> None:
        """Count a rejection.

        Raises
        ------
        UserError
            If strict; the message names file, row, column, value and reason.
        """
        self.count += 1
        self.by_reason[rejection.reason] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(rejection)
        if self._file is not None:
            self._writer.writerow(
                (
                    rejection.file,
                    rejection.row,
                    rejection.column,
                    rejection.value,
                    rejection.reason,
                )
            )
        if self.strict:
            see = f"See all unsound rows with: authopt log audit {rejection.file}"
            raise UserError(f"{rejection}. {self.advice or see}")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
