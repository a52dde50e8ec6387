"""Finding decisions among very many: by id, or newest first by what is known of them.

An id is looked up in an index. Everything else is read backwards in time by the index of times, and
what does not fit is left out here; a look ends after so many rows that a page stays fast, and the
next one goes on where it ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Column, Connection, Select, bindparam, or_, select

from service.api.forms import OutcomeRequest
from service.store.joining import JoinRules, Told, joined
from service.store.records import microseconds
from service.store.tables import activations, decisions, outcomes

SHOWN = 50
"""Decisions of a page."""

LOOKED_THROUGH = 4_000
"""Rows that one look reads at most."""

WITHIN_S = 0.1
"""After so long a look reads no more rows, however few it read."""

_AT_ONCE = 400
_PREFIXED = 200
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
_RULES = JoinRules()

COLUMNS: Mapping[str, str] = {
    "issuer": "issuer",
    "country": "issuer_country",
    "network": "network",
    "currency": "currency",
    "merchant": "merchant_id",
}
"""By the name of a filter: the column of the context that it looks at."""

Place: TypeAlias = tuple[int, int]
"""Time and number of a decision."""


class _Request(msgspec.Struct, frozen=True, gc=False):
    context: dict[str, Any] = {}


_REQUEST = msgspec.json.Decoder(_Request)
_TOLD = (
    decisions.c.number,
    decisions.c.decision_id,
    decisions.c.payment_id,
    decisions.c.attempt,
    decisions.c.decided_at_us,
    decisions.c.route,
    decisions.c.delay_s,
    decisions.c.propensity,
    decisions.c.policy,
    decisions.c.fallback,
    decisions.c.deferred,
    decisions.c.experiment,
    decisions.c.arm,
)


# Once and for all, as a statement with hundreds of values takes long to put together.
_CAME = (
    select(outcomes.c.decision_id, outcomes.c.received_at_us, outcomes.c.outcome)
    .where(
        outcomes.c.tenant == bindparam("tenant"),
        outcomes.c.decision_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(outcomes.c.number)
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions are looked for; what is None or empty says nothing.

    Attributes
    ----------
    since_us, until_us
        when they were decided, microseconds since 1970, UTC; the second does not belong to it.
    route, attempt, policy, experiment, arm
        as they are on record.
    fallback
        whether the static priority decided.
    outcome
        ``approved``, ``declined`` or ``none``.
    code
        the response code.
    context
        values by columns of the context; an empty value: those without one.
    """

    since_us: int | None = None
    until_us: int | None = None
    route: str | None = None
    attempt: int | None = None
    policy: str | None = None
    experiment: str | None = None
    arm: str | None = None
    fallback: bool | None = None
    outcome: str | None = None
    code: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def filters(self) -> bool:
        """Whether anything but the time is asked for."""
        values = (self.route, self.attempt, self.policy, self.experiment, self.arm, self.fallback)
        return bool(self.context) or any(
            value is not None for value in (*values, self.outcome, self.code)
        )

    @property
    def needs_outcomes(self) -> bool:
        """Whether what is asked for is known from the outcomes alone."""
        return self.outcome is not None or self.code is not None


