"""The ``authopt`` command: loads the commands that the packages register as entry points."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from authopt import __version__
from authopt.errors import CheckFailed, UserError
from authopt.terminal import notes

ENTRY_POINTS = "authopt.commands"

_ORDER = (
    "demo",
    "log",
    "rules",
    "train",
    "tune",
    "evaluate",
    "gate",
    "apprentice",
    "experiment",
    "explain",
    "replay",
    "simulate",
    "scenario",
    "leaderboard",
    "world",
    "serve",
    "models",
    "learn",
    "watch",
    "alarms",
    "keys",
    "users",
    "audit",
    "doctor",
    "reports",
    "forget",
)


class _InstalledCommands(click.Group):
    """Commands found by entry point and imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = [entry.name for entry in _entries()]
        return sorted(names, key=lambda name: (*_ORDER, name).index(name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in _entries():
            if entry.name == cmd_name:
                command = entry.load()
                assert isinstance(command, click.Command)
                return command
        return None


def _entries() -> list[EntryPoint]:
    return list(entry_points(group=ENTRY_POINTS))


@click.group(
    cls=_InstalledCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="authopt")
def authopt() -> None:
    """Get more good card payments approved.

    Import a log of card payment attempts, train a policy that picks route and retry timing,
    evaluate it off-policy with an honest interval, and serve it.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; a user's mistake exits with 2, a failed check with 1, without traceback."""
    try:
        code = authopt.main(arguments, prog_name="authopt", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = 2
    except UserError as error:
        notes().print(f"[bold red]error:[/] {_escaped(error)}", soft_wrap=True)
        code = 2
    except CheckFailed as error:
        notes().print(f"[bold yellow]check failed:[/] {_escaped(error)}", soft_wrap=True)
        code = 1
    except (click.Abort, KeyboardInterrupt):
        notes().print("stopped")
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _escaped(error: Exception) -> str:
    return str(error).replace("[", "\\[")
