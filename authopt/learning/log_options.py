"""What the commands that read a log declare alike: its argument, and options that go with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from authopt.errors import UserError
from authopt.terminal import existing_file, new_file

Command: TypeAlias = Callable[..., Any]
Option: TypeAlias = Callable[[Command], Command]

REWARD = (
    "approved; column:NAME:LOW:HIGH (an outcome column and the bounds of its values); or "
    "money:FILE.toml (margin less fees and losses, see data/rewards/README.md)."
)
"""The rewards there are, as ``--reward`` takes them."""


def log_argument(function: Command) -> Command:
    """``LOG``, a file that is there."""
    return click.argument("log", type=existing_file)(function)


def reward_option(text: str = REWARD) -> Option:
    """``--reward``; the command gets it as ``reward_text``."""
    return click.option("--reward", "reward_text", default="approved", show_default=True, help=text)


def model_out_option(text: str) -> Option:
    """``--out``, which must be given: a model; see :func:`check_model_out`."""
    return click.option("--out", type=new_file, required=True, help=text)


def reward_model_option(of: str) -> Option:
    """``--reward-model/--no-reward-model``; ``of`` says what the model is for."""
    return click.option(
        "--reward-model/--no-reward-model",
        default=True,
        show_default=True,
        help=f"Fit a cross-fitted reward model, for {of}.",
    )


def max_weight_option(declared: str = "") -> Option:
    """``--max-weight``; ``declared`` says when it must be declared."""
    return click.option(
        "--max-weight",
        type=click.FloatRange(1),
        help=f"Largest importance weight that is possible at all{declared}. By default it is "
        "computed from the logged probabilities of all eligible actions.",
    )


def strict_option(function: Command) -> Command:
    """``--strict``."""
    return click.option(
        "--strict", is_flag=True, help="Stop at the first unsound row instead of leaving it out."
    )(function)


def check_model_out(log: Path, out: Path) -> None:
    """Refuse a place for a model before an hour of training.

    Raises
    ------
    UserError
        If it is the log itself, or its folder does not exist.
    """
    if out.resolve() == log.resolve():
        raise UserError(f"{out}: --out is the log itself; give it another name")
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist")
