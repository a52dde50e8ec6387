"""Checks of the values of a sound row: what may be missing or contradictory in it.

Values that no row may have (``authopt.logs.validate``) are not looked for again: a log is read with
a collector of rejections, and those are part of the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, Categorical, Column, FloatArray, LoggedBatch
from authopt.logs.audit.report import Level
from authopt.rules import DEFAULT_RULES
from authopt.rules.tables import CodeTable

APPROVAL_CODES = frozenset({"00", "10", "85"})
"""Response codes that go with an approval: approved, approved in part, no reason to decline."""

CODE_COLUMNS = (
    "response_code",
    "advice_code",
    "previous_response_code",
    "previous_advice_code",
)

Found = tuple[BoolArray, BoolArray]
"""Rows at fault, and rows that were looked at (bool[n] each)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the values of a row.

    Attributes
    ----------
    name
        of the check, in reports for machines.
    level
        how bad a row at fault is.
    tolerated
        share of the rows looked at up to which it is worth a note only.
    text
        what it says, after ``COUNT of N rows``.
    advice
        what to do.
    find
        the rows at fault and those that were looked at, or None where the columns are absent.
    """

    name: str
    level: Level
    text: str
    advice: str
    find: Callable[[LoggedBatch], Found | None]
    tolerated: float = 0.0


def stopped(batch: LoggedBatch) -> BoolArray:
    """bool[n], the decisions that gave the payment up."""
    return np.asarray(batch.is_stop[batch.chosen_action])


def approvals(batch: LoggedBatch) -> FloatArray:
    """float64[n], 1 approved, 0 declined, NaN where not known."""
    column = batch.outcome.get("approved")
    return np.full(batch.n, np.nan) if column is None else np.asarray(column, np.float64)


def _outcome_unknown(batch: LoggedBatch) -> Found:
    sent = ~stopped(batch)
    return sent & np.isnan(approvals(batch)), sent


def _propensity_missing(batch: LoggedBatch) -> Found:
    return np.isnan(batch.propensity), np.ones(batch.n, np.bool_)


def _approved_with_decline_code(batch: LoggedBatch) -> Found | None:
    code = category(batch.outcome, "response_code")
    if code is None:
        return None
    table = DEFAULT_RULES.response
    # One more entry for the code -1 of a missing or unknown value.
    declines = np.array([name not in APPROVAL_CODES for name in table.codes] + [False])
    approved = (approvals(batch) == 1) & (code.codes >= 0)
    return approved & declines[table.code_of(code)], approved


def _declined_with_approval_code(batch: LoggedBatch) -> Found | None:
    code = category(batch.outcome, "response_code")
    if code is None:
        return None
    table = DEFAULT_RULES.response
    declined = (approvals(batch) == 0) & (code.codes >= 0)
    return declined & (table.code_of(code) == table.codes.index("00")), declined


def _approved_stop(batch: LoggedBatch) -> Found:
    stop = stopped(batch)
    return stop & (approvals(batch) == 1), stop


def _outcome_before_decision(batch: LoggedBatch) -> Found | None:
    times = batch.outcome.get("outcome_at")
    if times is None:
        return None
    known = ~np.isnat(np.asarray(times))
    return known & (np.asarray(times) < batch.decided_at), known


def _amount_zero(batch: LoggedBatch) -> Found | None:
    return _number(batch.context, "amount_minor", lambda amount: amount <= 0)


def _history_out_of_order(batch: LoggedBatch) -> Found | None:
    first = batch.context.get("seconds_since_first_attempt")
    last = batch.context.get("seconds_since_last_attempt")
    if first is None or last is None:
        return None
    since_first, since_last = np.asarray(first), np.asarray(last)
    known = ~np.isnan(since_first) & ~np.isnan(since_last)
    return known & ((since_last > since_first) | (since_last < 0)), known


def _first_with_history(batch: LoggedBatch) -> Found:
    first = batch.attempt == 1
    history = np.zeros(batch.n, np.bool_)
    for name in ("previous_route", "previous_response_code", "previous_advice_code"):
        column = category(batch.context, name)
        if column is not None:
            history |= column.codes >= 0
    return first & history, first


def _retry_without_code(batch: LoggedBatch) -> Found:
    later = batch.attempt > 1
    code = category(batch.context, "previous_response_code")
    return later if code is None else later & (code.codes < 0), later


def _unknown_response_code(batch: LoggedBatch) -> Found | None:
    return _unknown(batch, ("response_code", "previous_response_code"), DEFAULT_RULES.response)


def _unknown_advice_code(batch: LoggedBatch) -> Found | None:
    return _unknown(batch, ("advice_code", "previous_advice_code"), DEFAULT_RULES.advice)


CHECKS = (
    Check(
        "outcome_unknown",
        Level.WARNING,
        "attempts have no outcome",
        "Evaluation leaves them out; if they are not just the newest ones, import the outcomes.",
        _outcome_unknown,
        tolerated=0.05,
    ),
    Check(
        "propensity_missing",
        Level.WARNING,
        "decisions have no propensity",
        "Evaluation leaves them out, which biases it unless they are missing at random.",
        _propensity_missing,
    ),
    Check(
        "approved_with_decline_code",
        Level.PROBLEM,
        "approved attempts carry the response code of a decline",
        "One of 'approved' and 'response_code' is mapped wrongly; mend the import.",
        _approved_with_decline_code,
    ),
    Check(
        "declined_with_approval_code",
        Level.PROBLEM,
        "declined attempts carry response code 00 (approved)",
        "One of 'approved' and 'response_code' is mapped wrongly; mend the import.",
        _declined_with_approval_code,
    ),
    Check(
        "approved_stop",
        Level.PROBLEM,
        "decisions to stop are marked as approved",
        "A payment that was given up has no outcome; check 'chosen' and 'approved'.",
        _approved_stop,
    ),
    Check(
        "outcome_before_decision",
        Level.WARNING,
        "outcomes came before their decision",
        "Check the clocks and time zones of 'decided_at' and 'outcome_at'.",
        _outcome_before_decision,
    ),
    Check(
        "amount_zero",
        Level.WARNING,
        "decisions have an amount of 0",
        "Leave card checks without a payment out of the log.",
        _amount_zero,
    ),
    Check(
        "history_out_of_order",
        Level.WARNING,
        "decisions have their last attempt before their first, or in the future",
        "Mend 'seconds_since_first_attempt' and 'seconds_since_last_attempt'.",
        _history_out_of_order,
    ),
    Check(
        "first_attempt_with_history",
        Level.WARNING,
        "first attempts name a previous route or code",
        "Attempts count from 1 within a payment; check 'attempt' and 'payment_id'.",
        _first_with_history,
    ),
    Check(
        "retry_without_code",
        Level.WARNING,
        "retries lack the previous response code",
        "The network rules cannot be checked for them; import 'previous_response_code'.",
        _retry_without_code,
        tolerated=0.01,
    ),
    Check(
        "unknown_response_code",
        Level.WARNING,
        "decisions have a response code that the network rules do not know",
        "It counts as a generic decline. Map processor codes to ISO 8583 in the import "
        "([codes] psp in the mapping).",
        _unknown_response_code,
        tolerated=0.01,
    ),
    Check(
        "unknown_advice_code",
        Level.WARNING,
        "decisions have an advice code that the network rules do not know",
        "On a network that gives advice it forbids every further attempt. Map it to the network's "
        "code in the import, or add a row to a table of your own.",
        _unknown_advice_code,
        tolerated=0.01,
    ),
)


def table_of(batch: LoggedBatch, name: str) -> Mapping[str, Column]:
    """The columns among which one of CODE_COLUMNS is."""
    return batch.context if name.startswith("previous_") else batch.outcome


def category(table: Mapping[str, Column], name: str) -> Categorical | None:
    """A column of names, if it is there."""
    column = table.get(name)
    return column if isinstance(column, Categorical) else None


def _number(
    table: Mapping[str, Column], name: str, at_fault: Callable[[FloatArray], BoolArray]
) -> Found | None:
    column = table.get(name)
    if column is None:
        return None
    values = np.asarray(column, np.float64)
    # Comparisons with NaN are false: what is missing is not at fault.
    return at_fault(values), ~np.isnan(values)


def _unknown(batch: LoggedBatch, names: tuple[str, ...], table: CodeTable) -> Found | None:
    columns = [category(table_of(batch, name), name) for name in names]
    there = [column for column in columns if column is not None]
    if not there:
        return None
    unknown = np.zeros(batch.n, np.bool_)
    looked_at = np.zeros(batch.n, np.bool_)
    for column in there:
        unknown |= unknown_rows(batch, column, table)
        looked_at |= column.codes >= 0
    return unknown, looked_at


def unknown_rows(batch: LoggedBatch, column: Categorical, table: CodeTable) -> BoolArray:
    """Rows with a code that the table lacks; advice codes only on networks that have such."""
    unknown = (column.codes >= 0) & (table.code_of(column) < 0)
    if table is DEFAULT_RULES.advice:
        network = category(batch.context, "network")
        unknown &= network is not None and network.recode(table.networks) >= 0
    return np.asarray(unknown)
