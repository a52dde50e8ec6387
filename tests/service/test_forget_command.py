"""``authopt forget``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from authopt.errors import UserError
from service.forget_command import forget
from tests.service.in_process import ask, recorder_of, request_body, tell


def test_what_is_older_than_it_has_to_be_kept_is_gone(app: Flask, client: FlaskClient) -> None:
    ask(client, request_body("old", decided_at="2025-01-01T00:00:00Z"))
    ask(client, request_body("new"))
    tell(client, {"decision_id": "old", "approved": True})
    tell(client, {"decision_id": "new", "approved": True})
    database = str(recorder_of(app).store.engine.url)
    words = ["--older-than", "30d", "--database", database, "--json"]
    done = CliRunner().invoke(forget, words, catch_exceptions=False)
    gone = json.loads(done.stdout)
    assert (gone["decisions"], gone["outcomes"], gone["activations"]) == (1, 1, 0)
    assert client.get("/v1/payments/p1").get_json()["attempts"] == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--older-than", "soon"], "--older-than: 'soon' is no length of time"),
        (["--older-than", "99999d"], "more than a hundred years"),
        (["--older-than", "1d", "--database", "sqlite:///none.db"], "there is no such database"),
    ],
)
def test_a_mistake_is_named(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=expected):
        CliRunner().invoke(forget, words, catch_exceptions=False)
