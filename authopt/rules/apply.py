"""Turn context and attempt history into a mask over actions, with a reason for every one removed.

The tables beside this module collect what processors publish about the networks' rules; they are a
starting point, not legal advice, and a merchant may bring its own (:func:`load_rules`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, Categorical, CodeArray, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.payments import Initiator
from authopt.rules.tables import (
    ADVICE_CODES,
    ATTEMPT_LIMITS,
    CATEGORIES,
    NO_REASON,
    PERMISSIONS,
    RESPONSE_CODES,
    Category,
    CodeTable,
    LimitTable,
    Permission,
    read_advice_codes,
    read_attempt_limits,
    read_response_codes,
)

ReasonArray = npt.NDArray[np.int16]

DATA_UPDATED = "x_data_updated"
"""Context column (flag): the card's data were corrected, or its holder was authenticated, after the
last attempt. Where it holds, codes that ask for other data no longer forbid an attempt."""

_WITH_OTHER_DATA = "; only with corrected data"
_AFTER = {
    Permission.NEVER: "; never again",
    Permission.WITH_NEW_DATA: _WITH_OTHER_DATA,
    Permission.WITHOUT_TOKEN: "; not with a network token",
    Permission.NOT_RECURRING: "; not for a payment that the merchant starts",
}


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What is allowed; made by :func:`load_rules`.

    Attributes
    ----------
    response, advice, limits
        the networks' tables.
    max_attempts
        the merchant's own limit: attempts of one payment, the first included.
    reasons
        the text of every reason, by reason code.
    """

    response: CodeTable
    advice: CodeTable
    limits: LimitTable
    max_attempts: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """Which actions the rules leave.

    Attributes
    ----------
    keep
        bool[m]; a decision may be left without any action where it has no ``stop``.
    reason
        int16[m], why the action was removed, as an index into ``reasons``; -1 where it was kept.
    reasons
        the text of every reason code.
    unknown_code
        bool[n], the previous attempt has a response or advice code that the tables do not know; it
        is then treated as a generic decline.
    """

    keep: BoolArray
    reason: ReasonArray
    reasons: tuple[str, ...]
    unknown_code: BoolArray


def load_rules(
    *,
    response_codes: Path = RESPONSE_CODES,
    advice_codes: Path = ADVICE_CODES,
    attempt_limits: Path = ATTEMPT_LIMITS,
    max_attempts: int = 15,
    on: date | None = None,
) -> Rules:
    """Read the code tables.

    Parameters
    ----------
    response_codes, advice_codes, attempt_limits
        CSV tables in the form of those that authopt ships.
    max_attempts
        the merchant's own limit of attempts per payment, the first included.
    on
        the day whose rules are wanted; by default the newest row of each.

    Raises
    ------
    UserError
        If a table cannot be read or holds a value that it may not, naming file, line and column.
    """
    if max_attempts < 1:
        raise UserError(f"max_attempts is {max_attempts}; expected at least 1")
    response = read_response_codes(response_codes, on)
    advice = read_advice_codes(advice_codes, on)
    limits = read_attempt_limits(attempt_limits, on)
    reasons = (
        f"merchant's limit: {max_attempts} attempts of one payment",
        *(f"{text}; no further attempt" for text in limits.text),
        *_texts(response, _response_endings(response)),
        *_texts(advice, _advice_endings(advice)),
    )
    return Rules(response, advice, limits, max_attempts, reasons)


def apply_rules(batch: DecisionBatch, rules: Rules | None = None) -> Allowed:
    """Say of every action whether the rules allow it.

    A first attempt is free whatever the previous codes say, and ``stop`` is always allowed. A later
    attempt is removed when

    - its number is above the merchant's limit, or above a network's while the payment's first
      attempt still lies in the network's window at the time of the attempt;
    - the previous response code is of the category ``never``, or ``data_quality`` without the
      column ``x_data_updated`` saying that the data were corrected;
    - the previous advice code forbids it, or asks for a longer wait than the seconds since the last
      attempt (0 where not known) plus the action's delay.

    The limits count the attempts of the payment, which is all that its context tells; attempts of
    other payments with the same card are not seen.

    Parameters
    ----------
    batch
        decisions; the columns read are ``network``, ``initiator``, ``token``,
        ``previous_response_code``, ``previous_advice_code``, ``seconds_since_first_attempt``,
        ``seconds_since_last_attempt`` and ``x_data_updated``, each of which may be absent.
    rules
        by default those of the tables that authopt ships.

    Returns
    -------
    Allowed
        When several rules forbid an action, the reason is the first in the order above.
    """
    rules = DEFAULT_RULES if rules is None else rules
    reason = np.full(batch.m, NO_REASON, np.int16)
    unknown_code = np.zeros(batch.n, np.bool_)
    later = np.flatnonzero(batch.attempt > 1)
    if len(later):
        subset = batch if len(later) == batch.n else batch.take(later)
        unknown_code[later], found = _reasons(subset, rules)
        reason[np.repeat(batch.attempt > 1, batch.counts)] = found
    reason[batch.is_stop] = NO_REASON
    return Allowed(reason == NO_REASON, reason, rules.reasons, unknown_code)


