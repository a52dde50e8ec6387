"""People are added, changed and kept out, and every change is on record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from authopt.errors import UserError
from service.people import sessions
from service.people.roles import SCOPES, Role
from service.people.users import (
    add_user,
    disable,
    enable,
    find_user,
    list_users,
    set_password,
    set_role,
)
from service.security.caller import Scope
from service.store.changes import changing, writing
from tests.service.people.people import PASSWORD, add, audit, row


def test_who_is_added_is_known_and_on_record(engine: Engine) -> None:
    add(engine, "kim", Role.OPERATOR)
    add(engine, "lee", tenant="acme")
    with engine.connect() as connection:
        everybody = [user.username for user in list_users(connection)]
        ours = list_users(connection, "default")
    assert everybody == ["lee", "kim"]
    assert [(user.username, user.role, user.disabled_at) for user in ours] == [
        ("kim", Role.OPERATOR, None)
    ]
    (made,) = audit(engine)
    assert (made.actor, made.value) == ("test", {"state": "created", "role": "operator"})


def test_the_store_holds_no_password(engine: Engine) -> None:
    add(engine)
    assert row(engine).password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(row(engine)) + str(audit(engine))


def test_a_name_is_given_once(engine: Engine) -> None:
    add(engine)
    with pytest.raises(UserError, match="one of this name already"):
        add(engine, tenant="acme")
    assert row(engine).tenant == "default"


@pytest.mark.parametrize("name", ["", "Kim", "kim lee", "4111111111111111", "a" * 65, ".kim"])
def test_what_is_no_name_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(UserError, match="expected up to 64 small letters") as refused:
        add(engine, name)
    assert "4111111111111111" not in str(refused.value)


def test_an_unsound_merchant_or_password_is_refused(engine: Engine) -> None:
    with pytest.raises(UserError, match="tenant"):
        add(engine, tenant="No Merchant")
    with pytest.raises(UserError, match="password"), changing(engine) as connection:
        add_user(connection, "kim", "default", Role.VIEWER, "short", actor="test")
    with engine.connect() as connection:
        assert list_users(connection) == []


def test_a_role_is_changed(engine: Engine) -> None:
    add(engine)
    with changing(engine) as connection:
        user = set_role(connection, "kim", Role.ADMIN, actor="boss", reason="on call")
    assert user.role is Role.ADMIN
    last = audit(engine)[-1]
    assert (last.actor, last.value, last.reason) == ("boss", {"role": "admin"}, "on call")


def test_disabling_ends_every_visit_and_enabling_brings_none_back(engine: Engine) -> None:
    add(engine)
    now = datetime.now(UTC)
    with writing(engine) as connection:
        tokens = [sessions.start(connection, "kim", now) for _ in range(2)]
    with changing(engine) as connection:
        assert disable(connection, "kim", actor="boss").disabled_at is not None
    with changing(engine) as connection:
        with pytest.raises(UserError, match="disabled already"):
            disable(connection, "kim", actor="boss")
        assert enable(connection, "kim", actor="boss").disabled_at is None
    with engine.connect() as connection:
        assert [sessions.find(connection, token, now) for token in tokens] == [None, None]
    assert [change.value.get("state") for change in audit(engine)] == [
        "created",
        "disabled",
        "enabled",
    ]


def test_the_last_admin_of_a_merchant_stays_one_and_is_let_in(engine: Engine) -> None:
    add(engine, "kim", Role.ADMIN)
    add(engine, "oda", Role.ADMIN, tenant="acme")
    with pytest.raises(UserError, match="last admin of default"), changing(engine) as connection:
        disable(connection, "kim", actor="boss")
    with pytest.raises(UserError, match="last admin of default"), changing(engine) as connection:
        set_role(connection, "kim", Role.OPERATOR, actor="boss")
    add(engine, "lee", Role.ADMIN)
    with changing(engine) as connection:
        disable(connection, "kim", actor="boss")
    # Who is disabled counts for nobody, and may be made less.
    with pytest.raises(UserError, match="last admin"), changing(engine) as connection:
        set_role(connection, "lee", Role.VIEWER, actor="boss")
    with changing(engine) as connection:
        assert set_role(connection, "kim", Role.VIEWER, actor="boss").role is Role.VIEWER


def test_a_new_password_ends_every_visit(engine: Engine) -> None:
    add(engine)
    now = datetime.now(UTC)
    with writing(engine) as connection:
        token = sessions.start(connection, "kim", now)
    before = row(engine).password_hash
    with changing(engine) as connection:
        set_password(connection, "kim", "seven loud blue boats", actor="kim")
    with engine.connect() as connection:
        assert sessions.find(connection, token, now) is None
    assert row(engine).password_hash != before
    assert audit(engine)[-1].value == {"password": "changed"}


def test_nobody_is_named_who_is_not_there(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(UserError, match="nobody of this name"):
        find_user(connection, "kim")


def test_each_role_may_what_the_one_before_may_and_more() -> None:
    assert SCOPES[Role.VIEWER] == {Scope.READ}
    assert SCOPES[Role.VIEWER] < SCOPES[Role.OPERATOR] < SCOPES[Role.ADMIN] == frozenset(Scope)
