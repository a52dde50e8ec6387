"""A password is tried: the lock-out, and that nobody learns who exists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, update

from service.api.problems import Problem
from service.people import passwords
from service.people import sign_in as sign_in_module
from service.people.sessions import find
from service.people.sign_in import FREE_TRIES, change_password, is_password_of, sign_in, wait_after
from service.people.users import disable
from service.store.changes import changing, writing
from service.store.tables import users
from tests.service.people.people import PASSWORD, add, audit, row


def lock_until(engine: Engine, at_us: int) -> None:
    with writing(engine) as connection:
        connection.execute(update(users).values(locked_until_us=at_us))


def visits(engine: Engine, *tokens: str | None) -> list[bool]:
    with engine.connect() as connection:
        now = datetime.now(UTC)
        return [each is not None and find(connection, each, now) is not None for each in tokens]


def test_the_right_password_begins_a_visit_and_ends_the_one_before(engine: Engine) -> None:
    add(engine)
    first = sign_in(engine, "kim", PASSWORD, None)
    second = sign_in(engine, "kim", PASSWORD, first)
    assert first != second
    assert visits(engine, first, second) == [False, True]


def test_a_wrong_password_an_unknown_name_and_a_disabled_person_are_refused_alike(
    engine: Engine,
) -> None:
    add(engine)
    add(engine, "lee")
    with changing(engine) as connection:
        disable(connection, "lee", actor="test")
    assert [
        sign_in(engine, "kim", "wrong", None),
        sign_in(engine, "nobody", PASSWORD, None),
        sign_in(engine, "lee", PASSWORD, None),
    ] == [None, None, None]


class Counting(PasswordHasher):
    """Counts what it verifies."""

    verified = 0

    def verify(self, *arguments: Any) -> Any:
        self.verified += 1
        return super().verify(*arguments)


def test_as_many_hashes_are_made_where_nobody_is_or_nobody_may(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", counting)
    add(engine)
    add(engine, "lee")
    lock_until(engine, 1 << 62)
    add(engine, "sam")
    tried = []
    for name in ("nobody", "kim", "lee", "sam"):
        before = counting.verified
        assert not is_password_of(engine, name, "wrong")
        tried.append(counting.verified - before)
    assert tried == [1, 1, 1, 1]


def test_after_some_wrong_passwords_even_the_right_one_must_wait(engine: Engine) -> None:
    add(engine)
    for _ in range(FREE_TRIES):
        assert not is_password_of(engine, "kim", "wrong")
    assert not is_password_of(engine, "kim", PASSWORD)
    assert row(engine).failures == FREE_TRIES
    lock_until(engine, 1)
    assert is_password_of(engine, "kim", PASSWORD)
    assert (row(engine).failures, row(engine).locked_until_us) == (0, None)


def test_a_right_password_before_the_last_free_try_forgives_the_wrong_ones(engine: Engine) -> None:
    add(engine)
    for _ in range(3):
        for _ in range(FREE_TRIES - 1):
            assert not is_password_of(engine, "kim", "wrong")
        assert is_password_of(engine, "kim", PASSWORD)
    assert [change.value["state"] for change in audit(engine)] == ["created"]


def test_a_lock_out_is_on_record(engine: Engine) -> None:
    add(engine)
    for _ in range(FREE_TRIES):
        is_password_of(engine, "kim", "wrong")
    last = audit(engine)[-1]
    assert (last.actor, last.value["state"]) == ("sign-in", "locked")
    assert datetime.fromisoformat(last.value["until"]) > datetime.now(UTC) + timedelta(seconds=20)


def test_the_wait_doubles_up_to_an_hour() -> None:
    waits = [wait_after(failures) for failures in range(FREE_TRIES, FREE_TRIES + 5)]
    assert waits == [timedelta(seconds=30 * 2**n) for n in range(5)]
    assert wait_after(FREE_TRIES - 1) == timedelta(0)
    assert wait_after(10**6) == timedelta(hours=1)


def test_many_tries_at_once_are_no_more_tries(engine: Engine) -> None:
    add(engine)
    with ThreadPoolExecutor(2) as pool:
        tried = list(pool.map(lambda _: is_password_of(engine, "kim", "wrong"), range(16)))
    assert not any(tried)
    assert row(engine).failures == FREE_TRIES


def test_a_stale_hash_is_made_anew_when_its_password_is_given(engine: Engine) -> None:
    add(engine)
    stale = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    with writing(engine) as connection:
        connection.execute(update(users).values(password_hash=stale))
    assert not is_password_of(engine, "kim", "wrong")
    assert row(engine).password_hash == stale
    assert is_password_of(engine, "kim", PASSWORD)
    assert row(engine).password_hash != stale
    assert is_password_of(engine, "kim", PASSWORD)


def test_who_waits_too_long_for_others_is_told_and_nothing_is_counted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(engine)
    monkeypatch.setattr(sign_in_module, "_PATIENCE_S", 0.01)
    with sign_in_module._hashing, pytest.raises(Problem) as refused:
        is_password_of(engine, "kim", PASSWORD)
    assert refused.value.status == 503
    assert row(engine).failures == 0
    assert is_password_of(engine, "kim", PASSWORD)


def test_who_comes_while_two_are_there_is_sent_away_at_once(engine: Engine) -> None:
    add(engine)
    inside = sign_in_module._inside
    with inside, inside, pytest.raises(Problem) as refused:
        is_password_of(engine, "kim", PASSWORD)
    assert refused.value.headers["Retry-After"] == "2"
    assert is_password_of(engine, "kim", PASSWORD)


def test_a_changed_password_begins_a_visit_and_ends_all_others(engine: Engine) -> None:
    add(engine)
    old = sign_in(engine, "kim", PASSWORD, None)
    new = change_password(engine, "kim", "seven loud blue boats")
    assert visits(engine, old, new) == [False, True]
    assert not is_password_of(engine, "kim", PASSWORD)
    assert is_password_of(engine, "kim", "seven loud blue boats")
    assert audit(engine)[-1].actor == "kim"
