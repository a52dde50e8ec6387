"""``authopt alarms``: what fires, what has fired, and whether messages arrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import ACCENT, console, existing_file, json_option, notes, print_json
from service.store.at_the_prompt import database_option
from service.tenants import DEFAULT_TENANT, check_tenant

if TYPE_CHECKING:
    from service.store.changes import Change


def _checked_tenant(_: click.Context, __: click.Parameter, name: str) -> str:
    check_tenant(name)
    return name


_tenant = click.option(
    "--tenant",
    default=DEFAULT_TENANT,
    show_default=True,
    callback=_checked_tenant,
    help="The merchant.",
)


def _of_database(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        json_option,
        _tenant,
        database_option,
    ):
        function = option(function)
    return function


@click.group()
def alarms() -> None:
    """See which alarms fire, and try the ways by which they are sent.

    They are raised by authopt watch, from the minutes of a merchant's traffic: the authorization
    rate, routes that are down, fallbacks, missing outcomes, probabilities, the mix of payments, and
    retries that networks charge for.
    """


@alarms.command("list")
@_of_database
def list_command(database: str, tenant: str, as_json: bool) -> None:
    """List the alarms that fire now.

    \b
    Examples:
      authopt alarms list
      authopt alarms list --tenant shop --json
    """
    from service.alarms.standing import firing_alarms
    from service.models.opened import opened

    with opened(database) as engine, engine.connect() as connection:
        found = firing_alarms(connection, tenant)
    _show(found, as_json, "no alarm fires")


@alarms.command("history")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_of_database
def history_command(limit: int, database: str, tenant: str, as_json: bool) -> None:
    """List what was raised and resolved, newest first."""
    from service.alarms.standing import alarm_history
    from service.models.opened import opened

    with opened(database) as engine, engine.connect() as connection:
        found = alarm_history(connection, tenant, limit)
    _show(found, as_json, "no alarm was ever raised")


@alarms.command("test")
@click.argument("channel")
@click.option(
    "--config", type=existing_file, required=True, help="Configuration with an [alarms] section."
)
@_tenant
@json_option
def test_command(channel: str, config: Path, tenant: str, as_json: bool) -> None:
    """Send a test message by CHANNEL, a webhook or mailbox of the configuration.

    Exit status 1 means that it was not taken.

    \b
    Example:
      authopt alarms test on-call --config authopt.toml
    """
    from service.alarms.config_section import alarms_in
    from service.alarms.message import trial_message
    from service.alarms.sending import NotSent, send

    channels = {each.name: each for each in alarms_in(config, tenant).channels}
    if channel not in channels:
        known = ", ".join(channels) or "none is configured"
        raise UserError(f"{config}: channel {channel!r} is not known; expected one of: {known}")
    now_s = int(time.time())
    fault = None
    try:
        send(channels[channel], trial_message(tenant, now_s * 1_000_000), now_s)
    except NotSent as error:
        fault = str(error)
    if as_json:
        print_json({"channel": channel, "sent": fault is None, "fault": fault})
    elif fault is None:
        console().print(f"{channel} has taken a test message", markup=False)
    else:
        notes().print(f"{channel}: not sent: {fault}", markup=False, style="red")
    if fault is not None:
        raise SystemExit(1)


def _show(found: list[Change], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(
            [
                {
                    "number": each.number,
                    "at": _time(each.changed_at_us),
                    "alarm": each.subject,
                    **{
                        name: each.value[name]
                        for name in ("state", "what", "figures", "since_us", "links")
                    },
                }
                for each in found
            ]
        )
        return
    if not found:
        console().print(nothing)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("alarm", style=ACCENT, overflow="fold")
    for heading in ("state", "at (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what", overflow="fold")
    from rich.text import Text

    for each in found:
        state = str(each.value["state"])
        table.add_row(
            Text(each.subject),
            Text(state, style="red" if state == "firing" else "green"),
            _time(each.changed_at_us)[:16].replace("T", " "),
            Text(each.value["what"]),
        )
    console().print(table)


def _time(at_us: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat()
