"""``authopt serve``: what an operator may get wrong, told in one line with exit status 2."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DEFAULTS = {"--policy": "uniform", "--routes": "adyen,checkout"}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def refused(folder: Path, **options: str) -> str:
    """What ``authopt serve`` says of options that it must not accept."""
    given = DEFAULTS | {"--database": f"sqlite:///{folder / 'authopt.db'}"}
    given |= {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    words = [word for pair in given.items() for word in pair]
    ended = subprocess.run(
        [sys.executable, "-m", "authopt", "serve", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    return ended.stderr


def test_a_taken_port_is_named(tmp_path: Path, taken: int) -> None:
    assert f"port {taken}" in refused(tmp_path, port=str(taken))


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, database=f"sqlite:///{tmp_path / 'nowhere' / 'a.db'}")
    assert "a.db" in said


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "authopt.db").write_bytes(b"this is no database at all" * 100)
    assert "not a database" in refused(tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("policy", "nonsense", "nonsense"),
        ("routes", " , ", "routes"),
        ("routes", "a,a", "more than once"),
        ("routes", "a,stop", "stop"),
        ("delays", "0,x", "--delays"),
        ("delays", "-1", "delays"),
        ("database", "nonsense", "database"),
        ("port", "70000", "--port"),
    ],
)
def test_an_unsound_option_is_named(tmp_path: Path, option: str, value: str, expected: str) -> None:
    assert expected in refused(tmp_path, **{option: value})
    assert not list(tmp_path.iterdir())
