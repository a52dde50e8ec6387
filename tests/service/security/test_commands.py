"""``authopt keys`` and ``authopt audit``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from authopt.errors import UserError
from service.security.caller import Scope
from service.security.commands import SCOPES, audit, keys
from service.security.key_text import read_key


def run(folder: Path, command: click.Command, *words: str, as_json: bool = True) -> Any:
    database = ["--database", f"sqlite:///{folder / 'authopt.db'}"]
    ended = CliRunner().invoke(
        command, [*words, *database, *(["--json"] if as_json else [])], catch_exceptions=False
    )
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout) if as_json else ended.stdout


def made(folder: Path, *more: str) -> Any:
    return run(folder, keys, "create", "--name", "shop", "--scope", "decide", *more)


def test_the_scopes_to_choose_from_are_those_that_there_are() -> None:
    assert tuple(Scope) == SCOPES


def test_a_key_is_shown_once_and_listed_without_its_secret(tmp_path: Path) -> None:
    told = made(tmp_path, "--per-second", "5", "--expires-in", "90d", "--tenant", "acme")
    halves = read_key(told["key"])
    assert halves is not None
    listed = run(tmp_path, keys, "list")
    assert halves.secret not in json.dumps(listed)
    assert [(each["key_id"], each["tenant"], each["scopes"], each["per_second"]) for each in listed]
    assert listed[0]["key_id"] == halves.key_id == told["key_id"]
    assert (listed[0]["tenant"], listed[0]["scopes"]) == ("acme", ["decide"])
    assert listed[0]["state"].startswith("good until")
    assert run(tmp_path, keys, "list", "--tenant", "other") == []
    assert halves.key_id in run(tmp_path, keys, "list", as_json=False)


def test_keys_are_rotated_and_revoked_and_the_audit_log_says_so(tmp_path: Path) -> None:
    old = made(tmp_path)
    new = run(tmp_path, keys, "rotate", old["key_id"], "--overlap", "1h", "--reason", "yearly")
    run(tmp_path, keys, "revoke", new["key_id"], "--reason", "lost")
    states = {each["key_id"]: each["state"] for each in run(tmp_path, keys, "list")}
    assert states[old["key_id"]].startswith("good until")
    assert states[new["key_id"]] == "revoked"
    rows = run(tmp_path, audit, "--kind", "key")
    assert [(row["subject"], row["value"]["state"], row["reason"]) for row in rows] == [
        (old["key_id"], "created", ""),
        (old["key_id"], "rotated", "yearly"),
        (new["key_id"], "created", "yearly"),
        (new["key_id"], "revoked", "lost"),
    ]
    assert "lost" in run(tmp_path, audit, as_json=False)
    assert run(tmp_path, audit, "--tenant", "other") == []
    for row in rows:
        assert "secret" not in json.dumps(row)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["create", "--name", "a\nb", "--scope", "read"], "name"),
        (["create", "--name", "4111111111111111", "--scope", "read"], "card number"),
        (["create", "--name", "a", "--scope", "read", "--tenant", "No"], "tenant"),
        (["create", "--name", "a", "--scope", "read", "--per-second", "0"], "per_second"),
        (["create", "--name", "a", "--scope", "read", "--expires-in", "soon"], "--expires-in"),
        (["create", "--name", "a", "--scope", "read", "--expires-in", "0s"], "expired"),
        (["create", "--name", "a", "--scope", "read", "--expires-in", "99999999d"], "years"),
        (["revoke", "000000000000"], "there is none"),
        (["rotate", "000000000000"], "there is none"),
    ],
)
def test_an_unsound_key_is_named_and_none_is_made(
    tmp_path: Path, words: list[str], expected: str
) -> None:
    with pytest.raises(UserError, match=expected) as refused:
        run(tmp_path, keys, *words)
    assert "4111111111111111" not in str(refused.value)


def test_a_whole_key_in_place_of_its_id_is_not_repeated(tmp_path: Path) -> None:
    told = made(tmp_path)
    with pytest.raises(UserError, match="none of this id") as refused:
        run(tmp_path, keys, "revoke", told["key"])
    assert told["key"][16:24] not in str(refused.value)


def test_a_key_that_has_ended_is_not_rotated(tmp_path: Path) -> None:
    old = made(tmp_path)
    run(tmp_path, keys, "revoke", old["key_id"])
    with pytest.raises(UserError, match="revoked"):
        run(tmp_path, keys, "rotate", old["key_id"])