@dataclass(frozen=True, slots=True)
class Found:
    """A decision and what came of it.

    Attributes
    ----------
    row
        of the table ``decisions``, some of its columns.
    route, delay_s
        what was done: of a deferred decision, what it was activated with.
    activated
        whether a deferred decision was.
    outcome
        what is known; None: nothing.
    """

    row: Any
    route: str
    delay_s: int
    activated: bool
    outcome: OutcomeRequest | None


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found, newest first.

    Attributes
    ----------
    found
        the decisions.
    looked
        rows that were read for them.
    onward
        the place where the next look begins; None: there is nothing further back.
    """

    found: tuple[Found, ...]
    looked: int
    onward: Place | None


def by_id(connection: Connection, tenant: str, text: str) -> list[Found]:
    """Decisions whose own id or whose payment's id is a text, or begins with it.

    They come in the order of the ids, exact ones first; at most ``SHOWN``.
    """
    rows: dict[int, Any] = {}
    for column in (decisions.c.payment_id, decisions.c.decision_id):
        for wanted in (
            _of(tenant).where(column == text).order_by(decisions.c.number.desc()).limit(SHOWN),
            # In the database's own order what begins with a text comes right after it. A pattern
            # would not use the index in PostgreSQL, unless its collation is "C".
            _of(tenant).where(column > text).order_by(column).limit(_PREFIXED),
        ):
            for row in connection.execute(wanted):
                if getattr(row, column.name).startswith(text):
                    rows.setdefault(row.number, row)
    return with_outcomes(connection, tenant, list(rows.values())[:SHOWN])


def newest(
    connection: Connection, tenant: str, wanted: Wanted, before: Place | None = None
) -> Look:
    """Decisions that are as wanted, the newest first.

    Parameters
    ----------
    connection, tenant
        to the store, and whose.
    wanted
        which.
    before
        the place where the last look ended.
    """
    found: list[Found] = []
    looked = 0
    end = time.monotonic() + WITHIN_S
    at_once = _AT_ONCE if wanted.filters else SHOWN + 1
    while True:
        rows = connection.execute(_further(tenant, wanted, before, at_once)).all()
        looked += len(rows)
        for each in _fitting(connection, tenant, wanted, rows):
            if len(found) == SHOWN:
                # The last one that is shown is where the next page begins.
                last = found[-1].row
                return Look(tuple(found), looked, (last.decided_at_us, last.number))
            found.append(each)
        if len(rows) < at_once:
            return Look(tuple(found), looked, None)
        before = (rows[-1].decided_at_us, rows[-1].number)
        if looked >= LOOKED_THROUGH or time.monotonic() > end:
            return Look(tuple(found), looked, before)


def with_outcomes(connection: Connection, tenant: str, rows: Sequence[Any]) -> list[Found]:
    """Rows of the table ``decisions`` with what came of them, in their order."""
    ids = [row.decision_id for row in rows]
    told: dict[str, list[Told]] = {each: [] for each in ids}
    if ids:
        came = connection.execute(_CAME, {"tenant": tenant, "ids": ids})
        for decision_id, received_at_us, text in came:
            told[decision_id].append(Told(received_at_us, _OUTCOME.decode(text)))
    deferred = [row.decision_id for row in rows if row.deferred]
    done: dict[str, Any] = {}
    if deferred:
        wanted = select(activations).where(
            activations.c.tenant == tenant, activations.c.decision_id.in_(deferred)
        )
        done = {row.decision_id: row for row in connection.execute(wanted)}
    now_us = microseconds(datetime.now(UTC))
    found = []
    for row in rows:
        act = done.get(row.decision_id)
        action = row if act is None else act
        due_us = row.decided_at_us + row.delay_s * 1_000_000
        known = joined(row.decision_id, due_us, told[row.decision_id], _RULES, now_us).outcome
        found.append(Found(row, action.route, action.delay_s, act is not None, known))
    return found


def _of(tenant: str, *more: Column[Any]) -> Select[Any]:
    return select(*_TOLD, *more).where(decisions.c.tenant == tenant)


def _further(tenant: str, wanted: Wanted, before: Place | None, limit: int) -> Select[Any]:
    at = decisions.c.decided_at_us
    rows = _of(tenant, *([decisions.c.request] if wanted.context else []))
    if wanted.since_us is not None:
        rows = rows.where(at >= wanted.since_us)
    if before is not None:
        time_us, number = before
        # Written so that both databases read the index from there on.
        rows = rows.where(at <= time_us, or_(at < time_us, decisions.c.number < number))
    elif wanted.until_us is not None:
        rows = rows.where(at < wanted.until_us)
    return rows.order_by(at.desc(), decisions.c.number.desc()).limit(limit)


def _fitting(
    connection: Connection, tenant: str, wanted: Wanted, rows: Sequence[Any]
) -> Iterator[Found]:
    left = [row for row in rows if _fits(row, wanted)]
    if not wanted.needs_outcomes and not any(row.deferred for row in left):
        # No more than a page shows.
        left = left[: SHOWN + 1]
    for each in with_outcomes(connection, tenant, left):
        # The route of a deferred decision is that of its activation.
        if wanted.route in (None, each.route) and _came_out(each.outcome, wanted):
            yield each


def _fits(row: Any, wanted: Wanted) -> bool:
    for name in ("attempt", "policy", "experiment", "arm"):
        value = getattr(wanted, name)
        if value is not None and getattr(row, name) != value:
            return False
    if wanted.fallback is not None and (row.fallback is not None) != wanted.fallback:
        return False
    if wanted.route is not None and row.route != wanted.route and not row.deferred:
        return False
    if not wanted.context:
        return True
    context = _REQUEST.decode(row.request).context
    return all((context.get(column) or "") == value for column, value in wanted.context.items())


def _came_out(outcome: OutcomeRequest | None, wanted: Wanted) -> bool:
    said = None if outcome is None else outcome.approved
    as_wanted = {
        None: True,
        "approved": said is True,
        "declined": said is False,
        "none": said is None,
    }
    if not as_wanted[wanted.outcome]:
        return False
    return wanted.code is None or (outcome is not None and outcome.response_code == wanted.code)
