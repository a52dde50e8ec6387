"""Alarms on their way out: each is sent by every channel at least once, in their order.

A message is marked as delivered after it was taken, so one that is sent while the process is killed
is sent again; its id is the same. A channel that fails is tried again ever less often, and holds up
neither the others nor, for long, the process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, select, update

from service.alarms.message import message_of
from service.alarms.sending import NotSent, send
from service.alarms.settings import Channel
from service.alarms.standing import alarm_change
from service.store.changes import writing
from service.store.tables import deliveries

FIRST_WAIT_S, LONGEST_WAIT_S = 15, 3_600
"""From one try to the next: doubled each time."""

AT_MOST_S = 5.0
"""After which the rest waits for the next time; a try that has begun is brought to its end."""

PER_CHANNEL = 20
"""Messages at a time."""

SECOND_US = 1_000_000

log = logging.getLogger(__name__)


def deliver_alarms(
    engine: Engine, tenant: str, now_us: int, channels: Sequence[Channel] = ()
) -> bool:
    """Send what is due.

    Parameters
    ----------
    engine, tenant
        of the store, and whose alarms.
    now_us
        microseconds since 1970, UTC.
    channels
        those of the configuration. What waits for a channel that is no more stays where it is.

    Returns
    -------
    bool
        whether more is due at once.
    """
    end = time.monotonic() + AT_MOST_S
    more = False
    for channel in channels:
        waiting = _waiting(engine, tenant, channel.name)
        for row in waiting:
            if time.monotonic() > end:
                return True
            # An alarm's end is not told before its beginning.
            if row.next_try_us > now_us or not _tried(engine, tenant, channel, row, now_us):
                break
        else:
            more |= len(waiting) == PER_CHANNEL
    return more


def wait_s(tries: int) -> int:
    """How long to wait after so many tries that failed, at least one."""
    return min(FIRST_WAIT_S << min(tries - 1, 30), LONGEST_WAIT_S)


def _waiting(engine: Engine, tenant: str, channel: str) -> Sequence[Any]:
    with engine.connect() as connection:
        return connection.execute(
            select(deliveries)
            .where(
                deliveries.c.tenant == tenant,
                deliveries.c.channel == channel,
                deliveries.c.delivered_at_us.is_(None),
            )
            .order_by(deliveries.c.number)
            .limit(PER_CHANNEL)
        ).all()


def _tried(engine: Engine, tenant: str, channel: Channel, row: Any, now_us: int) -> bool:
    """Whether it was taken."""
    with engine.connect() as connection:
        change = alarm_change(connection, tenant, row.change)
    fault = None
    if change is None:
        fault = "the alarm is no longer on record"
    else:
        try:
            send(channel, message_of(tenant, change), int(time.time()))
        except NotSent as error:
            fault = str(error)
    tries = row.tries + 1
    values: dict[str, Any] = {"tries": tries, "fault": fault}
    if fault is None:
        values["delivered_at_us"] = now_us
    else:
        values["next_try_us"] = now_us + wait_s(tries) * SECOND_US
        log.warning("alarm %s was not sent by %s: %s", row.change, channel.name, fault)
    with writing(engine) as connection:
        connection.execute(
            update(deliveries).where(deliveries.c.number == row.number).values(**values)
        )
    return fault is None
