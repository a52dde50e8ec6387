"""One event of a dsjson file as one row of the attempt log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from authopt.logs.schema import ELIGIBLE_PREFIX
from authopt.payments import CUSTOM_PREFIX

Row = dict[str, Any]
"""Values by column; columns that are missing are null. Times are text."""


class EventError(Exception):
    """An event that is no row of an attempt log: the key at fault, its value, and the reason."""

    def __init__(self, key: str, value: Any, reason: str) -> None:
        super().__init__(reason)
        self.key, self.value, self.reason = key, value, reason


class OwnHeading(msgspec.Struct, frozen=True):
    """What the first event that authopt writes says of the file."""

    heading: str
    columns: list[str]


class Own(msgspec.Struct, frozen=True, omit_defaults=True):
    """What dsjson has no place for; VW ignores the key ``_authopt`` that holds it."""

    payment_id: str
    attempt: int
    values: dict[str, Any]
    propensity: float | None = None
    file: OwnHeading | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """The keys of a dsjson event that mean something to an attempt log."""

    label_cost: float | None = msgspec.field(default=None, name="_label_cost")
    label_probability: float | None = msgspec.field(default=None, name="_label_probability")
    label_action: int | None = msgspec.field(default=None, name="_label_Action")
    label_index: int | None = msgspec.field(default=None, name="_labelIndex")
    skip_learn: bool | None = msgspec.field(default=None, name="_skipLearn")
    original_cost: float | None = msgspec.field(default=None, name="_original_label_cost")
    observations: list[dict[str, Any]] | None = msgspec.field(default=None, name="o")
    timestamp: str | None = msgspec.field(default=None, name="Timestamp")
    version: str | None = msgspec.field(default=None, name="Version")
    event_id: str | None = msgspec.field(default=None, name="EventId")
    ranking: list[int] | None = msgspec.field(default=None, name="a")
    context: dict[str, Any] | None = msgspec.field(default=None, name="c")
    pmf: list[float] | None = msgspec.field(default=None, name="p")
    dropped: float | None = msgspec.field(default=None, name="pdrop")
    deferred: bool | None = msgspec.field(default=None, name="DeferredAction")
    slots: Any = msgspec.field(default=None, name="_outcomes")
    own: Own | None = msgspec.field(default=None, name="_authopt")


_DECODER = msgspec.json.Decoder(Event)


def decode_event(line: bytes) -> Event:
    """An event out of one line.

    Raises
    ------
    EventError
        If the line is no JSON object, or a key holds a value of another type.
    """
    try:
        return _DECODER.decode(line)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        key = path.strip("`").removeprefix("$.")
        raise EventError(key, line.decode(errors="replace"), reason) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "is not one JSON object in UTF-8"
        raise EventError("", line.decode(errors="replace"), reason) from error


def row_of(event: Event, line_number: int) -> Row:
    """The event as a row of the attempt log, as the docstring of ``dsjson_files`` says.

    Raises
    ------
    EventError
        If the event lacks something or contradicts itself.
    """
    if event.event_id is None:
        raise EventError("EventId", None, "is missing")
    if event.slots is not None:
        raise EventError("_outcomes", None, "events with several slots are no single decisions")
    if event.dropped:
        raise EventError(
            "pdrop",
            event.dropped,
            "events were dropped at random and the rest stand for them; an attempt log is whole",
        )
    actions = (event.context or {}).get("_multi")
    if not isinstance(actions, list) or not actions:
        raise EventError("c._multi", None, "is missing or empty; it lists the eligible actions")
    if not all(isinstance(action, dict) for action in actions):
        raise EventError("c._multi", None, "expected one JSON object per action")
    row: Row = {
        "decision_id": event.event_id,
        "decided_at": event.timestamp,
        "chosen": _chosen(event, len(actions)),
        "propensity": event.label_probability,
        "eligible_probability": _by_action(event, len(actions)),
    }
    if event.own is None:
        _fill_foreign(row, event, actions, line_number)
    else:
        _fill_own(row, event, event.own, actions)
    return row


def _chosen(event: Event, count: int) -> int:
    positions = {
        "_labelIndex": event.label_index,
        "_label_Action": None if event.label_action is None else event.label_action - 1,
        "a": event.ranking[0] - 1 if event.ranking else None,
    }
    said = {key: position for key, position in positions.items() if position is not None}
    if not said:
        raise EventError("_labelIndex", None, "is missing, and so are _label_Action and a")
    if len(set(said.values())) > 1 and event.label_index is not None:
        # The ranking names the action that was proposed; the label says which one was taken.
        said.pop("a", None)
    if len(set(said.values())) > 1:
        raise EventError(
            "_labelIndex", event.label_index, "names another action than _label_Action"
        )
    key, chosen = next(iter(said.items()))
    if not 0 <= chosen < count:
        raise EventError(key, chosen, "is not among the actions of c._multi")
    return chosen


def _by_action(event: Event, count: int) -> list[float] | None:
    """``p`` in the order of the actions; it comes in the order of ``a``."""
    if event.ranking is not None and sorted(event.ranking) != list(range(1, count + 1)):
        raise EventError("a", event.ranking, "expected each action of c._multi once, from 1")
    if event.pmf is None:
        return None
    if len(event.pmf) != count:
        raise EventError("p", event.pmf, "expected one probability per action of c._multi")
    if event.ranking is None:
        return event.pmf
    placed = dict(zip(event.ranking, event.pmf, strict=True))
    return [placed[action] for action in range(1, count + 1)]


def _fill_own(row: Row, event: Event, own: Own, actions: Sequence[Mapping[str, Any]]) -> None:
    row["payment_id"], row["attempt"] = own.payment_id, own.attempt
    if own.propensity is not None:
        row["propensity"] = own.propensity
    features = [action.get("action") for action in actions]
    if not all(isinstance(each, dict) for each in features):
        raise EventError("c._multi", None, "expected the key 'action' in each action")
    for position, each in enumerate(features):
        assert isinstance(each, dict)
        for name, value in each.items():
            column = row.setdefault(ELIGIBLE_PREFIX + name, [None] * len(actions))
            if not isinstance(column, list):
                raise EventError("c._multi", name, "is no feature of an action")
            column[position] = value
    payment = (event.context or {}).get("payment", {})
    if not isinstance(payment, dict):
        raise EventError("c.payment", None, "expected a JSON object")
    for name, value in (*payment.items(), *own.values.items()):
        if name in row:
            raise EventError(name, None, "stands twice in the event")
        row[name] = value


def _fill_foreign(
    row: Row, event: Event, actions: Sequence[Mapping[str, Any]], line_number: int
) -> None:
    row["payment_id"], row["attempt"] = event.event_id, 1
    row["eligible_route"] = _route_names(actions)
    row["eligible_delay_s"] = [0] * len(actions)
    row["reward"] = _reward(event)
    if event.timestamp is None:
        row["decided_at"] = without_timestamp(line_number)
    context = {key: value for key, value in (event.context or {}).items() if key != "_multi"}
    for name, value in flat(context):
        row.setdefault(CUSTOM_PREFIX + name, value)
    taken = ("route", "delay_s", "probability")
    for position, action in enumerate(actions):
        seen: set[str] = set()
        for name, value in flat(action):
            if name in seen or name in taken:
                continue
            seen.add(name)
            column = row.setdefault(ELIGIBLE_PREFIX + name, [None] * len(actions))
            column[position] = value


def without_timestamp(line_number: int) -> str:
    """A time for an event that has none: seconds of 2000 that keep the order of the file."""
    days, seconds = divmod(line_number, 86_400)
    day = f"{2000 + days // 336}-{days % 336 // 28 + 1:02}-{days % 28 + 1:02}"
    return f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"


def _reward(event: Event) -> float | None:
    if event.skip_learn:
        return None
    if event.deferred and not any(each.get("ActionTaken") for each in event.observations or ()):
        return None
    if event.label_cost is not None:
        return 0.0 - event.label_cost
    if event.original_cost is not None:
        return 0.0 - event.original_cost
    observed = [each.get("v") for each in event.observations or ()]
    numbers = [float(v) for v in observed if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) > 1:
        raise EventError("o", None, "holds several observations, and _label_cost is missing")
    return numbers[0] if numbers else None


def _route_names(actions: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [_name(action) or f"action-{i}" for i, action in enumerate(actions, 1)]
    return [name if names.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(names, 1)]


def _name(action: Mapping[str, Any]) -> str | None:
    tag = action.get("_tag")
    if isinstance(tag, str) and tag:
        return tag
    for key in ("id", "route", "name"):
        for part in (action, *(each for each in action.values() if isinstance(each, dict))):
            value = part.get(key)
            if isinstance(value, str | int) and value != "" and not isinstance(value, bool):
                return str(value)
    return None


def flat(features: Any, prefix: str = "") -> Iterator[tuple[str, str | float | bool]]:
    """Single features by the path to them; keys that start with ``_`` are no features in VW."""
    if isinstance(features, dict):
        for key, value in features.items():
            if not key.startswith("_"):
                yield from flat(value, f"{prefix}_{key}" if prefix else key)
    elif isinstance(features, list):
        for value in features:
            if isinstance(value, dict):
                yield from flat(value, prefix)
    elif isinstance(features, str | int | float) and prefix:
        yield prefix, features
