"""The configuration file: what it says, what it leaves to the flags, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from authopt.errors import UserError
from service.commands import serve
from service.config_file import Config, read_config, settings_of
from service.settings import Settings

WHOLE = """
policy = "priority:routes=adyen,epsilon=0.1"
routes = ["adyen", "checkout"]
delays = [0, 3600]
database = "postgresql+psycopg://user@host/name"
spool = "spool/records"
deadline_ms = 80
batch_deadline_ms = 900
max_body_bytes = 2048
host = "0.0.0.0"
port = 9000
workers = 3
threads = 8
log_level = "info"
log_format = "json"
open = true

[webhooks.stripe]
shape = "stripe"
secret_env = "TOP_SECRET"

[tenants.acme]
routes = ["one"]
policy = "uniform"
rules = "rules/acme.toml"

[tenants.acme.webhooks.acme-stripe]
shape = "stripe"
secret_env = "ACME_SECRET"

[tenants.zeta]
delays = [60]
"""
RULES = """
[[down]]
route = "one"
why = "maintenance"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "acme.toml").write_text(RULES)
    path = folder / "service.toml"
    path.write_text(text)
    return path


def settings(folder: Path, text: str) -> Settings:
    path = written(folder, text)
    return settings_of(read_config(path), str(path))


def test_a_merchant_takes_from_the_top_what_it_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOP_SECRET", "s" * 32)
    monkeypatch.setenv("ACME_SECRET", "t" * 32)
    made = settings(tmp_path, WHOLE)
    served = made.served()
    told = {name: (each.policy, each.routes, each.delays) for name, each in served.items()}
    top = "priority:routes=adyen,epsilon=0.1"
    assert told == {
        "default": (top, ("adyen", "checkout"), (0, 3600)),
        "acme": ("uniform", ("one",), (0, 3600)),
        "zeta": (top, ("adyen", "checkout"), (60,)),
    }
    assert [len(each.merchant.rules) for each in served.values()] == [0, 1, 0]
    assert {name: each.tenant for name, each in made.webhooks.items()} == {
        "stripe": "default",
        "acme-stripe": "acme",
    }
    assert made.spool == tmp_path / "spool/records"
    assert (made.deadline_ms, made.batch_deadline_ms, made.max_body_bytes) == (80, 900, 2048)
    assert (made.workers, made.log_format) == (3, "json")


def test_the_example_can_be_served() -> None:
    path = Path(__file__).parents[2] / "examples" / "service.toml"
    assert set(settings_of(read_config(path), str(path)).served()) == {"default", "acme", "zeta"}


def test_every_flag_has_its_key_in_the_file() -> None:
    flags = {option.name for option in serve.params} - {"config_file", "help"}
    assert flags <= set(Config.__struct_fields__)


MINIMAL = 'policy = "uniform"\nroutes = ["a", "b"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + "port = 0", "port: 0: expected `int` >= 1"),
        (MINIMAL + "port = '80'", "port: '80': expected `int`, got `str`"),
        (MINIMAL + "delays = [0, 'x']", "delays[1]: 'x': expected `int`"),
        (MINIMAL + "prot = 80", "prot: is not known; did you mean port?"),
        (MINIMAL + "zzz = 80", "zzz: is not known; expected one of policy, routes"),
        (MINIMAL + "log_level = 'loud'", "log_level: 'loud': expected one of debug, info,"),
        (MINIMAL + "port =", "not a TOML file"),
        (MINIMAL + "[tenants.acme]\nroute = ['x']", "tenants.acme.route: is not known"),
        (MINIMAL + "[tenants.acme]\ndelays = ['x']", "tenants.acme.delays[0]: 'x': expected"),
        (MINIMAL + "[tenants.acme]\nroutes = []", "[tenants.acme] routes: there are none"),
        (MINIMAL + "[tenants.acme]\nroutes = ['stop']", "[tenants.acme] routes: 'stop'"),
        (MINIMAL + "[tenants.acme]\npolicy = 'x'", "[tenants.acme] policy 'x' is not known"),
        (MINIMAL + "[tenants.acme]\nrules = 'no.toml'", "no.toml"),
        (MINIMAL + "[tenants.No]\n", "tenant 'No'"),
        (MINIMAL + "[tenants.default]\n", "tenant 'default'"),
        (MINIMAL + "[webhooks.x]\nshape='stripe'\nsecret_env='UNSET'", "[webhooks.x]"),
        (MINIMAL + "port = 4111111111111111", "[card number]"),
        ('policy = "uniform"', "routes is missing"),
        ('routes = ["a"]', "policy is missing"),
    ],
)
def test_what_is_wrong_is_named_with_file_key_value_and_what_is_expected(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(UserError) as refused:
        settings(tmp_path, text)
    assert said in str(refused.value)
    assert "4111111111111111" not in str(refused.value)


def test_two_merchants_cannot_have_the_same_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S", "s" * 32)
    hook = "webhooks.x]\nshape = 'stripe'\nsecret_env = 'S'\n"
    with pytest.raises(UserError, match=r"\[webhooks\.x\].*'default'"):
        settings(tmp_path, MINIMAL + f"[{hook}[tenants.acme.{hook}")


def start(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    """What ``authopt serve`` would start with; nothing listens."""
    started: dict[str, Any] = {}

    def run(settings: Settings, host: str, port: int, *more: Any) -> None:
        started.update(settings=settings, host=host, port=port)

    monkeypatch.setattr("service.server.run", run)
    monkeypatch.setattr("service.server.check_free", lambda host, port: None)
    CliRunner().invoke(serve, list(words), catch_exceptions=False)
    return started


def test_flags_override_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, MINIMAL + "port = 9000\ndelays = [5]\n")
    database = f"sqlite:///{tmp_path / 'a.db'}"
    more = ["--routes", "x, y", "--delays", "0,60", "--database", database]
    started = start(monkeypatch, "--config", str(path), *more)
    made = started["settings"]
    assert (made.routes, made.delays, made.policy) == (("x", "y"), (0, 60), "uniform")
    assert (made.database, made.spool) == (database, tmp_path / "a.db.spool")
    assert (started["host"], started["port"]) == ("127.0.0.1", 9000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_service_without_keys_is_not_opened_to_others_by_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    path = written(tmp_path, MINIMAL + f"database = 'sqlite:///{tmp_path / 'a.db'}'")
    words = ["--config", str(path), "--host", host]
    with pytest.raises(UserError, match="authopt keys create"):
        start(monkeypatch, *words)
    assert start(monkeypatch, *words, "--open")["settings"].keys_required is False
