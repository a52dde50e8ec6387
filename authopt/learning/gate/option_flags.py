"""The options of the gate, for the commands that have one."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.terminal import existing_file

if TYPE_CHECKING:
    from authopt.learning.gate.settings import Gate
    from authopt.learning.gate.verdict import GateVerdict

LAST_SHARE = 0.3
"""Share of the log, at its end, that the gate judges on unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class GatedTraining:
    """How a training is gated.

    Attributes
    ----------
    live
        spec of the live policy; ``logged`` for the one that made the log.
    log
        that the gate judges on; None for the end of the training log.
    share
        of the training log's decisions that the gate judges on, where there is no other log.
    settings
        file of the conditions; None for the default ones.
    override
        why the candidate may pass even if it fails; None where it may not.
    """

    live: str
    log: Path | None
    share: float
    settings: Path | None
    override: str | None

    def gate(self) -> Gate:
        """The conditions."""
        return conditions(self.settings)


def conditions(settings: Path | None) -> Gate:
    """The conditions of a file, or the default ones."""
    from authopt.learning.gate.settings import Gate, load_gate

    return Gate() if settings is None else load_gate(settings)


def with_override(verdict: GateVerdict, why: str | None) -> GateVerdict:
    """The verdict, overridden by whoever runs the command where a reason is given and it failed."""
    if why is None or verdict.passed:
        return verdict
    return verdict.overridden(why, who=getpass.getuser())


def settings_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--gate-settings``, for short ``--settings``."""
    return click.option(
        "--gate-settings",
        "--settings",
        "gate_settings",
        type=existing_file,
        metavar="FILE.toml",
        help="Conditions of the gate: margin, segment_tolerance, exploration_budget and so on.",
    )(function)


def override_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--override``."""
    return click.option(
        "--override",
        metavar="WHY",
        help="Let the candidate through though it fails; your name, the time and the reason stand "
        "in the verdict.",
    )(function)


def gate_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a training that may be gated; the command gets them as ``gated``.

    ``gated`` is a :class:`GatedTraining`, or None without ``--gate``.
    """

    @click.option(
        "--gate",
        "gate_live",
        metavar="LIVE-SPEC",
        help="Train on the earlier part of LOG, and judge on the later one whether the model may "
        "replace this policy (`logged` for the one that made the log). Exits with 1 if not.",
    )
    @click.option(
        "--gate-share",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=LAST_SHARE,
        show_default=True,
        help="With --gate: share of the decisions, the last ones, to judge on.",
    )
    @click.option(
        "--gate-log",
        type=existing_file,
        help="With --gate: train on the whole LOG, and judge on this later log.",
    )
    @settings_option
    @override_option
    @wraps(function)
    def command(
        *arguments: Any,
        gate_live: str | None,
        gate_share: float,
        gate_log: Path | None,
        gate_settings: Path | None,
        override: str | None,
        **options: Any,
    ) -> Any:
        gated = None
        if gate_live is not None:
            gated = GatedTraining(gate_live, gate_log, gate_share, gate_settings, override)
        elif gate_log or gate_settings or override:
            raise click.UsageError(
                "--gate-log, --gate-settings and --override belong to --gate LIVE-SPEC"
            )
        return function(*arguments, gated=gated, **options)

    return command
