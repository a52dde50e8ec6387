"""People for the tests, in a store without a service."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from service.people.roles import Role
from service.people.users import KIND, add_user
from service.store.changes import Change, changing, history
from service.store.tables import users

PASSWORD = "four quiet green lamps"


def add(engine: Engine, name: str = "kim", role: Role = Role.VIEWER, **more: Any) -> None:
    with changing(engine) as connection:
        add_user(connection, name, more.get("tenant", "default"), role, PASSWORD, actor="test")


def row(engine: Engine, name: str = "kim") -> Any:
    with engine.connect() as connection:
        return connection.execute(select(users).where(users.c.username == name)).one()


def audit(engine: Engine, name: str = "kim") -> list[Change]:
    with engine.connect() as connection:
        return history(connection, "default", KIND, name)
