"""``authopt users``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from authopt.errors import UserError
from service.people.commands import users
from service.people.sign_in import is_password_of
from service.store.engine import open_engine
from tests.service.people.people import PASSWORD, audit, row


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password.txt"
    path.write_text(f"{PASSWORD}\nanything else\n")
    return path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'authopt.db'}"


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(users, [*arguments, "--database", url], catch_exceptions=False)


def opened(url: str) -> Engine:
    return open_engine(url)


def test_the_first_admin_is_added_at_the_machine_and_may_sign_in(url: str, file: Path) -> None:
    made = run(url, "add", "kim", "--role", "admin", "--password-file", str(file), "--json")
    assert json.loads(made.stdout) == {
        "username": "kim",
        "tenant": "default",
        "role": "admin",
        "state": "created",
    }
    engine = opened(url)
    assert is_password_of(engine, "kim", PASSWORD)
    assert audit(engine)[0].actor.startswith("authopt users (")
    engine.dispose()


def test_people_are_listed_without_their_passwords(url: str, file: Path) -> None:
    run(url, "add", "kim", "--password-file", str(file))
    run(url, "add", "lee", "--tenant", "acme", "--password-file", str(file))
    everybody = json.loads(run(url, "list", "--json").stdout)
    assert [(each["username"], each["state"]) for each in everybody] == [
        ("lee", "good"),
        ("kim", "good"),
    ]
    assert [
        each["username"]
        for each in json.loads(run(url, "list", "--tenant", "acme", "--json").stdout)
    ] == ["lee"]
    shown = run(url, "list").stdout
    assert "kim" in shown
    assert "argon2" not in shown


def test_a_person_gets_another_role_is_disabled_and_enabled(url: str, file: Path) -> None:
    run(url, "add", "kim", "--password-file", str(file))
    asked = ("role", "kim", "operator"), ("disable", "kim"), ("enable", "kim")
    told = [json.loads(run(url, *each, "--reason", "test", "--json").stdout) for each in asked]
    assert [(each["role"], each["state"]) for each in told] == [
        ("operator", "good"),
        ("operator", "disabled"),
        ("operator", "good"),
    ]
    assert "kim: operator of default, good" in run(url, "enable", "kim").stderr


def test_a_password_is_set_anew_from_a_file(url: str, file: Path) -> None:
    run(url, "add", "kim", "--password-file", str(file))
    file.write_text("seven loud blue boats")
    run(url, "password", "kim", "--password-file", str(file))
    engine = opened(url)
    assert is_password_of(engine, "kim", "seven loud blue boats")
    assert [each.value for each in audit(engine)][1] == {"password": "changed"}
    engine.dispose()


def test_no_command_takes_a_password_as_an_argument() -> None:
    for command in users.commands.values():
        named = {option for each in command.params for option in each.opts}
        assert not named & {"--password", "-p"}


def test_without_a_terminal_a_file_is_asked_for(url: str) -> None:
    with pytest.raises(UserError, match="--password-file"):
        run(url, "add", "kim")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"short"])
def test_an_unsound_password_adds_nobody(url: str, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(UserError):
        run(url, "add", "kim", "--password-file", str(file))
    run(url, "add", "lee", "--password-file", str(_sound(file)))
    assert [each["username"] for each in json.loads(run(url, "list", "--json").stdout)] == ["lee"]


def _sound(file: Path) -> Path:
    file.write_text(PASSWORD)
    return file


def test_who_is_not_there_cannot_be_changed(url: str, file: Path) -> None:
    run(url, "add", "kim", "--password-file", str(file))
    with pytest.raises(UserError, match="nobody of this name"):
        run(url, "disable", "lee")
    engine = opened(url)
    assert row(engine).disabled_at_us is None
    engine.dispose()
