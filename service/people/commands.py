"""``authopt users``: who may sign in to the console."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import console, existing_file, json_option, notes, print_json
from service.store.at_the_prompt import changing_at, database_option, reading_at, reason_option

if TYPE_CHECKING:
    from service.people.users import User

ROLES = ("viewer", "operator", "admin")
_LONGEST = 4096


def _password_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--password-file",
        type=existing_file,
        help="A file whose first line is the password. By default it is asked for.",
    )(function)


@click.group()
def users() -> None:
    """People who may sign in to the console, at /console of the decision service.

    Nobody may until the first one is added here. A viewer sees everything of one merchant; an
    operator also takes routes up and down, runs experiments, promotes and rolls back; an admin may
    whatever an administrator's key may.
    """


@users.command("add")
@click.argument("username")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="viewer",
    show_default=True,
    help="What the person may do.",
)
@click.option("--tenant", default="default", show_default=True, help="The merchant's name.")
@_password_option
@reason_option
@database_option
@json_option
def add(
    username: str,
    role: str,
    tenant: str,
    password_file: Path | None,
    reason: str,
    database: str,
    as_json: bool,
) -> None:
    """Add a person, with a password that is asked for or read from a file.

    \b
    Examples:
      authopt users add kim --role admin
      authopt users add lee --tenant acme --role operator --password-file lee.txt
    """
    from service.people.roles import Role
    from service.people.users import add_user, check_username

    check_username(username)
    password = _password(password_file)
    with changing_at(database) as connection:
        add_user(connection, username, tenant, Role(role), password, actor=_actor(), reason=reason)
    if as_json:
        print_json({"username": username, "tenant": tenant, "role": role, "state": "created"})
    else:
        notes().print(f"added: {username}, {role} of {tenant}", markup=False)


@users.command("list")
@click.option("--tenant", help="Only this merchant's.")
@database_option
@json_option
def list_(tenant: str | None, database: str, as_json: bool) -> None:
    """List the people, never their passwords.

    \b
    Examples:
      authopt users list
      authopt users list --tenant acme --json
    """
    from service.people.users import list_users

    with reading_at(database) as connection:
        found = list_users(connection, tenant)
    now = datetime.now(UTC)
    if as_json:
        print_json([_plain(user, now) for user in found])
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("user", "tenant", "role", "since (UTC)", "state"):
        table.add_column(column, overflow="fold")
    for user in found:
        since = f"{user.created_at:%Y-%m-%d %H:%M}"
        table.add_row(user.username, user.tenant, user.role, since, _state(user, now))
    console().print(table)


@users.command("role")
@click.argument("username")
@click.argument("role", type=click.Choice(ROLES))
@reason_option
@database_option
@json_option
def role_(username: str, role: str, reason: str, database: str, as_json: bool) -> None:
    """Give USERNAME another role; it counts from the next page on.

    \b
    Examples:
      authopt users role kim operator --reason "on call from today"
    """
    from service.people.roles import Role
    from service.people.users import set_role

    with changing_at(database) as connection:
        user = set_role(connection, username, Role(role), actor=_actor(), reason=reason)
    _tell(user, as_json)


@users.command("disable")
@click.argument("username")
@reason_option
@database_option
@json_option
def disable_(username: str, reason: str, database: str, as_json: bool) -> None:
    """Keep USERNAME out, and end every visit, from the next page on.

    \b
    Examples:
      authopt users disable kim --reason "left the company"
    """
    from service.people.users import disable

    with changing_at(database) as connection:
        user = disable(connection, username, actor=_actor(), reason=reason)
    _tell(user, as_json)


@users.command("enable")
@click.argument("username")
@reason_option
@database_option
@json_option
def enable_(username: str, reason: str, database: str, as_json: bool) -> None:
    """Let USERNAME in again, who was disabled or tried too many wrong passwords.

    \b
    Examples:
      authopt users enable kim
    """
    from service.people.users import enable

    with changing_at(database) as connection:
        user = enable(connection, username, actor=_actor(), reason=reason)
    _tell(user, as_json)


@users.command("password")
@click.argument("username")
@_password_option
@reason_option
@database_option
@json_option
def password_(
    username: str, password_file: Path | None, reason: str, database: str, as_json: bool
) -> None:
    """Set a new password for USERNAME, and end every visit.

    \b
    Examples:
      authopt users password kim
      authopt users password kim --password-file new.txt
    """
    from service.people.users import set_password

    text = _password(password_file)
    with changing_at(database) as connection:
        user = set_password(connection, username, text, actor=_actor(), reason=reason)
    _tell(user, as_json)


def _password(file: Path | None) -> str:
    """From the file or the terminal; an argument would stand in the shell's history."""
    if file is None:
        if not sys.stdin.isatty():
            raise UserError(
                "there is no terminal to ask for the password at. Give it with --password-file"
            )
        text: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return text
    try:
        with file.open("rb") as stream:
            line = stream.read(_LONGEST).splitlines()[:1]
        return line[0].decode("utf-8") if line else ""
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{file}: cannot be read as text; expected the password, alone") from None


def _tell(user: User, as_json: bool) -> None:
    now = datetime.now(UTC)
    if as_json:
        print_json(_plain(user, now))
    else:
        notes().print(
            f"{user.username}: {user.role} of {user.tenant}, {_state(user, now)}", markup=False
        )


def _plain(user: User, now: datetime) -> dict[str, Any]:
    return {
        "username": user.username,
        "tenant": user.tenant,
        "role": user.role.value,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
        "locked_until": user.locked_until,
        "state": _state(user, now),
    }


def _state(user: User, now: datetime) -> str:
    state = user.state(now)
    return f"locked until {user.locked_until:%Y-%m-%d %H:%M}" if state == "locked" else state


def _actor() -> str:
    return f"authopt users ({getpass.getuser()})"[:128]
