"""One decision to be explained: from plain values, a request to the service, or a log."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.actions import MAX_DELAY_S, STOP, STOP_ROUTE, Action
from authopt.batch import Categorical, Column, DecisionBatch
from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX, Field, Kind
from authopt.prices.currencies import decimals_of

Value = str | float | bool


class _Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    route: str
    delay_s: int = 0
    features: dict[str, str | float | bool | None] = {}


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request to ``POST /v1/decisions``."""

    payment_id: str
    attempt: int
    decision_id: str | None = None
    decided_at: datetime | None = None
    context: dict[str, Any] = {}
    actions: list[_Action] | None = None


def one_decision(
    context: Mapping[str, Value | None],
    actions: Sequence[Action],
    attempt: int,
    decided_at: datetime,
    *,
    ids: tuple[str, str] = ("", ""),
    features: Mapping[str, Column] | None = None,
) -> DecisionBatch:
    """A batch of one.

    Parameters
    ----------
    context
        values by column (``payments.CONTEXT_FIELDS`` and own ones, ``x_...``); None is not known.
    actions
        what is offered, each once.
    attempt
        from 1.
    decided_at
        with its zone.
    ids
        of the decision and the payment.
    features
        columns of the actions.

    Raises
    ------
    UserError
        If a column is not known or has a value that it may not have.
    """
    if attempt < 1:
        raise UserError(f"attempt is {attempt}; expected at least 1")
    if not actions or len(set(actions)) < len(actions):
        raise UserError("expected one or more actions, each once")
    routes = Categorical.from_values(action.route for action in actions)
    return DecisionBatch(
        decision_id=pa.array([ids[0]], pa.string()),
        payment_id=pa.array([ids[1]], pa.string()),
        attempt=np.array([attempt], np.int32),
        decided_at=np.array([decided_at.astimezone(UTC).replace(tzinfo=None)], "M8[us]"),
        context={
            name: _column(name, value) for name, value in context.items() if value is not None
        },
        routes=routes.categories,
        action_route=routes.codes,
        action_delay_s=np.array([action.delay_s for action in actions], np.int64),
        offsets=np.array([0, len(actions)], np.int64),
        action_features=features or {},
    )


def offered(routes: Sequence[str], delays: Sequence[int]) -> list[Action]:
    """Every route after every delay, and ``stop``."""
    for delay in delays:
        if not 0 <= delay <= MAX_DELAY_S:
            raise UserError(f"a delay of {delay} s is out of range; expected 0 to {MAX_DELAY_S} s")
    named = [route for route in dict.fromkeys(routes) if route != STOP_ROUTE]
    return [*(Action(route, delay) for route in named for delay in dict.fromkeys(delays)), STOP]


