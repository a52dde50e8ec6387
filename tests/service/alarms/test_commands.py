"""``authopt alarms``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from service.alarms.commands import alarms
from service.store.store import Store
from tests.service.alarms.receivers import web_server
from tests.service.alarms.test_delivery import alarm


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(alarms, arguments, terminal_width=200)
    assert result.exit_code == code, result.output
    return result.output


def test_what_fires_and_what_has_fired_is_listed(quick_store: Store) -> None:
    alarm(quick_store.engine, "rate")
    alarm(quick_store.engine, "route-down:adyen")
    url = str(quick_store.engine.url)

    assert "route-down:adyen" in run("list", "--database", url)
    found = json.loads(run("history", "--json", "--limit", "1", "--database", url))
    assert [(each["alarm"], each["state"]) for each in found] == [("route-down:adyen", "firing")]
    assert run("list", "--database", url, "--tenant", "other") == "no alarm fires\n"


def test_a_test_message_is_sent_and_a_refusal_is_exit_status_1(tmp_path: Path) -> None:
    path = tmp_path / "authopt.toml"
    with web_server() as web:
        path.write_text(f'[alarms.webhooks.ops]\nurl = "http://127.0.0.1:{web.port}/"\n')
        assert run("test", "ops", "--config", str(path)) == "ops has taken a test message\n"
        assert json.loads(web.taken[0][1])["state"] == "test"
        web.status = 404
        answer = json.loads(run("test", "ops", "--config", str(path), "--json", code=1))
    assert answer == {"channel": "ops", "sent": False, "fault": "answered 404"}
