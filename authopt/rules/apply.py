"""Turn context and attempt history into a mask over actions, with a reason for every one removed.

The tables beside this module collect what processors publish about the networks' rules; they are a
starting point, not legal advice, and a merchant may bring its own (:func:`load_rules`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, DecisionBatch, IntArray
from authopt.payments import Initiator
from authopt.rules.merchant import merchant_reasons
from authopt.rules.rule_set import DEFAULT_RULES, NetworkRules, Rules, load_rules
from authopt.rules.standing import (
    Standing,
    broken_limit,
    counts_of_card,
    known_seconds,
    name_codes,
    number_column,
    standing,
)
from authopt.rules.tables import (
    CATEGORIES,
    NO_REASON,
    PERMISSIONS,
    Category,
    CodeTable,
    Permission,
)

__all__ = [
    "DATA_UPDATED",
    "DEFAULT_RULES",
    "Allowed",
    "NetworkRules",
    "ReasonArray",
    "Rules",
    "apply_rules",
    "load_rules",
]

ReasonArray = npt.NDArray[np.int16]

DATA_UPDATED = "x_data_updated"
"""Context column (flag): the card's data were corrected, or its holder was authenticated, after the
last attempt. Where it holds, codes that ask for other data no longer forbid an attempt."""

_NEVER = CATEGORIES.index(Category.NEVER)
_DATA_QUALITY = CATEGORIES.index(Category.DATA_QUALITY)

_BARRED = np.zeros((len(PERMISSIONS) + 1, 2, 2, 2), np.bool_)
"""Whether advice forbids any attempt: by permission (the last: unknown), whether the data were
corrected, whether a network token is used, and whether the merchant starts the payment."""
_BARRED[PERMISSIONS.index(Permission.NEVER)] = True
_BARRED[PERMISSIONS.index(Permission.WITH_NEW_DATA), 0] = True
_BARRED[PERMISSIONS.index(Permission.WITHOUT_TOKEN), :, 1] = True
_BARRED[PERMISSIONS.index(Permission.NOT_RECURRING), :, :, 1] = True


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
        bool[n], the previous attempt has a response or advice code that the newest tables do not
        know for its network. An unknown response code counts as a generic decline (so Visa has it:
        its category 4 is every code that is in none of the others). An unknown advice code, on a
        network that gives such advice, may say "never again": it forbids every further attempt.
    """

    keep: BoolArray
    reason: ReasonArray
    reasons: tuple[str, ...]
    unknown_code: BoolArray


def apply_rules(batch: DecisionBatch, rules: Rules | None = None) -> Allowed:
    """Say of every action whether the rules allow it.

    ``stop`` is always allowed. Any other action is removed when

    - its number is above a network's limit within the limit's window
      (:func:`authopt.rules.standing.broken_limit`);
    - the payment has been attempted, and the previous response code is of the category ``never``,
      or ``data_quality`` without the column ``x_data_updated`` saying that the data were corrected;
    - the payment has been attempted, and the previous advice code forbids it, or asks for a longer
      wait than the seconds since the last attempt (0 where not known) plus the action's delay, or
      is one that the tables do not know on a network that gives such advice;
    - a rule of the merchant forbids it (:func:`authopt.rules.merchant.merchant_reasons`).

    Each attempt is judged by the tables of the day on which it would be made.

    Parameters
    ----------
    batch
        decisions; the columns read are ``network``, ``merchant_country``, ``initiator``, ``token``,
        ``previous_response_code``, ``previous_advice_code``, ``seconds_since_first_attempt``,
        ``seconds_since_last_attempt``, ``card_declines_24h``, ``card_attempts_30d`` and
        ``x_data_updated``, each of which may be absent, and those that the merchant's rules name.
        Visa counts the attempts that the cardholder starts and those that the merchant starts
        apart: ``card_attempts_30d`` is about those of the payment's own initiator.
    rules
        by default those of the tables that authopt ships.

    Returns
    -------
    Allowed
        When several rules forbid an action, the reason is the first in the order above.
    """
    rules = DEFAULT_RULES if rules is None else rules
    found, unknown_code = _by_networks(batch, rules)
    found[batch.is_stop] = NO_REASON
    left = found < 0
    by_merchant = merchant_reasons(batch, rules.merchant, left=left)
    own = left & (by_merchant >= 0)
    reason = found.astype(np.int16)
    if own.any():
        first_of_merchant = len(rules.reasons) - len(rules.merchant.texts)
        reason[own] = first_of_merchant + by_merchant[own]
    return Allowed(reason < 0, reason, rules.reasons, unknown_code)