def from_request(path: Path, offer: Sequence[Action]) -> DecisionBatch:
    """The decision that a request asks for.

    Parameters
    ----------
    path
        a JSON file with the body of a ``POST /v1/decisions``.
    offer
        the actions of a request that names none.

    Raises
    ------
    UserError
        If the file cannot be read or is no such request, naming the field.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if contains_card_number(body.decode("utf-8", "replace")):
        raise UserError(f"{path}: holds what looks like a card number; leave it out")
    try:
        asked = msgspec.json.decode(body, type=_Request)
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: no request of a decision: {error}") from error
    moment = asked.decided_at or datetime.now(UTC)
    if moment.tzinfo is None:
        raise UserError(f"{path}: decided_at has no zone; expected such as 2026-03-01T12:00:00Z")
    requested = asked.actions or []
    try:
        return one_decision(
            asked.context,
            [Action(each.route, each.delay_s) for each in requested] or offer,
            asked.attempt,
            moment,
            ids=(asked.decision_id or "", asked.payment_id),
            features=_features(requested),
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def from_log(path: Path, decision_id: str) -> DecisionBatch:
    """One decision of an attempt log, with the actions that were eligible then.

    Raises
    ------
    UserError
        If the log cannot be read, or has no such decision.
    """
    from authopt.logs.files import open_log
    from authopt.logs.rejects import Rejects

    with Rejects() as rejects:
        for batch in open_log(path).batches(rejects=rejects):
            row = pc.index(batch.decision_id, decision_id).as_py()
            if row >= 0:
                return batch.decisions().take(slice(row, row + 1))
        lost = f"; {rejects.count:,} of its rows cannot be used" if rejects.count else ""
    raise UserError(f"{path}: has no decision {decision_id!r}{lost}")


def minor_units(amount: Decimal, currency: str) -> int:
    """An amount in whole units of a currency, in minor units.

    Raises
    ------
    UserError
        If the currency is not known, or has fewer decimals than the amount.
    """
    decimals = decimals_of(currency)
    if decimals is None:
        raise UserError(f"{currency!r} is no ISO 4217 currency such as EUR")
    minor = amount.scaleb(decimals)
    if minor != minor.to_integral_value() or minor < 0:
        raise UserError(
            f"an amount of {amount} {currency}; expected at least 0, with at most {decimals} "
            "decimals"
        )
    return int(minor)


def read_value(name: str, text: str) -> Value:
    """A value of a context column from text, as its kind asks.

    Raises
    ------
    UserError
        If the text is no such value.
    """
    known = CONTEXT_BY_NAME.get(name)
    if known is not None and known.kind in (Kind.CATEGORY, Kind.REFERENCE):
        return text
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        if known is None:
            return text
    expected = "true or false" if known.kind is Kind.FLAG else "a number"
    raise UserError(f"{name} is {text!r}; expected {expected}")


def _column(name: str, value: Any) -> Column:
    known = CONTEXT_BY_NAME.get(name)
    if known is None and not name.startswith(CUSTOM_PREFIX):
        near = difflib.get_close_matches(name, CONTEXT_BY_NAME, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UserError(
            f"{name!r} is no column of the context{hint} Your own start with {CUSTOM_PREFIX}"
        )
    if isinstance(value, str) and contains_card_number(value):
        raise UserError(f"{name} looks like a card number; leave it out")
    if known is not None:
        _check(known, value)
    if known is not None and known.kind is Kind.REFERENCE:
        return pa.array([value], pa.string())
    if isinstance(value, str):
        return Categorical.from_values([value])
    if not isinstance(value, bool | int | float):
        raise UserError(f"{name} is {value!r}; expected a text, a number, true or false")
    return np.array([value], np.float64)


def _check(known: Field, value: Any) -> None:
    from authopt.logs.value_checks import PATTERNS, RANGES

    if known.kind in (Kind.CATEGORY, Kind.REFERENCE):
        if not isinstance(value, str) or not value:
            raise UserError(f"{known.name} is {value!r}; expected a text")
        if known.values is not None and value not in known.values:
            raise UserError(
                f"{known.name} is {value!r}; expected one of {', '.join(map(str, known.values))}"
            )
        form = PATTERNS.get(known.name)
        if form is not None and not form[0].fullmatch(value):
            raise UserError(f"{known.name} is {value!r}; {form[1]}")
        return
    if known.kind is Kind.FLAG:
        if value not in (True, False):
            raise UserError(f"{known.name} is {value!r}; expected true or false")
        return
    low, high = RANGES.get(known.name, (None, None))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise UserError(f"{known.name} is {value!r}; expected a number")
    if known.kind is Kind.INTEGER and not float(value).is_integer():
        raise UserError(f"{known.name} is {value!r}; expected a whole number")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"{low} to {high}"
        raise UserError(f"{known.name} is {value}; expected {bounds}")


def _features(actions: Sequence[_Action]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(name for action in actions for name in action.features):
        values = [action.features.get(name) for action in actions]
        if any(isinstance(value, str) for value in values):
            columns[name] = Categorical.from_values(
                None if value is None else str(value) for value in values
            )
        else:
            columns[name] = np.array(
                [np.nan if value is None else value for value in values], np.float64
            )
    return columns


def with_actions(batch: DecisionBatch, actions: Sequence[Action]) -> DecisionBatch:
    """A decision with other actions than it was offered, which have no features."""
    routes = Categorical.from_values(action.route for action in actions)
    return replace(
        batch,
        routes=routes.categories,
        action_route=routes.codes,
        action_delay_s=np.array([action.delay_s for action in actions], np.int64),
        offsets=np.array([0, len(actions)], np.int64),
        action_features={},
    )
