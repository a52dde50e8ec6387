"""Raising alarms: what ``authopt watch`` does once a minute.

What the detectors know, the changes that they make and the messages that are to go out are written
in one transaction, so that whoever is killed and starts again says nothing twice and leaves nothing
out; of two processes that judge the same minute, one finds that the other was faster.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Engine, insert

from authopt.alarms.alarm import Alarm
from authopt.alarms.board import Board
from service.alarms.minutes import minutes_between
from service.alarms.settings import AlarmsConfig
from service.alarms.standing import KIND, subject_of
from service.store.changes import changing, record_change
from service.store.tables import deliveries
from service.summaries.cuts import KEPT_US, SECOND_US, Span, floor_to
from service.summaries.reading import caught_up_us
from service.watch.findings import finding, keep_finding

ACTOR = "watch"
FINDING, SUBJECT = "alarms", "board"
LEARNT_US = 28 * Span.DAY.us
"""How far back the usual shares are learnt from when nobody has watched before."""

MOST_MINUTES = 120
"""That are judged at a time."""

DEFAULT = AlarmsConfig()


def raise_alarms(engine: Engine, tenant: str, now_us: int, config: AlarmsConfig = DEFAULT) -> bool:
    """Judge the minutes that are complete, and record what is raised and cleared.

    Parameters
    ----------
    engine, tenant
        of the store, and whose.
    now_us
        microseconds since 1970, UTC.
    config
        when to raise alarms, and where they go.

    Returns
    -------
    bool
        whether there are more minutes to judge at once.
    """
    with engine.connect() as connection:
        complete_us = caught_up_us(connection, tenant)
        if complete_us is None:
            return False
        wait_us = config.outcomes_within_s * SECOND_US
        until_us = floor_to(min(now_us, complete_us) - wait_us, Span.MINUTE)
        kept = finding(connection, tenant, FINDING, SUBJECT)
        board = Board() if kept is None else msgspec.convert(kept.content, Board)
        before_us = board.minute_us
        if before_us >= until_us:
            return False
        since_us = _begin(connection, tenant, board, until_us, config)
        end_us = min(until_us, since_us + MOST_MINUTES * Span.MINUTE.us)
        minutes = minutes_between(
            connection, tenant, since_us, end_us, config.overdue_after_s * SECOND_US
        )
    said = [alarm for minute in minutes for alarm in board.step(minute, config.alarms)]
    board.minute_us = end_us
    with changing(engine) as connection:
        now = finding(connection, tenant, FINDING, SUBJECT)
        judged_us = 0 if now is None else now.content["minute_us"]
        if judged_us != before_us:
            return True
        for alarm in said:
            _record(connection, tenant, alarm, config, now_us)
        keep_finding(connection, tenant, FINDING, SUBJECT, msgspec.to_builtins(board), now_us)
    return end_us < until_us


def _begin(
    connection: Connection, tenant: str, board: Board, until_us: int, config: AlarmsConfig
) -> int:
    """The first minute to judge; what is usual is learnt from the hours before, where need be."""
    kept_us = floor_to(until_us - KEPT_US[Span.MINUTE], Span.HOUR) + Span.HOUR.us
    if board.minute_us >= kept_us:
        return board.minute_us
    # Minutes that nobody watched teach what is usual, and raise no alarm hours later.
    until_hour_us = floor_to(until_us, Span.HOUR)
    from_us = max(until_hour_us - LEARNT_US, board.minute_us)
    hours = minutes_between(
        connection, tenant, floor_to(from_us, Span.HOUR), until_hour_us, 0, Span.HOUR
    )
    for hour in hours:
        if hour.start_us >= board.minute_us:
            board.learn(hour, config.alarms)
    return until_hour_us


def _record(
    connection: Connection, tenant: str, alarm: Alarm, config: AlarmsConfig, now_us: int
) -> None:
    value = {
        "state": "firing" if alarm.firing else "resolved",
        "since_us": alarm.since_us,
        "at_us": alarm.at_us,
        "what": alarm.what,
        "figures": alarm.figures,
        "links": {},
        "kind": alarm.kind,
        "dimension": alarm.dimension,
        "value": alarm.value,
    }
    reason = "out of the usual" if alarm.firing else "no longer out of the usual"
    number = record_change(
        connection, tenant, ACTOR, KIND, subject_of(alarm.subject), value, reason
    )
    for channel in config.channels:
        connection.execute(
            insert(deliveries),
            {
                "tenant": tenant,
                "channel": channel.name,
                "change": number,
                "tries": 0,
                "next_try_us": now_us,
            },
        )
