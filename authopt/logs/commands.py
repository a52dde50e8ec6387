"""``authopt log``: the commands around the attempt log."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

import click

_COMMANDS = {
    "import": ("authopt.logs.import_command", "import_log"),
    "audit": ("authopt.logs.audit_command", "audit"),
    "propensities": ("authopt.logs.propensity_command", "propensities"),
    "split": ("authopt.logs.split_command", "split"),
    "convert": ("authopt.logs.convert_command", "convert"),
    "correct": ("authopt.logs.correct_command", "correct"),
}


ENTRY_POINTS = "authopt.log_commands"
"""Other packages add commands that make or read logs, as the service does."""


class _LazyCommands(click.Group):
    """Subcommands that are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *sorted(entry_points(group=ENTRY_POINTS).names)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            module, name = _COMMANDS[cmd_name]
            command = getattr(import_module(module), name)
        else:
            found = entry_points(group=ENTRY_POINTS, name=cmd_name)
            if not found:
                return None
            command = next(iter(found)).load()
        assert isinstance(command, click.Command)
        return command


@click.group("log", cls=_LazyCommands)
def log() -> None:
    """Bring a log of payment attempts into form, check it, and cut it.

    An attempt log holds one row per decision: the actions that were allowed, the one that was
    taken and with what probability, and what came back.
    """
