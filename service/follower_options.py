"""Options of the commands that follow a service: ``authopt learn`` and ``authopt watch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from service.log_output import LEVELS

Command = Callable[..., Any]


def every_option(between: str) -> Callable[[Command], Command]:
    """The option ``--every``; ``between`` is what it is the time between."""
    return click.option("--every", default="5s", show_default=True, metavar="TIME", help=between)


def lease_option(command: Command) -> Command:
    """The option ``--lease``."""
    return click.option(
        "--lease",
        default="60s",
        show_default=True,
        metavar="TIME",
        help="After this time another process takes over from one that is gone.",
    )(command)


def log_level_option(command: Command) -> Command:
    """The option ``--log-level``."""
    return click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        default="warning",
        show_default=True,
        help="What to log, to standard error.",
    )(command)
