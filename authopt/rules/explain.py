"""What may be done with one payment, why not, from when on, and what it would cost nonetheless."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from authopt.actions import MAX_DELAY_S, STOP_ROUTE
from authopt.batch import BoolArray, CodeArray, DecisionBatch, IntArray, take_column, utc_datetime
from authopt.rules.apply import apply_rules
from authopt.rules.fees import attempt_fees
from authopt.rules.rule_set import Rules

HOUR_S = 3_600
MINUTE_S = 60
_FINE_S = 48 * HOUR_S
_GRID = np.concatenate(
    [
        np.arange(0, _FINE_S, MINUTE_S, dtype=np.int64),
        np.arange(_FINE_S, MAX_DELAY_S + 1, HOUR_S, dtype=np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class ExplainedAction:
    """One action.

    Attributes
    ----------
    route, delay_s
        the action.
    allowed
        whether the rules leave it.
    reason
        why not.
    allowed_after_s
        the shortest delay, at least its own, after which its route is allowed; None where there is
        none within the longest delay that an action may have, or the action is allowed as it is.
    allowed_at
        that moment, UTC.
    fee_minor, fee_currency, fee_reason
        what the network would charge if the attempt were sent nonetheless, in minor units of the
        fee's own currency (0 and None where nothing).
    """

    route: str
    delay_s: int
    allowed: bool
    reason: str | None
    allowed_after_s: int | None
    allowed_at: datetime | None
    fee_minor: float
    fee_currency: str | None
    fee_reason: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision.

    Attributes
    ----------
    decision_id, payment_id, attempt, decided_at
        which one.
    actions
        all that were offered, in their order.
    given_up
        nothing is left but ``stop``, or nothing at all (``stop`` is then added).
    unknown_code
        the previous attempt has a code that the tables do not know.
    """

    decision_id: str
    payment_id: str
    attempt: int
    decided_at: datetime | None
    actions: tuple[ExplainedAction, ...]
    given_up: bool
    unknown_code: bool


def explain(batch: DecisionBatch, rules: Rules) -> Explanation:
    """Explain a batch of one decision.

    When an action becomes allowed is searched minute by minute for two days and hour by hour
    after, then to the second; a shorter spell between two such points is not seen.

    Raises
    ------
    ValueError
        If the batch does not hold exactly one decision.
    """
    if batch.n != 1:
        raise ValueError(f"{batch.n} decisions; expected one")
    allowed = apply_rules(batch, rules)
    fees = attempt_fees(batch, rules)
    after = _allowed_after(batch, allowed.keep, rules)
    currencies = fees.currency.values()
    actions = tuple(
        ExplainedAction(
            route=action.route,
            delay_s=action.delay_s,
            allowed=bool(allowed.keep[at]),
            reason=None if allowed.keep[at] else allowed.reasons[allowed.reason[at]],
            allowed_after_s=after.get(at),
            allowed_at=_moment(batch, after.get(at)),
            fee_minor=float(fees.minor[at]),
            fee_currency=currencies[at],
            fee_reason=fees.texts[fees.why[at]] if fees.why[at] >= 0 else None,
        )
        for at, action in enumerate(batch.actions(0))
    )
    return Explanation(
        decision_id=batch.decision_id[0].as_py(),
        payment_id=batch.payment_id[0].as_py(),
        attempt=int(batch.attempt[0]),
        decided_at=utc_datetime(batch.decided_at[0]),
        actions=actions,
        given_up=not any(each.allowed and each.route != STOP_ROUTE for each in actions),
        unknown_code=bool(allowed.unknown_code[0]),
    )


def _moment(batch: DecisionBatch, delay_s: int | None) -> datetime | None:
    if delay_s is None:
        return None
    return utc_datetime(batch.decided_at[0] + np.timedelta64(delay_s, "s"))


def _allowed_after(batch: DecisionBatch, keep: BoolArray, rules: Rules) -> dict[int, int]:
    """The shortest delay, not below its own, at which each removed action's route is allowed."""
    removed = np.flatnonzero(~keep)
    if not len(removed):
        return {}
    own = batch.action_delay_s[removed]
    delays = own[:, None] + _GRID
    possible = delays <= MAX_DELAY_S
    at = np.repeat(removed, len(_GRID)).reshape(delays.shape)
    allowed = np.zeros(delays.shape, np.bool_)
    allowed[possible] = _allowed_with(batch, at[possible], delays[possible], rules)
    found = allowed.any(axis=1)
    removed, delays, allowed = removed[found], delays[found], allowed[found]
    first = allowed.argmax(axis=1)
    rows = np.arange(len(removed))
    low, high = delays[rows, np.maximum(first - 1, 0)], delays[rows, first]
    while (high - low > 1).any():
        middle = (low + high) // 2
        works = _allowed_with(batch, removed, middle, rules)
        low, high = np.where(works, low, middle), np.where(works, middle, high)
    return dict(zip(removed.tolist(), high.tolist(), strict=True))


def _allowed_with(
    batch: DecisionBatch, actions: IntArray, delays: IntArray, rules: Rules
) -> BoolArray:
    """bool[actions], whether actions of the one decision would be allowed with other delays.

    They are judged beside all that the decision offers, because a promise of volume looks at it.
    """
    rows = np.concatenate([np.arange(batch.m, dtype=np.int64), actions])
    route: CodeArray = batch.action_route[rows]
    more = replace(
        batch,
        action_route=route,
        action_delay_s=np.concatenate([batch.action_delay_s, delays]),
        offsets=np.array([0, len(rows)], np.int64),
        action_features={
            name: take_column(column, rows) for name, column in batch.action_features.items()
        },
    )
    return apply_rules(more, rules).keep[batch.m :]
