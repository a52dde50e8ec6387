"""What the networks would charge for an attempt that breaks their rules, and what they charged.

Two published fees are no matter of a single attempt and are left out: Visa's fee on category 3
declines beyond 25,000 in 30 days per card acceptor (www.checkout.com), which needs the acceptor's
total, and Mastercard's percentage for its advice in Asia-Pacific.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from authopt.batch import (
    BoolArray,
    Categorical,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
)
from authopt.payments import Initiator
from authopt.rules.fee_table import Event, FeeTable, Scope
from authopt.rules.rule_set import NetworkRules, Rules
from authopt.rules.standing import (
    broken_limit,
    code_column,
    name_codes,
    standing,
)
from authopt.rules.table_rows import NETWORKS
from authopt.rules.tables import CATEGORIES, NO_REASON, Category, positions

_NEVER = CATEGORIES.index(Category.NEVER)
_BREACHES = (Event.AFTER_ADVICE, Event.AFTER_NEVER, Event.ABOVE_LIMIT)
"""In the order in which they count where an attempt breaks several rules: it is charged once."""
_BIT = {event: 1 << place for place, event in enumerate(_BREACHES)}


@dataclass(frozen=True, slots=True, eq=False)
class Fees:
    """Fees of a number of attempts.

    Attributes
    ----------
    minor
        float64, minor units of the fee's own currency, not rounded (a fee may be a fraction of a
        cent); 0 where nothing is charged.
    currency
        of the fee; missing where nothing is charged.
    why
        int16, index into ``texts``; -1 where nothing is charged.
    texts
        one sentence per line of the table of fees.
    """

    minor: FloatArray
    currency: Categorical
    why: npt.NDArray[np.int16]
    texts: tuple[str, ...]


def attempt_fees(batch: DecisionBatch, rules: Rules) -> Fees:
    """What the network would charge for each action if it were taken nonetheless.

    An attempt that breaks several rules is charged once. Where the merchant's or the issuer's
    country is not known, the card counts as one from another region, which is the dearer. The
    networks do not say whether an approved excess attempt is charged; it is counted here.

    Parameters
    ----------
    batch
        n decisions, m actions; the columns read are those of
        :func:`authopt.rules.apply.apply_rules` that the networks' rules need, and
        ``issuer_country``.
    rules
        by the day of the attempt, as everywhere.

    Returns
    -------
    Fees
        Of length m.
    """
    breach = rules.networks.per_action(batch, _breaches)
    line = np.full(batch.m, NO_REASON, np.int64)
    for event in reversed(_BREACHES):
        of_event = rules.fees.per_action(batch, partial(_lines, event=event))
        charged = (breach & _BIT[event] > 0) & (of_event >= 0)
        line = np.where(charged, of_event, line)
    line[batch.is_stop] = NO_REASON
    return _fees(line, rules.fees.newest)


def logged_fees(batch: LoggedBatch, rules: Rules) -> Fees:
    """What the network would have charged for the attempts that were made; as attempt_fees.

    Parameters
    ----------
    batch
        n decisions.
    rules
        by the day of the attempt.

    Returns
    -------
    Fees
        Of length n.
    """
    return attempt_fees(_as_chosen(batch), rules)


def advice_fees(batch: LoggedBatch, rules: Rules) -> Fees:
    """What the network charged for the advice that came with the answers, whatever was made of it.

    Mastercard's Authorization Optimizer sends such advice to recurring payments that are declined
    for insufficient funds. The fee comes on top of those of :func:`logged_fees`; its currency may
    be another.

    Parameters
    ----------
    batch
        n decisions; a payment whose initiator is not known counts as the merchant's.
    rules
        by the day of the attempt.

    Returns
    -------
    Fees
        Of length n; nothing is charged where the log has no ``advice_code``.
    """
    chosen = _as_chosen(batch)
    advised = batch.outcome.get("advice_code")
    if not isinstance(advised, Categorical):
        return _fees(np.full(batch.n, NO_REASON, np.int64), rules.fees.newest)
    answered = replace(chosen, context={**chosen.context, "previous_advice_code": advised})
    judge = partial(_lines, event=Event.WITH_ADVICE)
    line = rules.fees.per_action(answered, judge)
    line[_started_by_cardholder(answered) | answered.is_stop] = NO_REASON
    return _fees(line, rules.fees.newest)


def _breaches(batch: DecisionBatch, rules: NetworkRules) -> IntArray:
    """int64[m], the bits of the rules that each action would break."""
    known = standing(batch, rules)
    later = batch.attempt > 1
    never = later & (rules.response.meaning[known.network, known.response] == _NEVER)
    of_payment = np.where(later, _BIT[Event.AFTER_ADVICE], 0)
    of_payment = of_payment + np.where(never, _BIT[Event.AFTER_NEVER], 0)
    above = broken_limit(batch, known.network, rules.limits) >= 0
    return of_payment[batch.decision_of_action] + np.where(above, _BIT[Event.ABOVE_LIMIT], 0)


def _lines(batch: DecisionBatch, table: FeeTable, event: Event) -> IntArray:
    """int64[m], the line that says what an event costs; -1 where the table has none."""
    network = name_codes(batch, "network", NETWORKS)
    line = np.full(batch.n, NO_REASON, np.int64)
    for rule in table.rules:
        if event in rule.events:
            concerned = rule.networks[network] & _in_scope(batch, table, rule.scope)
            if rule.countries:
                concerned &= name_codes(batch, "merchant_country", rule.countries) >= 0
            if event in (Event.AFTER_ADVICE, Event.WITH_ADVICE):
                concerned &= code_column(batch, "previous_advice_code", rule.advice_codes) >= 0
            line[concerned] = rule.number
    return line[batch.decision_of_action]


def _in_scope(batch: DecisionBatch, table: FeeTable, scope: Scope) -> BoolArray:
    """bool[n], the card is from where the scope says; what is not known is far away."""
    if scope is Scope.ANY:
        return np.ones(batch.n, np.bool_)
    columns = [batch.context.get(name) for name in ("issuer_country", "merchant_country")]
    codes = []
    for column in columns:
        if not isinstance(column, Categorical):
            return np.full(batch.n, scope is not Scope.DOMESTIC)
        names = column.categories
        if scope is Scope.INTERREGIONAL:
            names = tuple(table.region_of.get(name, name) for name in names)
        codes.append((column.codes, names))
    (issuer, of_issuer), (merchant, of_merchant) = codes
    same = (
        positions(of_merchant, of_issuer)[issuer] == positions(of_merchant, of_merchant)[merchant]
    )
    same &= (issuer >= 0) & (merchant >= 0)
    return np.asarray(same if scope is Scope.DOMESTIC else ~same)


def _started_by_cardholder(batch: DecisionBatch) -> BoolArray:
    return name_codes(batch, "initiator", (Initiator.CIT,)) >= 0


def _as_chosen(batch: LoggedBatch) -> DecisionBatch:
    """The decisions with the action taken as their only one."""
    chosen = batch.chosen_action
    return replace(
        batch.decisions(),
        action_route=batch.action_route[chosen],
        action_delay_s=batch.action_delay_s[chosen],
        offsets=np.arange(batch.n + 1, dtype=np.int64),
        action_features={},
    )


def _fees(line: IntArray, table: FeeTable) -> Fees:
    """Fees by the lines of the table; -1 for none."""
    currencies = tuple(dict.fromkeys(table.currency))
    of_line = [currencies.index(name) for name in table.currency]
    return Fees(
        minor=np.array([*table.minor, 0.0])[line],
        currency=Categorical(np.array([*of_line, -1], np.int32)[line], currencies),
        why=line.astype(np.int16),
        texts=table.text,
    )
