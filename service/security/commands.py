"""``authopt keys``: make, list, rotate and revoke API keys; ``authopt audit``: what was changed."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from authopt.terminal import console, json_option, notes, print_json
from service.length_of_time import seconds_in
from service.store.at_the_prompt import changing_at, database_option, reading_at, reason_option

if TYPE_CHECKING:
    from service.security.api_keys import ApiKey
    from service.security.key_text import KeyText

SCOPES = ("decide", "outcome", "read", "operate", "admin")
_PAGE = 1000


@click.group()
def keys() -> None:
    """API keys of the decision service: make, list, rotate, revoke.

    A service without any key is open, and then listens on this machine alone. From the first key
    on, every request needs one; running services know within a second.
    """


@keys.command("create")
@click.option("--tenant", default="default", show_default=True, help="The merchant's name.")
@click.option("--name", required=True, help="Who will hold it, such as checkout-eu.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it is good for; repeatable.",
)
@click.option("--per-second", type=float, help="Requests allowed. By default no limit.")
@click.option("--expires-in", metavar="TIME", help="Such as 90d. By default never.")
@reason_option
@database_option
@json_option
def create(
    tenant: str,
    name: str,
    scopes: tuple[str, ...],
    per_second: float | None,
    expires_in: str | None,
    reason: str,
    database: str,
    as_json: bool,
) -> None:
    """Make a key and show it, this once.

    The limit is for all workers together: each of N grants an Nth.

    \b
    Examples:
      authopt keys create --name checkout --scope decide --scope outcome
      authopt keys create --tenant acme --name ops --scope read --scope operate --expires-in 90d
    """
    from service.security.api_keys import create_key
    from service.security.caller import Scope

    expires = (
        None if expires_in is None else timedelta(seconds=seconds_in("--expires-in", expires_in))
    )
    with changing_at(database) as connection:
        key = create_key(
            connection,
            tenant,
            name,
            [Scope(scope) for scope in scopes],
            actor=_actor(),
            reason=reason,
            per_second=per_second,
            expires_in=expires,
        )
    _show(key, as_json)


@keys.command("list")
@click.option("--tenant", help="Only this merchant's.")
@database_option
@json_option
def list_(tenant: str | None, database: str, as_json: bool) -> None:
    """List the keys, never their secrets.

    \b
    Examples:
      authopt keys list
      authopt keys list --tenant acme --json
    """
    from service.security.api_keys import list_keys

    with reading_at(database) as connection:
        found = list_keys(connection, tenant)
    now = datetime.now(UTC)
    if as_json:
        print_json([_plain(key, now) for key in found])
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("key", "tenant", "name", "scopes", "per second", "state"):
        table.add_column(column, overflow="fold")
    for key in found:
        limit = "" if key.per_second is None else f"{key.per_second:g}"
        scopes = " ".join(sorted(key.scopes))
        table.add_row(key.key_id, key.tenant, key.name, scopes, limit, _state(key, now))
    console().print(table)


@keys.command("rotate")
@click.argument("key_id")
@click.option(
    "--overlap",
    default="1d",
    show_default=True,
    metavar="TIME",
    help="How long the old one is still good.",
)
@reason_option
@database_option
@json_option
def rotate(key_id: str, overlap: str, reason: str, database: str, as_json: bool) -> None:
    """Make a key that may do the same as KEY_ID, which then expires.

    The new key has an id and a limit of its own.

    \b
    Examples:
      authopt keys rotate 3f9c01fab0ca --overlap 2d
    """
    from service.security.api_keys import rotate_key

    within = timedelta(seconds=seconds_in("--overlap", overlap))
    with changing_at(database) as connection:
        key = rotate_key(connection, key_id, within, actor=_actor(), reason=reason)
    _show(key, as_json)


@keys.command("revoke")
@click.argument("key_id")
@reason_option
@database_option
@json_option
def revoke(key_id: str, reason: str, database: str, as_json: bool) -> None:
    """End KEY_ID. Running services refuse it within a second.

    \b
    Examples:
      authopt keys revoke 3f9c01fab0ca --reason "was in a log"
    """
    from service.security.api_keys import revoke_key

    with changing_at(database) as connection:
        old = revoke_key(connection, key_id, actor=_actor(), reason=reason)
    if as_json:
        print_json({"key_id": old.key_id, "tenant": old.tenant, "state": "revoked"})
    else:
        notes().print(f"revoked: {old.key_id} ({old.tenant}, {old.name})", markup=False)


@click.command()
@click.option("--tenant", help="Only this merchant's changes.")
@click.option("--kind", help="Only changes of this kind, such as key, policy, route.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only those with a larger number.")
@database_option
@json_option
def audit(tenant: str | None, kind: str | None, after: int, database: str, as_json: bool) -> None:
    """Show every change that was ever made: when, by whom, what and why.

    \b
    Examples:
      authopt audit
      authopt audit --tenant acme --kind key --json
    """
    from service.api.changes import ChangeRow, read_changes

    found: list[ChangeRow] = []
    from_: int | None = after
    with reading_at(database) as connection:
        while from_ is not None:
            page = read_changes(connection, tenant, from_, _PAGE, kind)
            found += page.changes
            from_ = page.next
    if as_json:
        print_json(found)
        return
    import msgspec
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("number", "when (UTC)", "tenant", "who", "what", "is now", "why"):
        table.add_column(column, overflow="fold", justify="right" if column == "number" else "left")
    for row in found:
        value = msgspec.json.encode(row.value).decode()
        when = f"{row.changed_at:%Y-%m-%d %H:%M:%S}"
        what = f"{row.kind} {row.subject}"
        table.add_row(str(row.number), when, row.tenant, row.actor, what, value, row.reason)
    console().print(table)


def _actor() -> str:
    return f"authopt keys ({getpass.getuser()})"[:128]


def _show(key: KeyText, as_json: bool) -> None:
    if as_json:
        print_json({"key_id": key.key_id, "key": str(key)})
        return
    notes().print("Shown this once, and kept nowhere:", markup=False)
    click.echo(str(key))


def _plain(key: ApiKey, now: datetime) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "tenant": key.tenant,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "per_second": key.per_second,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "state": _state(key, now),
    }


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.ended(now):
        return "expired"
    return "good" if key.expires_at is None else f"good until {key.expires_at:%Y-%m-%d %H:%M}"
