"""All learners of the bake-off by name, and the packages that they need."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import cache

from authopt.policies.experience_replay import REPLAYS
from authopt.policies.vw_options import SHORT_STREAM, Explorer, VwOptions
from benchmarks._bakeoff_data import MissingPackage
from benchmarks._bakeoff_others import (
    Maker,
    coba_learners,
    contextualbandits_learners,
    mabwiser_learners,
)
from benchmarks._bakeoff_protocol import Learner
from benchmarks._bakeoff_vw import of_defaults, of_options

OURS = "authopt"
DEFAULT = "vw"
PACKAGES = ("coba", "mabwiser", "contextualbandits")

EXPLORERS: tuple[Explorer, ...] = ("epsilon", "squarecb", "cover")
"""The others, with the same rate, floor and replays."""


def check_packages() -> None:
    """Raise :class:`MissingPackage` unless the packages of the learners are there."""
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise MissingPackage(name)


@cache
def learners() -> dict[str, Maker]:
    """Every learner by name, each from a number of classes and a seed."""
    return {
        OURS: options_maker(SHORT_STREAM, REPLAYS),
        f"{OURS} without replays": options_maker(SHORT_STREAM),
        f"{OURS} for long logs": options_maker(VwOptions()),
        **{
            f"{OURS} {explorer}": options_maker(replace(SHORT_STREAM, explorer=explorer), REPLAYS)
            for explorer in EXPLORERS
        },
        DEFAULT: lambda classes, seed: of_defaults(classes),
        f"{DEFAULT} squarecb": lambda classes, seed: of_defaults(classes, "--squarecb"),
        **coba_learners(),
        **mabwiser_learners(),
        **contextualbandits_learners(),
    }


def options_maker(options: VwOptions, replays: int = 0) -> Maker:
    def make(classes: int, seed: int) -> Learner:
        return of_options(options, classes, replays=replays, seed=seed)

    return make
