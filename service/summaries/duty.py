"""The duty of the watching process that keeps the summaries true."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Engine, func, select

from service.store.tables import decisions
from service.summaries.adding_up import Step, add_step
from service.summaries.cursor import Cursor, Overtaken, read_cursor

_AT_MOST_S = 5.0
"""How long older decisions are added at a time, before other duties have their turn."""

_PAUSE_S = 0.005
"""After each step: SQLite lets others write in it."""


def add_up(engine: Engine, tenant: str, now_us: int) -> bool:
    """Add what is new.

    Returns
    -------
    bool
        whether there is more.
    """
    end = time.monotonic() + _AT_MOST_S
    try:
        while add_step(engine, tenant, now_us) is Step.BEHIND:
            if time.monotonic() > end:
                return True
            time.sleep(_PAUSE_S)
    except Overtaken:
        # Another process does the same work, and has done this part of it.
        return True
    return False


def share_added(connection: Connection, tenant: str) -> float:
    """Which share of the decisions on record was read, by their numbers; 1 where there are none."""
    found = read_cursor(connection, tenant)
    read = (Cursor() if found is None else found[0]).decisions
    highest = connection.scalar(select(func.max(decisions.c.number))) or 0
    return min(read / highest, 1.0) if highest else 1.0
