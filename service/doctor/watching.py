"""Whether a process watches over each merchant who needs one, and keeps up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from authopt.errors import UserError
from service.alarms.config_section import alarms_in
from service.doctor.finding import Finding, fail, ok, warn
from service.doctor.merchants import BEHIND_WARN
from service.settings import Settings
from service.store.changes import present
from service.store.records import microseconds, moment
from service.store.tables import changes, decisions, outcomes, users, watchers
from service.summaries.cursor import Cursor, read_cursor
from service.trials.shadowing import ON, SHADOW
from service.trials.trial import CANARY, EXPERIMENT, running_trial

_NEEDING = (EXPERIMENT, CANARY, SHADOW)


@dataclass(frozen=True, slots=True)
class _Needs:
    """What is left undone where nobody watches; the urgent may cost payments meanwhile."""

    urgent: tuple[str, ...]
    other: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join((*self.urgent, *self.other))


def check_watch(
    connection: Connection, settings: Settings | None, config: Path | None
) -> Iterator[Finding]:
    """Whether each merchant with a trial, a shadow, channels of alarms or people is watched over.

    Parameters
    ----------
    settings
        of the service; None: the merchants are those that the store knows to need it.
    config
        file with the sections ``[alarms]``; None: there is none, so that alarms go nowhere.
    """
    merchants = _known(connection) if settings is None else tuple(settings.served())
    now = datetime.now(UTC)
    for tenant in merchants:
        channels: tuple[str, ...] = ()
        if config is not None:
            try:
                channels = tuple(each.name for each in alarms_in(config, tenant).channels)
            except UserError as error:
                mend = "Mend the section; authopt watch does not start with it"
                yield fail(f"alarms of {tenant}", str(error), mend)
        start = f"Start it beside the service: authopt watch --tenant {tenant} --database URL"
        yield _watched(
            connection,
            tenant,
            _needs(connection, tenant, channels),
            start if config is None else f"{start} --config {config}",
            now,
        )
    if not merchants:
        yield ok("watch", "nothing here needs one")


def _known(connection: Connection) -> tuple[str, ...]:
    of_trials = select(changes.c.tenant).where(changes.c.kind.in_(_NEEDING))
    named = of_trials.union(select(users.c.tenant), select(watchers.c.tenant))
    return tuple(sorted(connection.scalars(named)))


def _needs(connection: Connection, tenant: str, channels: tuple[str, ...]) -> _Needs:
    state, urgent, other = present(connection, tenant), [], []
    trial = running_trial(state)
    if trial is not None:
        is_canary = trial.kind == CANARY
        urgent.append(
            "a canary runs, and is not rolled back if it does harm"
            if is_canary
            else f"experiment {trial.name} runs, and is not judged"
        )
    if channels:
        urgent.append(f"no alarm is raised for {', '.join(channels)}")
    on = [
        subject
        for (kind, subject), change in state.items()
        if kind == SHADOW and change.value["state"] == ON
    ]
    if on:
        other.append(f"nothing is asked of the shadow {', '.join(sorted(on))}")
    if connection.scalar(
        select(func.count()).where(users.c.tenant == tenant, users.c.disabled_at_us.is_(None))
    ):
        other.append("the console's figures stand still")
    return _Needs(tuple(urgent), tuple(other))


def _watched(
    connection: Connection, tenant: str, needs: _Needs, start: str, now: datetime
) -> Finding:
    point = f"watch of {tenant}"
    row = connection.execute(
        select(watchers.c.holder, watchers.c.held_until_us).where(watchers.c.tenant == tenant)
    ).one_or_none()
    is_held = row is not None and row.holder is not None
    if row is None or not is_held or (row.held_until_us or 0) < microseconds(now):
        if not str(needs):
            return ok(point, "nobody watches, and nothing needs it")
        gone = "nobody watches"
        if row is not None and is_held and row.held_until_us is not None:
            gone += f" since {moment(row.held_until_us):%Y-%m-%d %H:%M} UTC"
        tell = fail if needs.urgent else warn
        return tell(point, f"{gone}: {needs}", start)
    cursor = (read_cursor(connection, tenant) or (Cursor(), ""))[0]
    behind = _after(connection, cursor)
    found = f"{':'.join(row.holder.split(':')[:2])} watches; {behind:,} records behind"
    if cursor.caught_up_us is not None:
        found += f", caught up last at {moment(cursor.caught_up_us):%Y-%m-%d %H:%M:%S} UTC"
    if behind > BEHIND_WARN:
        return warn(point, found, "It reads slower than payments come: see what its log says")
    return ok(point, found)


def _after(connection: Connection, cursor: Cursor) -> int:
    """Decisions and outcomes that came after those that were read."""
    last = [
        connection.scalar(select(func.max(table.c.number))) or 0 for table in (decisions, outcomes)
    ]
    return max(last[0] - cursor.decisions, 0) + max(last[1] - cursor.outcomes, 0)
