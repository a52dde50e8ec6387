"""The command line: a table of contents, and no traceback at a user."""

from __future__ import annotations

import subprocess
import sys

import pytest

from authopt.cli import main


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "authopt", *arguments], capture_output=True, text=True, check=False
    )


def test_the_help_lists_every_command_with_what_it_does() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    for command in (
        "demo",
        "log",
        "rules",
        *("train", "tune", "evaluate", "gate", "explain", "replay"),
        *("simulate", "scenario", "leaderboard", "world"),
        *("serve", "models", "learn", "keys", "audit", "doctor", "forget"),
    ):
        assert f"\n  {command} " in answer.stdout


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("evaluate", "--nonsense"), ("evaluate", "missing.parquet")]
)
def test_a_mistake_exits_with_2_and_one_clear_message(arguments: tuple[str, ...]) -> None:
    answer = run(*arguments)
    assert answer.returncode == 2
    assert "Error" in answer.stderr or "error" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_help_does_not_import_the_heavy_packages() -> None:
    code = (
        "import sys; from authopt.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'sklearn', 'pandas', 'plotly', 'vowpalwabbit'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("authopt, version ")