def _by_networks(batch: DecisionBatch, rules: Rules) -> tuple[IntArray, BoolArray]:
    """The network's rule that forbids each action (int64[m]; -1), and unknown codes (bool[n])."""
    later = batch.attempt > 1
    if not later.any() and not counts_of_card(batch):
        return np.full(batch.m, NO_REASON, np.int64), later
    newest = rules.networks.newest
    # The vocabularies of codes are the same in all periods.
    whole = standing(batch, newest)

    def judge(some: DecisionBatch, tables: NetworkRules) -> IntArray:
        return _reasons(some, whole if some is batch else standing(some, tables), tables)

    found = rules.networks.per_action(batch, judge)
    unknown = whole.has_response & (newest.response.row[whole.network, whole.response] < 0)
    if whole.has_advice.any():
        unadvised = newest.advice.row[whole.network, whole.advice] < 0
        unknown |= whole.has_advice & newest.advice.own[whole.network] & unadvised
    return found, unknown & later


def _reasons(batch: DecisionBatch, known: Standing, rules: NetworkRules) -> IntArray:
    """int64[m], the network's rule that forbids each action in one period; -1 where none does."""
    found = broken_limit(batch, known.network, rules.limits)
    of_codes, wait_s, waiting = reasons_by_codes(batch, known, rules)
    of_decision = batch.decision_of_action
    codes = of_codes[of_decision]
    if wait_s.any():
        since_last = known_seconds(batch, "seconds_since_last_attempt")
        early = (since_last - wait_s)[of_decision] + batch.action_delay_s < 0
        codes = np.where(early, waiting[of_decision], codes)
    return np.where(found >= 0, found, codes)


def reasons_by_codes(
    batch: DecisionBatch, known: Standing, rules: NetworkRules
) -> tuple[IntArray, IntArray, IntArray]:
    """What the codes of the previous attempts forbid in one period.

    Returns
    -------
    tuple
        int64[n] each: the rule that forbids any attempt, -1 where none does; the least wait from
        the last attempt, seconds; the rule that forbids an attempt before that.
    """
    first_response = len(rules.limits.text)
    by_response = _response_reason(batch, known, rules.response)
    of_codes = np.where(by_response >= 0, first_response + by_response, NO_REASON)
    later = batch.attempt > 1
    wait_s = waiting = np.zeros(batch.n, np.int64)
    if known.has_advice.any():
        first_advice = first_response + len(rules.response.text)
        by_advice = _advice_reason(batch, known, rules.advice)
        by_advice = np.where(by_advice >= 0, first_advice + by_advice, NO_REASON)
        of_codes = np.where(of_codes >= 0, of_codes, by_advice)
        at = known.network, known.advice
        wait_s = rules.advice.wait_s[at] * (later & (of_codes < 0))
        waiting = first_advice + rules.advice.row[at].astype(np.int64)
    if not later.all():
        of_codes = np.where(later, of_codes, NO_REASON)
    return of_codes, wait_s, waiting


def _response_reason(batch: DecisionBatch, known: Standing, table: CodeTable) -> IntArray:
    """int64[n], the line of the previous response code where it forbids any attempt."""
    at = known.network, known.response
    category = table.meaning[at]
    barred = category == _NEVER
    needs_data = category == _DATA_QUALITY
    if needs_data.any():
        barred |= needs_data & ~_updated(batch)
    return np.where(barred, table.row[at], NO_REASON)


def _advice_reason(batch: DecisionBatch, known: Standing, table: CodeTable) -> IntArray:
    """int64[n], the line of the previous advice code where it forbids any attempt.

    One beyond the last line stands for a code that the table does not know.
    """
    at = known.network, known.advice
    row = table.row[at]
    token = number_column(batch, "token")
    with_token = np.ones(batch.n, np.bool_) if token is None else token != 0
    barred = _BARRED[
        table.meaning[at],
        _updated(batch).view(np.int8),
        with_token.view(np.int8),
        _started_by_merchant(batch).view(np.int8),
    ]
    reason = np.where(barred, row, NO_REASON)
    unknown = known.has_advice & table.own[known.network] & (row < 0)
    return np.where(unknown, len(table.text), reason)


def _updated(batch: DecisionBatch) -> BoolArray:
    column = number_column(batch, DATA_UPDATED)
    return np.zeros(batch.n, np.bool_) if column is None else column == 1


def _started_by_merchant(batch: DecisionBatch) -> BoolArray:
    return name_codes(batch, "initiator", (Initiator.MIT,)) >= 0
