"""Each merchant: a policy that decides, keys that are good, a learner that keeps up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection, func, select

from service.active_policy import load_active
from service.doctor.finding import Finding, fail, ok, warn
from service.learning.cursor import Cursor
from service.live.present_policy import PresentPolicy
from service.models.kill_switch import is_killed
from service.models.live_policy import read_live_policy
from service.security.api_keys import list_keys
from service.security.loopback import is_loopback
from service.settings import Settings
from service.store.records import microseconds
from service.store.tables import decisions, learners

SOON = timedelta(days=14)
BEHIND_WARN = 50_000


def check_policies(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Whether what is live for each merchant can be loaded and answers its probes as it did."""
    for tenant, served in settings.served().items():
        point = f"policy of {tenant}"
        started = load_active(served.policy)
        promoted = read_live_policy(connection, tenant).promoted
        active, candidate = PresentPolicy(tenant, started).load(connection, promoted)
        name = active.name if active.sha256 is None else f"{active.name} {active.sha256[:12]}"
        if active.policy is None:
            yield fail(
                point,
                active.fault or "there is none; the routes are used in their order",
                "Mend the file, or promote a model of the registry: authopt models promote",
            )
        elif candidate is not None:
            yield fail(
                point,
                f"{candidate}; in its place {name} decides",
                "Add the model again and promote it, or: authopt models rollback",
            )
        else:
            yield ok(point, f"{name} is loaded and answers as it should")
        if is_killed(connection, tenant):
            yield warn(
                f"{point}: kill switch",
                "is on: the routes are used in their order",
                "When the reason for it is gone: authopt models revive",
            )


def check_keys(connection: Connection, host: str, is_open: bool) -> Iterator[Finding]:
    """Whether those who may ask can, and nobody else."""
    now = datetime.now(UTC)
    keys = list_keys(connection)
    good = [key for key in keys if not key.ended(now)]
    make = "Make one: authopt keys create --name NAME --scope decide --scope outcome"
    if not keys and not is_loopback(host):
        tell = warn if is_open else fail
        yield tell("keys", f"there is none, and {host} is open to other machines", make)
    elif not keys:
        yield ok("keys", f"there is none; only this machine can reach {host}")
    elif not good:
        yield fail("keys", "all were revoked or have expired: nobody may ask", make)
    else:
        of = Counter(key.tenant for key in good)
        yield ok("keys", ", ".join(f"{count} of {name}" for name, count in sorted(of.items())))
    for key in good:
        if key.expires_at is not None and key.expires_at < now + SOON:
            yield warn(
                f"key {key.key_id}",
                f"{key.name!r} of {key.tenant} expires {key.expires_at:%Y-%m-%d %H:%M} UTC",
                f"Give its user a new one in time: authopt keys rotate {key.key_id}",
            )


def check_learners(connection: Connection) -> Iterator[Finding]:
    """Whether each learner lives, and how far it is behind."""
    now_us = microseconds(datetime.now(UTC))
    last = connection.scalar(select(func.max(decisions.c.number))) or 0
    rows = connection.execute(select(learners).order_by(learners.c.tenant, learners.c.name)).all()
    for row in rows:
        point = f"learner {row.name} of {row.tenant}"
        cursor = msgspec.json.decode(row.cursor, type=Cursor) if row.cursor else None
        behind = last - (0 if cursor is None else cursor.decisions)
        found = f"{behind:,} decisions behind"
        if row.holder is None or (row.held_until_us or 0) < now_us:
            yield warn(point, f"does not run; {found}", "Start it: authopt learn")
        elif behind > BEHIND_WARN:
            yield warn(point, found, "It reads slower than decisions come: see what its log says")
        else:
            waiting = 0 if cursor is None else len(cursor.waiting)
            yield ok(point, f"{found}, {waiting:,} wait for their outcome")
    if not rows:
        yield ok("learner", "there is none")


def check_webhooks(settings: Settings) -> Iterator[Finding]:
    """Which providers send outcomes; a source without its secret is no configuration at all."""
    if settings.webhooks:
        yield ok("webhooks", f"secrets are set of {', '.join(sorted(settings.webhooks))}")
