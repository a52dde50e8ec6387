"""The people who may sign in: who they are, and letting them in and keeping them out.

An admin sees and changes the people of the own merchant. A password that is given is drawn here,
shown once and kept nowhere, so that nobody has to think one up, or send it twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection

from service.api.operating import refusals
from service.api.problems import Problem
from service.console.asking import Told, asking
from service.console.backing import Backing
from service.console.form_values import one_of
from service.console.frame import done, home, page
from service.console.reasons import given_reason
from service.console.tables import Column, Row, Table
from service.models.refusals import Conflict
from service.people.needs import needs
from service.people.passwords import drawn_password
from service.people.roles import MEANS, Role
from service.people.roster import Member, roster
from service.people.users import (
    KIND,
    User,
    add_user,
    disable,
    enable,
    find_user,
    is_last_admin,
    set_password,
    set_role,
)
from service.security.caller import Scope, caller
from service.store.changes import changing

_ROLES = tuple(role.value for role in Role)
_OWN = "your own password is changed under your name, at the top of the page"
_YOU = "This is you."


def register(blueprint: Blueprint, backing: Backing) -> None:
    """Add the pages."""

    def member(connection: Connection, username: str) -> User:
        return find_user(connection, username, caller().tenant)

    def looked_up(username: str) -> tuple[User, bool]:
        """The person, and whether there is no other admin."""
        with refusals("path"), backing.engine.connect() as connection:
            user = member(connection, username)
            return user, is_last_admin(connection, user)

    @blueprint.get("/users", endpoint="users")
    @needs(Scope.ADMIN)
    def every() -> Response:
        now = datetime.now(UTC)
        with refusals("users"), backing.engine.connect() as connection:
            members = roster(connection, caller().tenant, now)
        return page("users.html", title="Users", here="users", tables=(_table(members, now),))

    @blueprint.get("/users/add", endpoint="user_add")
    @needs(Scope.ADMIN)
    def add_asked(refused: str | None = None) -> Response:
        name = {
            "name": "username",
            "label": "Name",
            "required": True,
            "maxlength": 64,
            "autocomplete": "off",
            "hint": "Small letters, digits and . _ @ + -, such as kim or kim@shop.example.",
        }
        return asking(
            "Add a user",
            here="users",
            what="The person may sign in from now on, with a password that the next page shows to "
            "you, once.",
            button="Add",
            back=url_for("console.users"),
            fields=[name, _role_field(_ROLES)],
            refused=refused,
        )

    @blueprint.post("/users/add", endpoint="user_add_sent")
    @needs(Scope.ADMIN)
    def add_sent() -> Response:
        who, username = caller(), request.form.get("username", "").strip()
        password = drawn_password(username)
        try:
            reason, role = given_reason(), Role(one_of(request.form, "role", _ROLES))
            with refusals("name"), changing(backing.engine) as connection:
                add_user(
                    connection,
                    username,
                    who.tenant,
                    role,
                    password,
                    actor=who.name,
                    reason=reason,
                )
        except Problem as problem:
            return add_asked(problem.detail)
        return _shown_once(username, password, f"{username} is added, as {role.value}.")

    @blueprint.get("/users/<username>/role", endpoint="user_role")
    @needs(Scope.ADMIN)
    def role_asked(username: str) -> Response:
        user, is_last = looked_up(username)
        told = [_only(username)] if is_last else []
        if username == caller().name and not is_last:
            told.append(Told(f"{_YOU} You will see this page no more.", "warning"))
        return asking(
            f"Role of {username}",
            here="users",
            what=f"{username}, now {user.role.value}, may do what the new role may from the next "
            "page on.",
            button="Change the role",
            back=url_for("console.users"),
            fields=[_role_field([role for role in _ROLES if role != user.role.value])],
            told=told,
            possible=not is_last,
        )

    @blueprint.post("/users/<username>/role", endpoint="user_role_sent")
    @needs(Scope.ADMIN)
    def role_sent(username: str) -> Response:
        who, reason = caller(), given_reason()
        role = Role(one_of(request.form, "role", _ROLES))
        with refusals("form"), changing(backing.engine) as connection:
            member(connection, username)
            set_role(connection, username, role, actor=who.name, reason=reason)
        where = home() if username == who.name else url_for("console.users")
        return done(f"{username} is {role.value} now.", where)

    @blueprint.get("/users/<username>/disable", endpoint="user_disable")
    @needs(Scope.ADMIN)
    def disable_asked(username: str) -> Response:
        _, is_last = looked_up(username)
        told = [_only(username)] if is_last else []
        if username == caller().name and not is_last:
            told.append(Told(f"{_YOU} You will be signed out.", "warning"))
        return asking(
            f"Disable {username}",
            here="users",
            what=f"{username} is signed out wherever that is, and not let in again until somebody "
            "enables the name.",
            button="Disable",
            back=url_for("console.users"),
            told=told,
            danger=True,
            possible=not is_last,
        )

    @blueprint.post("/users/<username>/disable", endpoint="user_disable_sent")
    @needs(Scope.ADMIN)
    def disable_sent(username: str) -> Response:
        who, reason = caller(), given_reason()
        with refusals("form"), changing(backing.engine) as connection:
            member(connection, username)
            disable(connection, username, actor=who.name, reason=reason)
        return done(f"{username} is disabled.", url_for("console.users"))

    @blueprint.get("/users/<username>/enable", endpoint="user_enable")
    @needs(Scope.ADMIN)
    def enable_asked(username: str) -> Response:
        user, _ = looked_up(username)
        return asking(
            f"Enable {username}",
            here="users",
            what=f"{username} may sign in again, as {user.role.value}, with the same password.",
            button="Enable",
            back=url_for("console.users"),
        )

    @blueprint.post("/users/<username>/enable", endpoint="user_enable_sent")
    @needs(Scope.ADMIN)
    def enable_sent(username: str) -> Response:
        who, reason = caller(), given_reason()
        with refusals("form"), changing(backing.engine) as connection:
            member(connection, username)
            enable(connection, username, actor=who.name, reason=reason)
        return done(f"{username} may sign in again.", url_for("console.users"))

    @blueprint.get("/users/<username>/password", endpoint="user_password")
    @needs(Scope.ADMIN)
    def password_asked(username: str) -> Response:
        looked_up(username)
        is_own = username == caller().name
        return asking(
            f"New password for {username}",
            here="users",
            what=f"{username} is signed out wherever that is, and the present password opens "
            "nothing any more. The next page shows a new one to you, once.",
            button="Give a new password",
            back=url_for("console.users"),
            told=[Told(f"{_YOU} {_OWN[:1].upper()}{_OWN[1:]}.", "warning")] if is_own else [],
            danger=True,
            possible=not is_own,
        )

    @blueprint.post("/users/<username>/password", endpoint="user_password_sent")
    @needs(Scope.ADMIN)
    def password_sent(username: str) -> Response:
        who, reason = caller(), given_reason()
        password = drawn_password(username)
        with refusals("form"), changing(backing.engine) as connection:
            member(connection, username)
            if username == who.name:
                # It asks for the present one, which whoever found this browser open does not know.
                raise Conflict(_OWN)
            set_password(connection, username, password, actor=who.name, reason=reason)
        return _shown_once(username, password, f"{username} has a new password.")


def _only(username: str) -> Told:
    return Told(f"{username} is the only admin. Make somebody else an admin first.", "alarm")


def _shown_once(username: str, password: str, notice: str) -> Response:
    return page(
        "user_password.html",
        title=f"Password of {username}",
        here="users",
        username=username,
        password=password,
        said=notice,
    )


def _role_field(roles: tuple[str, ...] | list[str]) -> dict[str, Any]:
    return {
        "name": "role",
        "label": "Role",
        "kind": "select",
        "options": [(role, f"{role}: {MEANS[Role(role)]}") for role in roles],
    }


def _table(members: list[Member], now: datetime) -> Table:
    rows = [
        {
            "username": each.user.username,
            "role": each.user.role.value,
            "state": each.user.state(now),
            "password": "own" if each.chose_password else f"given by {each.password_by}",
            "visited_at": each.visited_at,
            "added_at": each.user.created_at,
            "added_by": each.added_by,
            "locked_until": each.user.locked_until,
        }
        for each in members
    ]

    def told_of(row: Row) -> str:
        return url_for("console.audit", kind=KIND, subject=row["username"])

    return Table(
        "users",
        "Who may sign in, by name",
        (
            Column("username", "user", "text", told_of),
            Column("role", "role"),
            Column("state", "state", "tag"),
            Column("password", "password"),
            Column("visited_at", "last known sign-in (UTC)", "moment"),
            Column("added_at", "added (UTC)", "moment"),
            Column("added_by", "by"),
            Column("locked_until", "locked until (UTC)", "moment", shown=False),
        ),
        rows,
    )
