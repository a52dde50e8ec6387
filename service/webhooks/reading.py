"""From a provider's events to outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from authopt.card_numbers import contains_card_number
from service.api.forms import OutcomeRequest
from service.webhooks.shape import FIRST_WORD, PSP_CODE, EventRule, Shape

NO_RULE = "says nothing of an outcome"
NO_DECISION = "holds no decision id"
UNSOUND = "cannot be an outcome"
CARD_NUMBER = "holds what looks like a card number"

_MOMENTS = frozenset({"outcome_at", "corrected_at"})
_TEXTS = frozenset({"response_code", "advice_code", PSP_CODE})
_LATEST_S = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event from which no outcome follows, and why; ``at`` is its place in the body."""

    at: int
    reason: str


def events_of(body: Any, shape: Shape) -> Iterator[Mapping[str, Any]]:
    """The events of a body, in their order; what is none of them is an empty one."""
    entries = [body] if shape.items is None else found(body, shape.items)
    for entry in entries if isinstance(entries, list) else []:
        event = entry if shape.item is None else found(entry, shape.item)
        yield event if isinstance(event, Mapping) else {}


def read_event(event: Mapping[str, Any], shape: Shape, at: int) -> OutcomeRequest | Ignored:
    """The outcome that an event tells, or why it tells none."""
    rule = next((each for each in shape.rule if _holds(each, event)), None)
    if rule is None:
        return Ignored(at, NO_RULE)
    ids = (found(event, path) for path in shape.decision_id)
    decision_id = next((each for each in ids if isinstance(each, str) and each), None)
    if decision_id is None:
        return Ignored(at, NO_DECISION)
    values = _values(rule, event, shape) | {"decision_id": decision_id}
    if any(contains_card_number(str(value)) for value in values.values()):
        return Ignored(at, CARD_NUMBER)
    try:
        outcome = msgspec.convert(values, OutcomeRequest)
    except msgspec.ValidationError as error:
        return Ignored(at, f"{UNSOUND}: {error}")
    if outcome == OutcomeRequest(decision_id):
        return Ignored(at, NO_RULE)
    return outcome


def found(value: Any, path: str) -> Any:
    """What stands at a path; None where nothing does."""
    if not path:
        return value
    if not isinstance(value, Mapping):
        return None
    steps = path.split(".")
    for end in range(len(steps), 0, -1):
        key = ".".join(steps[:end])
        if key in value:
            return found(value[key], ".".join(steps[end:]))
    return None


def _holds(rule: EventRule, event: Mapping[str, Any]) -> bool:
    return all(_text(found(event, path)) in values for path, values in rule.when.items())


def _values(rule: EventRule, event: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The fields of the outcome, but for the decision's id; what is missing is left out."""
    values: dict[str, Any] = dict(rule.set)
    for name, taken in rule.take.items():
        path, _, how = taken.partition("|")
        value = found(event, path.strip())
        if how.strip() == FIRST_WORD:
            value = next(iter(_text(value).split()), None)
        if value is None or value == "":
            continue
        if name in _MOMENTS:
            value = _moment(value)
        elif name in _TEXTS:
            value = _text(value)
        values[name] = value
    code = values.pop(PSP_CODE, None)
    if code is not None and "response_code" not in values:
        table = shape.psp
        known = None if table is None else table.find(code)
        if known is not None:
            values["response_code"] = known.response_code
            if known.advice_code is not None:
                values.setdefault("advice_code", known.advice_code)
    return values


def _moment(value: Any) -> Any:
    """Seconds since 1970, or text with a time zone, which the form checks."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST_S:
        return datetime.fromtimestamp(value, UTC)
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
