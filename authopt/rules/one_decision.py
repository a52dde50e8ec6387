"""The rules for one decision: what ``authopt.rules.apply`` says, without its arrays.

A live decision is a batch of one, and setting the arrays up takes longer than all else. What codes
forbid is found by the general code once, and remembered.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, Column, DecisionBatch
from authopt.payments import Initiator
from authopt.rules.apply import DATA_UPDATED, apply_rules, reasons_by_codes
from authopt.rules.merchant import MerchantRules, merchant_reasons
from authopt.rules.rule_set import Rules
from authopt.rules.standing import standing
from authopt.rules.tables import NO_REASON

_COUNTS_OF_CARD = ("card_declines_24h", "card_attempts_30d")

_MOST_REMEMBERED = 1 << 14
"""Codes come from outside; what is remembered of them must not grow for ever."""


@dataclass(frozen=True, slots=True)
class _ByCodes:
    """What the previous codes forbid: any attempt (-1: not), and attempts before a wait is over."""

    any_attempt: int
    wait_s: int
    too_early: int


@dataclass(frozen=True, slots=True, eq=False)
class _Networks:
    """When each period of the networks' tables starts (us), and what is remembered of codes."""

    starts: list[int]
    by_codes: dict[tuple[object, ...], _ByCodes] = field(default_factory=dict)


def reasons_of_one(batch: DecisionBatch, rules: Rules) -> list[int]:
    """Why the rules forbid each action of a batch of one: ``Allowed.reason``, as a list.

    Where the day of the attempt differs between the actions, or a network's limit may be reached,
    :func:`authopt.rules.apply.apply_rules` is asked.
    """
    reasons = _by_networks(batch, rules)
    if reasons is None:
        return [int(reason) for reason in apply_rules(batch, rules).reason.tolist()]
    if reasons.count(NO_REASON) < len(reasons) and STOP_ROUTE in batch.routes:
        stop, taken = batch.routes.index(STOP_ROUTE), batch.action_route.tolist()
        reasons = [
            NO_REASON if route == stop else reason
            for reason, route in zip(reasons, taken, strict=True)
        ]
    if _plainly_allows(rules.merchant, batch):
        return reasons
    left = np.array([reason == NO_REASON for reason in reasons], np.bool_)
    own = merchant_reasons(batch, rules.merchant, left=left).tolist()
    first = len(rules.reasons) - len(rules.merchant.texts)
    return [
        first + of_merchant if reason == NO_REASON and of_merchant >= 0 else reason
        for reason, of_merchant in zip(reasons, own, strict=True)
    ]


def _plainly_allows(rules: MerchantRules, batch: DecisionBatch) -> bool:
    return (
        not rules.rules
        and not rules.promises
        and batch.attempt.item(0) <= rules.max_attempts
        and not (rules.deadline and "seconds_to_deadline" in batch.context)
    )


def _by_networks(batch: DecisionBatch, rules: Rules) -> list[int] | None:
    """The network's rule that forbids each action, -1 where none does; None: not told here."""
    context, attempt, delays = batch.context, batch.attempt.item(0), batch.action_delay_s.tolist()
    counts = [_number(context, name) for name in _COUNTS_OF_CARD if name in context]
    allowed = [NO_REASON] * len(delays)
    if attempt <= 1 and not counts:
        return allowed
    known = _networks(rules)
    at = batch.decided_at.view(np.int64).item(0)
    period = bisect_right(known.starts, at) - 1
    if bisect_right(known.starts, at + max(delays) * 1_000_000) - 1 != period:
        return None
    least = rules.networks.values[period].limits.least
    if attempt > least or any(count >= least for count in counts):
        return None
    if attempt <= 1:
        return allowed
    forbidden = _by_codes(batch, rules, known, period)
    if forbidden.any_attempt != NO_REASON:
        return [forbidden.any_attempt] * len(delays)
    if not forbidden.wait_s:
        return allowed
    since = _number(context, "seconds_since_last_attempt")
    waited = (0.0 if since != since else since) - forbidden.wait_s
    return [forbidden.too_early if waited + delay < 0 else NO_REASON for delay in delays]


def _by_codes(batch: DecisionBatch, rules: Rules, known: _Networks, period: int) -> _ByCodes:
    context = batch.context
    key = (
        period,
        _name(context, "previous_response_code"),
        _name(context, "previous_advice_code"),
        _name(context, "network"),
        _name(context, "initiator") == Initiator.MIT,
        _number(context, "token") != 0,
        _number(context, DATA_UPDATED) == 1,
    )
    found = known.by_codes.get(key)
    if found is None:
        tables = rules.networks.values[period]
        answers = reasons_by_codes(batch, standing(batch, tables), tables)
        found = _ByCodes(*(int(answer[0]) for answer in answers))
        if len(known.by_codes) >= _MOST_REMEMBERED:
            known.by_codes.clear()
        known.by_codes[key] = found
    return found


@lru_cache(maxsize=8)
def _networks(rules: Rules) -> _Networks:
    return _Networks(rules.networks.starts.astype("M8[us]").view(np.int64).tolist())


def _name(context: Mapping[str, Column], name: str) -> str | None:
    column = context.get(name)
    if isinstance(column, Categorical) and (code := column.codes.item(0)) >= 0:
        return column.categories[code]
    return None


def _number(context: Mapping[str, Column], name: str) -> float:
    column = context.get(name)
    if column is None:
        return math.nan
    return float(np.asarray(column, np.float64).item(0))
