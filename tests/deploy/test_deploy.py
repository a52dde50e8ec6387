"""What is in ``deploy/`` fits this version: its commands, files, settings and addresses."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from service.commands import serve
from service.config_file import read_config
from service.learning.commands import learn
from service.people.commands import users
from service.security.commands import keys
from service.watch.commands import watch
from tests.service.in_process import running, settings_in

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMANDS: dict[str, click.Command] = {
    "serve": serve,
    "learn": learn,
    "watch": watch,
    "keys": keys,
    "users": users,
}
INSTALLED = "/etc/authopt/service.toml"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def steps(name: str) -> list[str]:
    """The arguments of each instruction of the Dockerfile of a name."""
    return re.findall(rf"^\s*{name}\s+(.+)$", DOCKERFILE, re.MULTILINE)


def unit(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path)
    return dict(parser["Service"])


def command_lines() -> list[list[str]]:
    """Every command line of ``authopt`` in the folder, without the program's own name."""
    lines = [ast.literal_eval(steps("CMD")[-1])]
    lines += [each["command"] for each in COMPOSE["services"].values() if "command" in each]
    lines += [shlex.split(unit(path)["ExecStart"])[1:] for path in UNITS]
    text = (DEPLOY / "compose.yaml").read_text()
    lines += [shlex.split(line) for line in re.findall(r"exec service authopt (.+)$", text, re.M)]
    return lines


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_is_one_that_the_program_takes(words: list[str]) -> None:
    words = [str(DEPLOY / "service.toml") if each == INSTALLED else each for each in words]
    command: click.Command = COMMANDS[words[0]]
    rest = words[1:]
    while isinstance(command, click.Group):
        command = command.commands[rest[0]]
        rest = rest[1:]
    # Parses, and checks each value, without doing anything.
    assert command.make_context(words[0], list(rest)).params


def test_the_program_of_every_unit_is_where_the_image_has_it() -> None:
    programs = {shlex.split(unit(path)["ExecStart"])[0] for path in UNITS}
    assert programs == {"/opt/authopt/bin/authopt"}
    assert "python -m venv /opt/authopt" in DOCKERFILE


def test_every_file_that_the_image_copies_is_there() -> None:
    for line in steps("COPY"):
        *sources, _ = line.split()
        if not sources[0].startswith("--from"):
            assert all((ROOT / each).exists() for each in sources), line
    packages = {"authopt", "simulator", "service"}
    assert packages <= {word for line in steps("COPY") for word in line.split()}


def test_the_extras_that_the_image_installs_are_declared() -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg")
    for extras in re.findall(r"'\.\[([^]]+)\]'", DOCKERFILE):
        assert set(extras.split(",")) <= set(declared["options.extras_require"])


def test_every_file_that_compose_mounts_is_there_and_every_volume_is_declared() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).is_file(), volume
            else:
                assert source in COMPOSE["volumes"], volume
    build = COMPOSE["services"]["service"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


def test_the_configuration_is_one_that_the_service_reads() -> None:
    config = read_config(DEPLOY / "service.toml")
    assert config.policy is not None
    assert config.database.startswith("postgresql+psycopg://")
    host = config.database.partition("@")[2].partition("/")[0]
    assert host in COMPOSE["services"]
    learner = COMPOSE["services"]["learner"]["command"]
    assert learner[learner.index("--database") + 1] == config.database


def test_health_checks_ask_an_endpoint_that_there_is(tmp_path: Path) -> None:
    (check,) = steps("HEALTHCHECK")
    port, path = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", check)[0]
    assert steps("EXPOSE") == [port]
    assert int(port) == read_config(DEPLOY / "service.toml").port
    code = ast.literal_eval(check.partition("CMD ")[2])[-1]
    compile(code, "HEALTHCHECK", "exec")
    with running(settings_in(tmp_path)) as app:
        assert app.test_client().get(path).status_code == 200
    assert COMPOSE["services"]["learner"]["healthcheck"] == {"disable": True}


def test_nothing_runs_as_root() -> None:
    assert steps("USER") == ["authopt"]
    for path in UNITS:
        assert unit(path)["User"] == "authopt"
        assert unit(path)["NoNewPrivileges"] == "yes"