def _reasons(batch: DecisionBatch, rules: Rules) -> tuple[BoolArray, ReasonArray]:
    """Unknown codes (bool[n]) and reasons (int16[m]) of decisions beyond the first attempt."""
    response, advice, limits = rules.response, rules.advice, rules.limits
    first_limit = 1
    first_response = first_limit + len(limits.text)
    first_advice = first_response + len(response.text)
    of_decision = batch.decision_of_action

    updated = _numbers(batch, DATA_UPDATED) == 1
    response_code = _codes(batch, "previous_response_code", response)
    at = (_networks(batch, response.networks), response_code)
    category = response.meaning[at]
    barred = category == CATEGORIES.index(Category.NEVER)
    barred |= (category == CATEGORIES.index(Category.DATA_QUALITY)) & ~updated
    by_response = np.where(barred, first_response + response.row[at], NO_REASON)

    advice_code = _codes(batch, "previous_advice_code", advice)
    at = (_networks(batch, advice.networks), advice_code)
    permission = advice.meaning[at]
    barred = permission == PERMISSIONS.index(Permission.NEVER)
    barred |= (permission == PERMISSIONS.index(Permission.WITH_NEW_DATA)) & ~updated
    with_token = _numbers(batch, "token") != 0
    barred |= (permission == PERMISSIONS.index(Permission.WITHOUT_TOKEN)) & with_token
    recurring = _is(batch, "initiator", Initiator.MIT)
    barred |= (permission == PERMISSIONS.index(Permission.NOT_RECURRING)) & recurring
    advice_reason = first_advice + advice.row[at]
    by_advice = np.where(barred, advice_reason, NO_REASON)

    delay_s = batch.action_delay_s
    since_last = _known_seconds(batch, "seconds_since_last_attempt")
    too_early = since_last[of_decision] + delay_s < advice.wait_s[at][of_decision]
    found = np.where(too_early, advice_reason[of_decision], NO_REASON)
    found = np.where(by_advice[of_decision] >= 0, by_advice[of_decision], found)
    found = np.where(by_response[of_decision] >= 0, by_response[of_decision], found)

    since_first = _known_seconds(batch, "seconds_since_first_attempt")
    at_s = since_first[of_decision] + delay_s
    network = _networks(batch, limits.networks)
    for place in range(limits.attempts.shape[1]):
        above = batch.attempt > limits.attempts[network, place]
        within = at_s <= limits.window_s[network, place][of_decision]
        limit_reason = first_limit + limits.row[network, place]
        found = np.where(above[of_decision] & within, limit_reason[of_decision], found)
    found = np.where((batch.attempt > rules.max_attempts)[of_decision], 0, found)

    unknown = _unknown(batch, "previous_response_code", response_code)
    unknown |= _unknown(batch, "previous_advice_code", advice_code, advice.networks)
    return unknown, found.astype(np.int16)


def _texts(table: CodeTable, endings: dict[int, str]) -> Iterable[str]:
    return (f"{text}{endings.get(row, '')}" for row, text in enumerate(table.text))


def _response_endings(table: CodeTable) -> dict[int, str]:
    endings = {Category.NEVER: "; never again", Category.DATA_QUALITY: _WITH_OTHER_DATA}
    return {
        int(row): endings.get(CATEGORIES[meaning], "")
        for row, meaning in zip(table.row.flat, table.meaning.flat, strict=True)
    }


def _advice_endings(table: CodeTable) -> dict[int, str]:
    return {
        int(row): _AFTER.get(
            PERMISSIONS[meaning], f"; not before {wait_s} s after the last attempt"
        )
        for row, meaning, wait_s in zip(
            table.row.flat, table.meaning.flat, table.wait_s.flat, strict=True
        )
    }


def _numbers(batch: DecisionBatch, name: str) -> FloatArray:
    column = batch.context.get(name)
    return np.asarray(column, np.float64) if column is not None else np.full(batch.n, np.nan)


def _known_seconds(batch: DecisionBatch, name: str) -> FloatArray:
    seconds = _numbers(batch, name)
    return np.where(np.isnan(seconds), 0.0, seconds)


def _codes(batch: DecisionBatch, name: str, table: CodeTable) -> CodeArray:
    column = batch.context.get(name)
    missing = np.full(batch.n, -1, np.int32)
    return table.code_of(column) if isinstance(column, Categorical) else missing


def _networks(batch: DecisionBatch, networks: tuple[str, ...]) -> CodeArray:
    column = batch.context.get("network")
    missing = np.full(batch.n, -1, np.int32)
    return column.recode(networks) if isinstance(column, Categorical) else missing


def _is(batch: DecisionBatch, name: str, value: str) -> BoolArray:
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.zeros(batch.n, np.bool_)
    return np.asarray(column.recode((value,)) == 0)


def _unknown(
    batch: DecisionBatch, name: str, codes: CodeArray, networks: tuple[str, ...] | None = None
) -> BoolArray:
    """Where a value is there that the table does not know (on networks that have such codes)."""
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.zeros(batch.n, np.bool_)
    unknown = np.asarray((column.codes >= 0) & (codes < 0))
    return unknown if networks is None else unknown & (_networks(batch, networks) >= 0)


DEFAULT_RULES = load_rules()
