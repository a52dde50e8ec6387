"""Vowpal Wabbit's options on the command line, for every command that makes a model with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import existing_file

if TYPE_CHECKING:
    from authopt.policies.vw_options import VwOptions

_POSITIVE = click.FloatRange(0, min_open=True)

# Left out means VwOptions' own default, which is told as text: importing it takes long.
_VW_OPTIONS: tuple[tuple[str, Any, str, str], ...] = (
    (
        "explorer",
        click.Choice(["epsilon", "squarecb", "regcb", "cover", "bag", "softmax", "rnd"]),
        "epsilon",
        "how what was learned becomes probabilities.",
    ),
    (
        "epsilon",
        click.FloatRange(0, 1),
        "0.05",
        "each of k actions gets at least EPSILON / k, whatever the explorer. What is made with 0 "
        "may be evaluated, but may not decide what is logged.",
    ),
    (
        "cb_type",
        click.Choice(["mtr", "ips", "dr"]),
        "mtr",
        "regression on what was taken, inverse propensity, or doubly robust; squarecb and regcb "
        "take mtr alone.",
    ),
    (
        "weighting",
        click.Choice(["regression", "ips"]),
        "regression with mtr, else ips",
        "whether all rows weigh alike, or by the inverse of their propensity.",
    ),
    ("passes", click.IntRange(1), "1", "times to go over the log."),
    (
        "optimiser",
        click.Choice(["adaptive", "coin"]),
        "adaptive",
        "how steps are taken; coin has no learning rate.",
    ),
    ("learning_rate", _POSITIVE, "0.05", "size of the steps."),
    (
        "power_t",
        click.FloatRange(0, 1),
        "0.5",
        "how fast steps shrink; 0 is for logs over which the world changed.",
    ),
    ("initial_t", click.FloatRange(0), "0", "rows that are taken to have been learned from."),
    (
        "decay_learning_rate",
        click.FloatRange(0, 1, min_open=True),
        "1",
        "the learning rate is multiplied by it after every pass.",
    ),
    ("l2", click.FloatRange(0, 1), "0", "how strongly weights shrink towards 0."),
    ("bits", click.IntRange(10, 28), "20", "at most 2 to the power BITS weights."),
    ("seed", click.IntRange(0), "0", "seed."),
    ("gamma_scale", click.FloatRange(1), "100", "squarecb: how fast worse actions fade."),
    (
        "gamma_exponent",
        click.FloatRange(0, 0.25),
        "0.25",
        "squarecb: how they fade further as rows come in.",
    ),
    ("mellowness", _POSITIVE, "0.01", "regcb: how wide the confidence intervals are."),
    ("policies", click.IntRange(1, 64), "4", "cover, bag, rnd: number of regressions."),
    ("psi", click.FloatRange(0), "0.1", "cover: what differing from the others is worth."),
    ("softness", click.FloatRange(0), "100", "softmax: how far better actions stand out."),
)

VW_OPTIONS = (*(name for name, _, _, _ in _VW_OPTIONS), "optimistic")
"""Names of the parameters that are fields of ``VwOptions``."""

VW_FLAGS = (*VW_OPTIONS, "routes", "merchant_own", "context_pairs", "attempt_times")
"""Names of all parameters that :func:`vw_option_flags` adds."""

_OF_STEPS = ("learning_rate", "power_t")

REGRESSION_FLAGS = (
    "passes",
    "optimiser",
    "learning_rate",
    "power_t",
    "initial_t",
    "decay_learning_rate",
    "l2",
    "bits",
    "seed",
    "routes",
    "merchant_own",
    "context_pairs",
    "attempt_times",
)
"""Those of them that bear on what a model predicts, and not on how it explores."""


def vw_option_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; they reach it as ``VW_FLAGS``, None where not given."""
    command = click.option(
        "--attempt-times",
        is_flag=True,
        default=None,
        help="vw: tell the hour and the date at which an attempt would land; twice as slow.",
    )(command)
    command = click.option(
        "--context-pairs",
        is_flag=True,
        default=None,
        help="vw: what a route is worth depends on pairs of context columns too; several times as "
        "slow.",
    )(command)
    command = click.option(
        "--merchant-own",
        is_flag=True,
        default=None,
        help="vw: every merchant gets a part of its own beside what all share.",
    )(command)
    command = click.option(
        "--routes",
        type=existing_file,
        help="vw: TOML file of what is known of the routes (acquirer, countries, currency, cost), "
        "so that a route without a past is scored by it.",
    )(command)
    command = click.option(
        "--optimistic/--no-optimistic",
        default=None,
        help="vw: regcb: take the action of the best bound, else all alike that may be the best.  "
        "[default: optimistic]",
    )(command)
    for name, kind, default, text in reversed(_VW_OPTIONS):
        command = click.option(
            "--" + name.replace("_", "-"), type=kind, help=f"vw: {text}  [default: {default}]"
        )(command)
    return command


def vw_options_of(given: Mapping[str, Any], base: VwOptions | None = None) -> VwOptions:
    """The options of a command's parameters.

    Parameters
    ----------
    given
        the parameters.
    base
        where what is absent or None is taken from; None for the defaults.

    Raises
    ------
    UserError
        If they do not go together.
    """
    from authopt.policies.vw_options import VwOptions

    values = {name: given[name] for name in VW_OPTIONS if given.get(name) is not None}
    optimiser = values.get("optimiser", "adaptive" if base is None else base.optimiser)
    if optimiser == "coin" and (idle := [name for name in _OF_STEPS if name in values]):
        flags = ", ".join("--" + name.replace("_", "-") for name in idle)
        raise UserError(f"{flags}: the optimiser coin has no steps of a size; leave it out")
    if base is not None:
        return replace(base, **values)
    if "weighting" not in values and values.get("cb_type", "mtr") != "mtr":
        values["weighting"] = "ips"
    return VwOptions(**values)
