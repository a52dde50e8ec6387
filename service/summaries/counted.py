"""What a decision adds to the sums, by what was known of it up to some row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from authopt.actions import STOP_ROUTE
from service.api.forms import OutcomeRequest
from service.store.joining import JoinRules, joined
from service.store.reading_on import Ends
from service.summaries.cuts import LONGEST_VALUE, Span
from service.summaries.histories import History, Touched
from service.summaries.sums import NAMES

# So that no sum of them leaves 64 bits, however wrong the amounts are.
_MOST_MINOR = 10**13
_MILLION = 1_000_000
_MINUTE_US = Span.MINUTE.us
_RULES = JoinRules()
_NOTHING = OutcomeRequest("none")
_APPROVED = NAMES.index("approved")
_PAYMENTS = NAMES.index("payments")
_PAID = NAMES.index("payments_paid")


class _Context(msgspec.Struct, frozen=True, gc=False):
    issuer: str | None = None
    issuer_country: str | None = None
    network: str | None = None
    merchant_id: str | None = None
    currency: str | None = None
    amount_minor: int | None = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    context: _Context = _Context()


_REQUEST = msgspec.json.Decoder(_Request)


class Counted(NamedTuple):
    """What one decision adds.

    Attributes
    ----------
    minute_us
        start of the minute in which it was decided.
    route
        that was taken.
    values
        of the cuts, in the order of ``VALUED``; empty where missing.
    sums
        as in :class:`service.summaries.sums.Sums`, in its order.
    """

    minute_us: int
    route: str
    values: tuple[str, ...]
    sums: tuple[int, ...]


def counted_by(touched: Touched, ends: Ends) -> dict[int, Counted]:
    """By the number of the decision: what it adds, by what was read up to there."""
    counted = {
        number: _alone(each, ends)
        for number, each in touched.histories.items()
        if each.counts_by(ends)
    }
    for numbers in touched.together:
        there = [each for each in numbers if each in counted]
        first = _first(touched, there)
        if first is not None:
            was_paid = any(counted[each].sums[_APPROVED] for each in there)
            counted[first] = _with_payment(counted[first], was_paid)
    return counted


def _first(touched: Touched, numbers: Sequence[int]) -> int | None:
    """The first attempt of a payment; None where it is not on record."""
    for number in numbers:
        if touched.histories[number].row.attempt == 1:
            return number
    return None


def _with_payment(counted: Counted, was_paid: bool) -> Counted:
    sums = list(counted.sums)
    sums[_PAYMENTS], sums[_PAID] = 1, int(was_paid)
    return counted._replace(sums=tuple(sums))


def _alone(history: History, ends: Ends) -> Counted:
    row = history.row
    route, delay_s, propensity = row.route, row.delay_s, row.propensity
    if row.deferred:
        act = history.act
        if act.propensity is not None:
            propensity = act.propensity
        elif (act.route, act.delay_s) != (route, delay_s):
            propensity = 0.0
        route, delay_s = act.route, act.delay_s
    told = [each for number, each in history.told if number <= ends.outcomes]
    due_us = row.decided_at_us + delay_s * _MILLION
    came = joined(row.decision_id, due_us, told, _RULES, due_us).outcome or _NOTHING
    context = _REQUEST.decode(row.request).context
    is_attempt = route != STOP_ROUTE
    is_answered = is_attempt and came.approved is not None
    is_approved = is_attempt and came.approved is True
    is_first = row.attempt == 1
    was_charged_back = is_approved and came.charged_back is True
    amount = _money(context.amount_minor) if is_approved else 0
    refunded = _money(came.refunded_minor) if is_approved else 0
    return Counted(
        row.decided_at_us - row.decided_at_us % _MINUTE_US,
        route,
        (
            _value(context.issuer),
            _value(context.issuer_country),
            _value(context.network),
            str(row.attempt),
            _value(context.merchant_id),
            _value(context.currency),
            _value(row.policy),
            "" if row.arm is None else _value(f"{row.experiment}/{row.arm}"),
            _value(came.response_code),
            _value(row.fallback),
        ),
        (
            1,
            int(is_attempt),
            int(is_answered),
            int(is_approved),
            int(is_answered and is_first),
            int(is_approved and is_first),
            0,
            0,
            int(row.fallback is not None),
            int(was_charged_back),
            round(propensity * _MILLION),
            amount,
            max(amount, refunded) if was_charged_back else refunded,
            _money(came.fee_minor),
        ),
    )


def _money(minor: int | None) -> int:
    return 0 if minor is None else max(-_MOST_MINOR, min(_MOST_MINOR, minor))


def _value(text: str | None) -> str:
    return "" if text is None else text[:LONGEST_VALUE]
